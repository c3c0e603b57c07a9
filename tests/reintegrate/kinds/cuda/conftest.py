"""Trees with three operators in CUDA C++, their harnesses, and the campaign's winners over them."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import testgen
from benchmarks.campaign.kernels import HOME
from benchmarks.campaign.recorded import read
from extract.cuda import extract_op, read_ops
from extract.tree import locate, open_tree
from kmaint.folder import read_harness
from kmaint.records.evaluation import Evaluation, Passed
from kmaint.records.timing import Interval
from reintegrate.kinds.win import Win
from tests.reintegrate.wins import evaluation

TREES = Path(__file__).parents[3] / "extract" / "cuda" / "cases"
OVER = Path(__file__).parents[2] / "cases" / "cuda_host"
SGLANG_WINNER = HOME / "handoff" / "sglang-fused-add-rmsnorm-cuda" / "one-barrier-when-few.cuh"
OPERATORS = ("rotary_embedding", "silu_and_mul", "fused_add_rmsnorm")


@dataclass(frozen=True)
class Landable:
    """A winner and the tree that it is for; `original` is the kernel's file there."""

    win: Win
    tree: Path

    @property
    def path(self) -> Path:
        return self.tree / self.win.harness.provenance.path

    @property
    def original(self) -> str:
        return self.path.read_text()

    def with_source(self, *edits: tuple[str, str]) -> Win:
        """The win with another winner: this one after replacements."""
        source = self.win.source
        for before, after in edits:
            assert before in source
            source = source.replace(before, after)
        candidate = replace(self.win.evaluation.candidate, source=source)
        return replace(self.win, evaluation=replace(self.win.evaluation, candidate=candidate))


def losing(won: Evaluation, lost: Callable[[str], bool]) -> Evaluation:
    """The evaluation as if it lost on these workloads, and won on all others."""
    assert isinstance(won.verdict, Passed) and won.verdict.timing
    timed = tuple(
        replace(one, speedup=Interval(ratio=0.9, low=0.89, high=0.91))
        if lost(one.workload)
        else replace(one, speedup=Interval(ratio=1.25, low=1.2, high=1.3))
        for one in won.verdict.timing.workloads
    )
    return replace(won, verdict=replace(won.verdict, timing=replace(won.verdict.timing, workloads=timed)))


@pytest.fixture(scope="session")
def landable(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Landable]:
    """By the operator's name; as if it lost wherever there are 4,096 tokens."""
    known: dict[str, Landable] = {}

    def made(name: str) -> Landable:
        if name not in known:
            known[name] = _landable(name, tmp_path_factory.mktemp(name))
        return known[name]

    return made


def _landable(name: str, folder: Path) -> Landable:
    framework = "sglang" if name == "fused_add_rmsnorm" else "vllm"
    tree = Path(shutil.copytree(TREES / framework, folder / "tree"))
    shutil.copytree(OVER / framework, tree, dirs_exist_ok=True)
    (operator,) = [op for op in read_ops(locate(tree)) if op.name == name]
    ended = extract_op(locate(tree), open_tree(tree), operator, folder, testgen.write_suite)
    assert ended.folder is not None
    harness = read_harness(ended.folder)
    if framework == "sglang":
        ratios = dict.fromkeys((one.name for one in harness.contract.timed), 1.25)
        won = evaluation(SGLANG_WINNER.read_text(), ratios)
        won = replace(won, environment=replace(won.environment, cuda="13.0"))
    else:
        recorded = read(HOME / f"vllm-{name.replace('_', '-')}-cuda" / "handoff.json")
        assert recorded is not None and recorded.run.winner is not None
        won = recorded.run.winner
    return Landable(Win(harness=harness, evaluation=losing(won, lambda one: "num_tokens4096" in one)), tree)
