"""What goes along with a patch, and what is said where nothing can."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from kmaint.records.change import Check, Patch
from kmaint.records.harness import Harness
from reintegrate.companions import with_companions
from reintegrate.companions.writing import narrow

EDIT = Patch(edits=(), files={}, kind="edit")


def told(patch: Patch) -> list[str]:
    return [check.detail for check in patch.shown]


def test_a_test_and_a_benchmark_go_where_the_framework_keeps_them(
    harness_of: Callable[[str], Harness], tmp_path: Path
) -> None:
    harness = harness_of("merge_state")
    found = with_companions(EDIT, harness, tmp_path)
    assert [(file.part, file.path) for file in found.new] == [
        ("test", "test/registered/kernels/ops/attention/test_merge_state_triton_against_float64.py"),
        ("benchmark", "test/registered/kernels/benchmark/attention/bench_merge_state_triton.py"),
    ]
    origin = replace(harness.provenance, framework="vllm")
    region = replace(harness.regions[1], path="vllm/v1/attention/ops/merge_state.py")
    vllm = replace(harness, provenance=replace(origin, path=region.path), regions=(region,))
    found = with_companions(EDIT, vllm, tmp_path, benchmarks=("benchmarks/kernels/benchmark_merge_state.py::main",))
    [test] = found.new
    assert test.path == "tests/kernels/attention/test_merge_state_triton_against_float64.py"
    assert test.text.startswith("# SPDX-License-Identifier: Apache-2.0\n# SPDX-FileCopyrightText: Copyright contr")
    assert '@pytest.mark.parametrize("case", SMALL, ids=str)' in test.text


def test_sglangs_continuous_integration_takes_the_test_in(harness_of: Callable[[str], Harness], tmp_path: Path) -> None:
    register = tmp_path / "python" / "sglang" / "test" / "ci" / "ci_register.py"
    register.parent.mkdir(parents=True)
    register.write_text("def register_cuda_ci(est_time, *, stage=None, runner_config=None): ...\n")
    test = with_companions(EDIT, harness_of("merge_state"), tmp_path).new[0]
    assert 'register_cuda_ci(est_time=10, stage="base-b", runner_config="1-gpu-small")\n' in test.text


def test_what_stands_there_already_is_left_alone(harness_of: Callable[[str], Harness], tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    harness = harness_of("merge_state")
    for file in with_companions(EDIT, harness, tmp_path).new:
        (tmp_path / file.path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file.path).touch()
    assert with_companions(EDIT, harness, tmp_path).new == ()


def test_where_no_test_can_be_written_the_reason_is_kept(harness_of: Callable[[str], Harness], tmp_path: Path) -> None:
    harness = harness_of("merge_state")
    assert with_companions(replace(EDIT, kind="config"), harness, tmp_path).shown == (
        Check(
            name="a test of its own",
            state="not_run",
            detail="a table is data: the framework's own lookup was run on it instead",
        ),
    )
    assert told(with_companions(EDIT, replace(harness, oracle=False), tmp_path)) == [
        "the harness has no oracle to test against"
    ]
    assert told(with_companions(EDIT, replace(harness, level="kernel"), tmp_path)) == [
        "the kernel is cut without a launcher that a test could call"
    ]
    elsewhere = replace(harness, provenance=replace(harness.provenance, framework="other"))
    assert told(with_companions(EDIT, elsewhere, tmp_path)) == ["kmaint does not know where other keeps its tests"]


def test_wide_comments_and_docstrings_are_broken() -> None:
    wide = f"def f():\n    # {'word ' * 20}\n    " + f'"""{"word " * 20}"""\n'
    lines = narrow(wide).splitlines()
    assert max(map(len, lines)) <= 88
    assert lines[1].startswith("    # word")
    assert lines[-1] == '    """'
