from __future__ import annotations

import ast

from extract.calls.dimensions import dimension_names, parameter_name
from kmaint.records.call import Call

LAUNCHER = """\
def f(x, y, z, w):
    m, _ = x.shape
    n = x.shape[1]
    k = y.size(0)
    *rows, width = z.size()
    heads, dim = w.shape[1], w.shape[-1]
    kernel[grid](x, n_cols=y.shape[-1], other=y.shape[k])
"""


def call(source: str) -> Call:
    return Call(launcher="", arguments={}, count=1, origin="framework test", source=source)


def test_a_launcher_names_its_arguments_sizes() -> None:
    function = ast.parse(LAUNCHER).body[0]
    assert isinstance(function, ast.FunctionDef)
    assert dimension_names(function) == {
        ("x", 0): "m",
        ("x", 1): "n",
        ("y", 0): "k",
        ("y", -1): "n_cols",
        ("z", -1): "width",
        ("w", 1): "heads",
        ("w", -1): "dim",
    }


def test_a_test_parameter_with_the_same_values_names_a_size() -> None:
    calls = [call(f"tests/a.py::test_x[num_tokens={n}-seed={n % 2}-name=n=3-dtype=half]") for n in (1, 7, 7)]
    assert parameter_name((1, 7, 7), calls) == "num_tokens"
    assert parameter_name((1, 7, 8), calls) == ""
    assert parameter_name((1, 7, 7, 9), [*calls, call("tests/b.py::test_y[m=9]")]) == "num_tokens"
    assert parameter_name((7, 7), calls[1:]) == ""
