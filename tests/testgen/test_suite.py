"""The generated suite: as text against its recording, and by running it on right and wrong candidates."""

from __future__ import annotations

import json
import re
import shutil
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from kmaint.child import Finished, clean_environment
from kmaint.folder import harness_digest, read_harness
from kmaint.forking.stem import run_with_torch
from testgen.suite import write_suite
from testgen.tried import TRIED
from tests.merged import RUNTIME

HERE = Path(__file__).parent

SMOKE = "test_smoke"
EQUALS = "test_does_what_the_original_does"
TWICE = "test_gives_the_same_bits_twice"
UNTOUCHED = "test_leaves_alone_what_the_original_leaves_alone"
WRITTEN = "test_writes_every_element_of_its_outputs"
ACCURATE = "test_is_as_close_to_float64_as_the_original"
OUTLIVE = "test_results_outlive_the_next_call"
BATCH = "test_a_row_does_not_depend_on_its_batch"
LAYOUT = "test_takes_every_layout"
TYPE = "test_takes_every_type"
SIZE = "test_takes_every_size"
LONG = "test_takes_the_sizes_of_its_workloads"
VALUES = "test_takes_every_kind_of_values"
REFUSAL = "test_turns_away_what_the_original_turns_away"
TRUTH = "test_is_as_close_to_the_truth_as_the_original"


def harness(name: str, folder: Path) -> Path:
    """A harness folder of the cases with the runtime in it and its suite written."""
    shutil.copytree(HERE / "cases" / name, folder / name)
    shutil.copytree(RUNTIME, folder / name / "runtime", ignore=shutil.ignore_patterns("__pycache__"))
    write_suite(read_harness(folder / name))
    return folder / name


@pytest.fixture(scope="module")
def merge_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return harness("merge_state", tmp_path_factory.mktemp("suite"))


@pytest.fixture(scope="module")
def reshape_and_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return harness("reshape_and_cache", tmp_path_factory.mktemp("suite"))


@pytest.fixture(scope="module")
def scale(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The harness of which more is known than its contract says, as if it had just been tried."""
    folder = harness("scale", tmp_path_factory.mktemp("suite"))
    found = json.loads((HERE / "cases" / "scale_tried.json").read_text())
    (folder / TRIED).write_text(json.dumps({**found, "of": harness_digest(folder)}))
    write_suite(read_harness(folder))
    return folder


@pytest.mark.parametrize("name", ["merge_state", "reshape_and_cache", "scale"])
def test_text_is_as_recorded(name: str, request: pytest.FixtureRequest) -> None:
    written = (request.getfixturevalue(name) / "test_kernel.py").read_text()
    recording = HERE / "recorded" / f"test_{name}.py"
    if request.config.getoption("--update-recordings"):
        recording.write_text(written)
    assert written == recording.read_text()


def test_the_text_says_what_it_holds(merge_state: Path) -> None:
    suite = write_suite(read_harness(merge_state))
    assert suite.path == merge_state / "test_kernel.py"
    assert suite.examples == 3
    assert suite.properties == (
        SMOKE,
        EQUALS,
        "test_takes_every_kind_of_values",
        "test_takes_every_size",
        LONG,
        "test_takes_every_layout",
        "test_reads_nothing_around_its_arguments",
        ACCURATE,
        TWICE,
        UNTOUCHED,
        WRITTEN,
        OUTLIVE,
        BATCH,
        "test_a_row_does_not_depend_on_its_place",
        "test_runs_on_the_current_stream",
        "test_can_be_captured_in_a_graph",
        "test_runs_where_its_arguments_are",
        "test_takes_more_rows_than_a_grid_is_wide",
    )


def pytest_in(folder: Path, *words: str, **environment: str) -> Finished:
    """Plain pytest in a folder, as a person or the gate runs it."""
    return run_with_torch(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words],
        timeout_s=200,
        env=clean_environment({"KMAINT_PROFILE": "gate", "KMAINT_SEED": "7", **environment}),
        cwd=folder,
    )


@pytest.mark.parametrize(
    ("name", "summary"),
    [
        ("merge_state", "14 passed, 6 skipped in"),
        ("reshape_and_cache", "13 passed, 3 skipped in"),
        ("scale", "13 passed, 3 skipped in"),
    ],
)
def test_the_original_passes_its_own_suite(name: str, summary: str, request: pytest.FixtureRequest) -> None:
    finished = pytest_in(request.getfixturevalue(name))
    assert summary in finished.stdout, finished.stdout


STORE = """    tl.store(
        output + token_idx * num_heads * HEAD_SIZE + head_idx * HEAD_SIZE + head_arange,
        out,
        mask=head_mask,
    )
"""
LAST = "    return output, output_lse\n"

MORE = STORE + "    tl.store("
NEW = "output = torch.empty_like(prefix_output)"
SLOT = "    slot_idx = tl.load(slot_mapping_ptr + token_idx)\n"
CACHES = "        key_cache,\n        value_cache,\n"

# Each an edit of the original: what to replace, by what, which property must fail, and with which code.
WRONG_MERGES = {
    "dropped_mask": (STORE, STORE.replace("        mask=head_mask,\n", ""), EQUALS, "[wrote_outside]"),
    "swapped_operand": ("p_out * p_scale + s_out * s_scale", "s_out * p_scale + p_out * s_scale", EQUALS, "[mismatch]"),
    "wrong_scale": ("p_scale = tl.exp(p_lse) / out_se", "p_scale = tl.exp2(p_lse) / out_se", EQUALS, "[mismatch]"),
    "unwritten_tail": (
        "out,\n        mask=head_mask",
        "out,\n        mask=head_arange < 63",
        WRITTEN,
        "[uninitialised]",
    ),
    "written_input": (STORE, f"{MORE}prefix_lse + token_idx * num_heads, 0.0)\n", UNTOUCHED, "[mutated_input]"),
    "out_of_bounds": (STORE, f"{MORE}suffix_output - 1, 0.0)\n", UNTOUCHED, "[wrote_outside]"),
    "less_accurate": ("tl.exp(p_lse) / out_se", "tl.exp(p_lse) / out_se * 1.000008", ACCURATE, "[less_accurate]"),
    "nondeterministic": (LAST, f"    output *= 1 + torch.rand(()) * 1e-2\n{LAST}", TWICE, "[nondeterministic]"),
    "reused_output": (
        NEW,
        f"{NEW[:9]}globals().setdefault(prefix_output.shape, {NEW[9:]})",
        OUTLIVE,
        "[aliased_output]",
    ),
    "by_batch": (LAST, f"    output *= 1 + (output.shape[0] > 2) * 2**-7\n{LAST}", BATCH, "[mismatch]"),
    "few_programs": ("[(num_tokens, num", "[(min(num_tokens, 40), num", LONG, "[uninitialised]"),
    "the_original": (LAST, LAST, LONG, ""),
}
WRONG_WRITES = {
    "ignored_padding": ("    if slot_idx < 0:\n        return\n", "", EQUALS, "[wrote_outside]"),
    "swapped_caches": (CACHES, "        value_cache,\n        key_cache,\n", EQUALS, "[mismatch]"),
    "half_the_heads": (
        "triton.cdiv(num_heads, HEAD_BLOCK)",
        "max(1, num_heads // 2 // HEAD_BLOCK)",
        EQUALS,
        "[mismatch]",
    ),
    "contiguous_only": ("        key.stride(0),", "        num_heads * head_size,", EQUALS, "[mismatch]"),
    "written_mapping": (SLOT, f"{SLOT}    tl.store(slot_mapping_ptr, 5)\n", UNTOUCHED, "[mutated_input]"),
    "the_original": (SLOT, SLOT, EQUALS, ""),
}
WRONG_SCALES = {
    "own_stride": ("x, w, out, x.stride(0), columns", "x, w, out, columns, columns", LAYOUT, "[mismatch]"),
    "no_assert": ("    assert x.stride(-1) == 1", "    assert True", REFUSAL, "[mismatch]"),
    "another_error": ("raise ValueError", "raise TypeError", REFUSAL, "[mismatch]"),
    "one_type": ("    rows, columns", "    assert w.dtype == torch.float32\n    rows, columns", TYPE, "[mismatch]"),
    "no_empty_batch": ("    rows, columns", "    assert len(x) > 0\n    rows, columns", SIZE, "[mismatch]"),
    "half_precision": ("(x * w).to", "(x * w).to(tl.bfloat16).to", TRUTH, "[less_accurate]"),
    "clipped": ("(x * w).to", "(tl.minimum(x, 1e4) * w).to", VALUES, "[mismatch]"),
    "the_original": ("    rows, columns", "    rows, columns", LAYOUT, ""),
}


def verdicts(folder: Path, asked: dict[str, str]) -> dict[str, str]:
    """The code of each candidate's failure by the property that it is asked for."""
    finished = run_with_torch(
        [sys.executable, HERE / "cases" / "judged.py", folder],
        timeout_s=200,
        env=clean_environment({"KMAINT_PROFILE": "gate", "KMAINT_SEED": "7"}),
        stdin=json.dumps(asked),
    )
    assert finished.code == 0, finished.stderr
    return {name: told.partition(" ")[0] for name, told in json.loads(finished.stdout).items()}


@pytest.mark.parametrize(
    ("name", "candidates"),
    [("merge_state", WRONG_MERGES), ("reshape_and_cache", WRONG_WRITES), ("scale", WRONG_SCALES)],
    ids=["merge", "write", "scale"],
)
def test_each_wrong_candidate_fails_its_property_with_its_code(
    name: str, candidates: dict[str, tuple[str, str, str, str]], request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue(name)
    source = (folder / "kernel.py").read_text()
    for candidate, (old, new, _, _) in candidates.items():
        assert old in source
        (folder / f"{candidate}.py").write_text(source.replace(old, new))
    asked = {f"{candidate}.py": held for candidate, (_, _, held, _) in candidates.items()}
    codes = {Path(name).stem: code for name, code in verdicts(folder, asked).items()}
    assert codes == {candidate: code for candidate, (_, _, _, code) in candidates.items()}


@pytest.mark.parametrize(
    ("line", "first", "then"),
    [
        (
            "os.abort()",
            "[signal] its process ended by SIGABRT on Case(",
            "[not_run] not run any more: its process ended",
        ),
        (
            "time.sleep(600)",
            "[timeout] no answer within 12 s for Case(",
            "[not_run] not run any more: no answer within 12",
        ),
        (
            "return output",
            "[mismatch] gives back ['argument prefix_lse'",
            "[aliased_output] gives back ['argument prefix",
        ),
    ],
    ids=["aborts", "hangs", "returns less"],
)
def test_a_candidate_in_its_own_process_fails_the_suite_in_words(
    merge_state: Path, line: str, first: str, then: str
) -> None:
    candidate, report = merge_state / "lost.py", merge_state / "junit.xml"
    source = (merge_state / "kernel.py").read_text().replace(LAST, f"    {line}\n{LAST}")
    candidate.write_text(source.replace("import torch\n", "import os\nimport time\nimport torch\n", 1))
    only = ["-k", f"{EQUALS} or {OUTLIVE}", f"--junitxml={report}"]
    finished = pytest_in(
        merge_state, *only, KMAINT_CANDIDATE=str(candidate), KMAINT_CALL_LIMIT_S="12" if "sleep" in line else "60"
    )
    assert finished.code == 1, finished.stdout
    messages = [failure.get("message", "").splitlines()[0] for failure in ElementTree.parse(report).iter("failure")]
    assert [first in messages[0], then in messages[1]] == [True, True], messages


def test_a_candidate_that_counts_in_32_bits_is_caught_by_entries_far_apart(scale: Path) -> None:
    candidate = scale / "short.py"
    candidate.write_text((scale / "kernel.py").read_text().replace("program_id(0).to(tl.int64)", "program_id(0)"))
    finished = pytest_in(scale, "-k", LAYOUT, KMAINT_CANDIDATE=str(candidate))
    assert re.search(r"\[(signal|mismatch)\] .*far x", finished.stdout), finished.stdout


ROUGH = ("p_scale", "s_scale")
"""Weights that the imprecise original rounds to the type of its outputs, as attention kernels do."""
TRUE = ", truth=partial(truth, case)"


@pytest.mark.slow
def test_an_exact_candidate_passes_beside_an_imprecise_original(merge_state: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(merge_state, tmp_path / "merge_state")
    source, suite = (folder / "kernel.py").read_text(), (folder / "test_kernel.py").read_text()
    (folder / "exact.py").write_text(source)
    (folder / "wrong.py").write_text(source.replace("p_scale + s_out", "p_scale * 1.05 + s_out"))
    rounded = ("\n".join(f"    {name} = {name}.to(output.dtype.element_ty).to(tl.float32)" for name in ROUGH)) + "\n"
    line = next(line for line in source.splitlines(keepends=True) if "p_out * p_scale" in line)
    (folder / "kernel.py").write_text(source.replace(line, rounded + line))
    assert verdicts(folder, {"exact.py": EQUALS, "wrong.py": EQUALS}) == {"exact.py": "", "wrong.py": "[mismatch]"}
    assert TRUE in suite
    (folder / "test_kernel.py").write_text(suite.replace(TRUE, ""))
    assert verdicts(folder, {"exact.py": EQUALS}) == {"exact.py": "[mismatch]"}
