from __future__ import annotations

from collections.abc import Callable

Planted = Callable[[str, str, str], list[str]]


def test_a_launcher_takes_the_stride_and_size_of_another_dimension(planted: Planted) -> None:
    body = "a = x.stride(0)\nb = y.stride(-1)\nc = x.shape[-2]\n"
    assert planted("wrong_stride", "host", body) == ["a = x.stride(1)", "b = y.stride(0)"]
    assert planted("wrong_axis", "host", body) == ["c = x.shape[-1]"]


def test_a_kernel_takes_another_axis_of_the_grid_only_where_it_has_two(planted: Planted) -> None:
    one = "i = tl.program_id(0)\n"
    assert planted("wrong_axis", "kernel", one) == []
    both = planted("wrong_axis", "kernel", f"{one}j = tl.program_id(axis=1)\n")
    assert both == ["i = tl.program_id(1)", "j = tl.program_id(axis=0)"]


def test_a_kernel_reduces_along_another_axis_and_turns_a_column(planted: Planted) -> None:
    body = "s = tl.sum(x, axis=1)\nm = tl.max(x, 0)\nc = y[:, None]\n"
    found = planted("wrong_axis", "kernel", body)
    assert sorted(found) == ["c = y[None, :]", "m = tl.max(x, 1)", "s = tl.sum(x, axis=0)"]


def test_a_loop_ends_early_or_begins_late_and_a_block_is_one_too_far(planted: Planted) -> None:
    body = "pid = tl.program_id(0)\ni = pid * BLOCK\nfor s in range(0, n, BLOCK):\n    v = tl.load(x + i + s)\n"
    assert sorted(planted("off_by_one_block", "kernel", body)) == [
        "for s in range((0) + (BLOCK), n, BLOCK):",
        "for s in range(0, (n) - (BLOCK), BLOCK):",
        "i = (pid + 1) * BLOCK",
    ]


def test_a_grid_may_have_a_name_or_be_a_function(planted: Planted) -> None:
    body = "grid = (n, 1)\nf[grid](x)\nf[lambda meta: (meta['B'],)](x)\nk = (n + 63) // 64\n"
    assert planted("off_by_one_block", "host", body) == [
        "grid = ((n) - 1, 1)",
        "f[lambda meta: ((meta['B']) - 1,)](x)",
    ]
    rounded = planted("off_by_one_block", "host", "k = (n + B - 1) // B\n")
    assert rounded == ["k = (n) // (B)"]


def test_arguments_by_name_change_places_too(planted: Planted) -> None:
    found = planted("swapped_argument", "host", "f[grid](x=x, y=y, num_warps=4)\n")
    assert found == ["f[grid](x=(y), y=(x), num_warps=4)"]
    assert planted("swapped_argument", "host", "f(x, y)\n") == []


def test_a_launcher_allocates_narrower_indices(planted: Planted) -> None:
    body = "i = torch.empty(n, dtype=torch.int32)\n"
    assert planted("index_dtype", "host", body) == ["i = torch.empty(n, dtype=torch.int16)"]
