import argparse
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.campaign.kernels import Entry
from benchmarks.campaign.recorded import Recorded
from benchmarks.campaign.running import Job
from benchmarks.campaign.side_by_side import command, run_all, shared, split
from kmaint import wire
from kmaint.config import load_config
from kmaint.records.harness import Harness


@given(st.sets(st.integers(0, 255), min_size=1, max_size=64), st.integers(1, 32))
def test_every_run_has_cores_and_no_two_the_same_where_there_are_enough(cores: set[int], parts: int) -> None:
    shares = [[int(core) for core in share.split(",")] for share in split(sorted(cores), parts)]
    assert len(shares) == parts
    assert {core for share in shares for core in share} == cores
    if len(cores) >= parts:
        assert sum(map(len, shares)) == len(cores)
        assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert all(shares)


@given(st.integers(1, 32), st.lists(st.uuids().map(str), max_size=4, unique=True))
def test_runs_are_spread_over_the_gpus(parts: int, gpus: list[str]) -> None:
    named = [share.variables.get("CUDA_VISIBLE_DEVICES") for share in shared(list(range(32)), parts, gpus)]
    assert [share.cores for share in shared(list(range(32)), parts, gpus)] == split(list(range(32)), parts)
    counts = [named.count(gpu) for gpu in gpus]
    assert sum(counts) == (parts if gpus else 0)
    assert not gpus or max(counts) - min(counts) <= 1


def test_one_job_is_asked_for_by_the_words_of_the_whole(mrope: Recorded, tmp_path: Path) -> None:
    harness = wire.load(Harness, mrope.harness)
    job = Job(
        entry=Entry(id=mrope.run.kernel, release=mrope.release, family="rotary", hot_path=True, why=""),
        harness=harness,
        way="builtin",
        out=tmp_path / "out.json",
        config=load_config(provider="builtin"),
    )
    given = {"minutes": 2.5, "candidates": 3, "device": "auto", "shipped": [Path("a"), Path("b")], "once": True}
    options = argparse.Namespace(folder=tmp_path, out=tmp_path / "out", **given)
    words = " ".join(command(job, options, "0,1"))
    assert words.partition("benchmarks.campaign ")[2] == (
        f"run {tmp_path} {tmp_path / 'out'} --only {harness.folder.name} --provider builtin --cores 0,1"
        " --minutes 2.5 --candidates 3 --device auto --shipped a b --once"
    )


def test_nothing_to_do_is_done(tmp_path: Path) -> None:
    options = argparse.Namespace(
        folder=tmp_path, out=tmp_path / "out", parallel=3, only="", provider=None, device="none"
    )
    assert run_all(options) == 0
