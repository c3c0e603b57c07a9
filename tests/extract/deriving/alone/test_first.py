"""What a kernel's text and its launch amount to before anything was run."""

from __future__ import annotations

from extract.deriving.alone.draft import Pointer
from extract.deriving.alone.first import first_draft
from extract.deriving.alone.read import read_kernel
from extract.deriving.alone.site import Site, Stride
from tests.extract.deriving.alone.test_read import SOURCE

TEXT = read_kernel(SOURCE, "gather")


def test_names_and_uses_say_what_an_argument_is() -> None:
    draft = first_draft(TEXT, list(TEXT.parameters), Site())
    assert draft.pointers == {
        "x": Pointer("DT"),
        "table": Pointer("int32", "index", bound="max_table"),
        "lens": Pointer("int32", "lengths", bound="max_lens"),
        "out": Pointer("DT"),
    }
    assert (draft.scalars["scale"], draft.scalars["FAST"], draft.scalars["MODE"]) == (0.5, False, "sum")
    assert (draft.scalars["n"], draft.scalars["BLOCK"]) == ("=n", 32)
    assert draft.strides == {"x": ("stride_x",), "table": (), "lens": (), "out": ()}
    assert draft.grid == ("programs_0", "programs_1")
    assert draft.axes.keys() == {"max_table", "max_lens", "n", "programs_0", "programs_1"}


def test_a_launch_says_more_than_names_do() -> None:
    site = Site(
        values={"BLOCK": "=next_power_of_2(n)", "scale": 2.0},
        dtypes={"table": "int64", "out": "int8"},
        strides={"stride_x": Stride("x", 0)},
        absent={"lens"},
        grid=("n", "rows"),
        options={"num_warps": 8},
    )
    draft = first_draft(TEXT, list(TEXT.parameters), site)
    assert draft.pointers["table"] == Pointer("int64", "index", bound="max_table")
    assert draft.pointers["out"] == Pointer("int8")
    assert draft.absent == {"lens"} and draft.scalars["lens"] is None
    assert (draft.scalars["scale"], draft.scalars["BLOCK"]) == (2.0, "=next_power_of_2(n)")
    assert draft.grid == ("n", "rows_size"), "`rows` is a word of the suite's own code"
    assert draft.options == {"num_warps": 8}


def test_what_the_entry_does_not_have_is_left_out() -> None:
    draft = first_draft(TEXT, ["x", "out", "n", "BLOCK"], Site())
    assert draft.pointers.keys() == {"x", "out"}
    assert draft.scalars.keys() == {"n", "BLOCK"}
