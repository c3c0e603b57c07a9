from __future__ import annotations

from extract.calls.contents import content_of
from kmaint.records.call import SeenTensor


def seen(dtype: str, **known: object) -> SeenTensor:
    return SeenTensor(shape=(4,), stride=(1,), dtype=dtype, **known)  # type: ignore[arg-type]


def test_what_holds_no_indices_is_ordinary() -> None:
    assert content_of([seen("float16"), None], {}) == ("normal", "")
    assert content_of([seen("bool")], {}) == ("index", "2")


def test_contents_that_were_not_kept_are_zeros_which_are_in_range_of_anything() -> None:
    assert content_of([seen("int32")], {"T": (4,)}) == ("zeros", "")


def test_without_a_size_that_is_large_enough_the_bound_is_a_number() -> None:
    assert content_of([seen("int64", values=(0, 9, 9, 2), low=0, high=9)], {"T": (4,)}) == ("index", "10")


def test_packed_words_are_no_places_however_distinct() -> None:
    words = (5, 1 << 30, 77, (1 << 31) - 2)
    assert content_of([seen("int32", values=words, low=5, high=words[-1])], {}) == ("index", str((1 << 31) - 1))
