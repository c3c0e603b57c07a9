"""The entry point of a harness that is cut at its kernel's own level: a function that launches the kernel, no more.

    def launch_scale(x_ptr, out_ptr, n, factor=1.0, BLOCK=128, *, grid, num_warps=4, num_stages=3):
        scale[tuple(grid)](x_ptr=x_ptr, ..., BLOCK=BLOCK, num_warps=num_warps, num_stages=num_stages)

The parameters are the kernel's own, in order and with their defaults. What `autotune` or `heuristics` sets is left out:
those refuse to be told. An autotuner sets the launch options too.
"""

from __future__ import annotations

import ast
from collections.abc import Collection

OPTIONS = {"num_warps": 4, "num_stages": 3}
"""What Triton launches with on an NVIDIA device where nothing is said."""

WIDTH = 116


def entry_name(kernel: str) -> str:
    """What the entry of a kernel of that name is called."""
    return f"launch_{kernel.strip('_')}"


def entry_source(kernel: ast.FunctionDef, *, name: str = "", left_out: Collection[str] = ()) -> str:
    """Source of the entry; `name` is what kernel.py calls the kernel, `left_out` what its decorators set."""
    name = name or kernel.name
    taken = [(one, default) for one, default in parameters(kernel) if one not in left_out]
    options = [one for one in OPTIONS if one not in left_out and one not in {own for own, _ in taken}]
    grid = "grid" if all(own != "grid" for own, _ in taken) else "launch_grid"
    signature = [
        *(one if default is None else f"{one}={default}" for one, default in taken),
        "*",
        grid,
        *(f"{one}={OPTIONS[one]}" for one in options),
    ]
    given = [f"{one}={one}" for one in (*(own for own, _ in taken), *options)]
    return (
        f"{_call(f'def {entry_name(name)}', signature, '', ':')}"
        f'    """Launch `{name}` on a grid of one to three dimensions."""\n'
        f"{_call(f'{name}[tuple({grid})]', given, '    ', '')}"
    )


def parameters(kernel: ast.FunctionDef) -> list[tuple[str, str | None]]:
    """Each parameter with the source of its default, None where it has none."""
    own = [*kernel.args.posonlyargs, *kernel.args.args]
    missing: list[ast.expr | None] = [None] * (len(own) - len(kernel.args.defaults))
    pairs = [
        *zip(own, [*missing, *kernel.args.defaults], strict=True),
        *zip(kernel.args.kwonlyargs, kernel.args.kw_defaults, strict=True),
    ]
    return [(argument.arg, None if default is None else ast.unparse(default)) for argument, default in pairs]


def _call(head: str, items: list[str], indent: str, end: str) -> str:
    line = f"{indent}{head}({', '.join(items)}){end}\n"
    if len(line) <= WIDTH:
        return line
    return f"{indent}{head}(\n" + "".join(f"{indent}    {item},\n" for item in items) + f"{indent}){end}\n"
