from __future__ import annotations

import ast

import pytest

from extract.slicing.direct_entry import entry_name, entry_source


def function(source: str) -> ast.FunctionDef:
    node = ast.parse(source).body[0]
    assert isinstance(node, ast.FunctionDef)
    return node


def test_the_entry_takes_what_the_kernel_takes_and_the_launch_options() -> None:
    kernel = function("def _scale(x_ptr, n, factor=1.0, BLOCK: tl.constexpr = SIZE): ...")
    assert entry_name(kernel.name) == "launch_scale"
    assert entry_source(kernel) == (
        "def launch_scale(x_ptr, n, factor=1.0, BLOCK=SIZE, *, grid, num_warps=4, num_stages=3):\n"
        '    """Launch `_scale` on a grid of one to three dimensions."""\n'
        "    _scale[tuple(grid)](x_ptr=x_ptr, n=n, factor=factor, BLOCK=BLOCK, num_warps=num_warps,"
        " num_stages=num_stages)\n"
    )


def test_what_an_autotuner_sets_is_left_out_and_a_long_entry_is_folded() -> None:
    names = [f"parameter_{number}" for number in range(9)]
    kernel = function(f"def k({', '.join(names)}, BLOCK: tl.constexpr): ...")
    source = entry_source(kernel, name="tuned", left_out={"BLOCK", "num_warps", "num_stages"})
    lines = ["def launch_tuned(", *(f"    {name}," for name in names), "    *,", "    grid,", "):"]
    assert source.splitlines()[: len(lines)] == lines
    assert "BLOCK" not in source and "num_" not in source


@pytest.mark.parametrize("taken", ["grid", "num_warps"])
def test_a_parameter_of_the_kernel_keeps_its_name(taken: str) -> None:
    calls: list[tuple[object, dict[str, object]]] = []

    class Kernel:
        def __getitem__(self, grid: object) -> object:
            return lambda **given: calls.append((grid, given))

    scope: dict[str, object] = {"k": Kernel()}
    exec(entry_source(function(f"def k(x, {taken}: tl.constexpr): ...")), scope)
    entry = scope["launch_k"]
    assert callable(entry)
    entry(x=1, **{taken: 8, "launch_grid" if taken == "grid" else "grid": [2, 3]})
    ((grid, given),) = calls
    assert grid == (2, 3)
    assert given == {"num_warps": 4, "num_stages": 3, "x": 1, taken: 8}
