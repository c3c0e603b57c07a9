from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from extract.trying import trial
from extract.warming import warm_for_trials
from kmaint.forking.warm import Zygote

PROGRAM = Path(trial.__file__)


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with warm_for_trials(sys.executable) as found:
        yield found


def test_what_comes_with_torch_triton_and_pytest_is_allowed_and_nothing_else() -> None:
    found = trial.allowed()
    assert {"torch", "triton", "numpy", "pytest", "_pytest", "sympy", "typing_extensions"} <= set(found)
    assert not {"hypothesis", "kmaint", "extract", "typer", "libcst"} & set(found)


@pytest.mark.parametrize("name", ["kmaint", "extract.slicing.closure", "hypothesis", "libcst", "no_such_package"])
def test_a_harness_that_needs_more_does_not_import(zygote: Zygote, tmp_path: Path, name: str) -> None:
    (tmp_path / "kernel.py").write_text(f"import triton, numpy\nimport {name}\ndef entry(): ...\n")
    answer = zygote.ask(PROGRAM, "imports", tmp_path, limit_s=20, entry="entry", allowed=trial.allowed())
    assert answer.error.startswith("ModuleNotFoundError: ") and name.partition(".")[0] in answer.error


def test_what_decorators_set_is_read_off_the_kernel(zygote: Zygote, tmp_path: Path) -> None:
    (tmp_path / "kernel.py").write_text(
        "import triton\nimport triton.language as tl\n"
        "@triton.autotune([triton.Config({'BLOCK': size}, num_warps=2) for size in (16, 32)], key=['n'])\n"
        "@triton.heuristics({'EVEN': lambda given: given['n'] % 2 == 0})\n"
        "@triton.jit\ndef tuned(x, n, EVEN: tl.constexpr, BLOCK: tl.constexpr): ...\n"
    )
    answer = zygote.ask(PROGRAM, "settings", tmp_path, limit_s=20, kernel="tuned")
    assert (answer.value, answer.error) == (["BLOCK", "EVEN", "num_stages", "num_warps"], "")


@pytest.mark.parametrize(
    "asking",
    [
        "import importlib.util\nassert importlib.util.find_spec('no_such_package') is None",
        "import torch\n@torch.compile(dynamic=True)\ndef compiled(x):\n    return x + 1",
    ],
)
def test_to_ask_whether_a_package_is_there_is_not_to_need_it(zygote: Zygote, tmp_path: Path, asking: str) -> None:
    (tmp_path / "kernel.py").write_text(f"{asking}\ndef entry(): ...\n")
    answer = zygote.ask(PROGRAM, "imports", tmp_path, limit_s=60, entry="entry", allowed=trial.allowed())
    assert answer.error == ""
