import argparse
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.campaign import recorded, running
from benchmarks.campaign.kernels import Entry
from benchmarks.campaign.recorded import Recorded
from benchmarks.campaign.running import Job, is_done
from kmaint import wire
from kmaint.config import load_config
from kmaint.records.harness import Harness


@pytest.fixture
def job(mrope: Recorded, tmp_path: Path) -> Job:
    """The run of the fixture, written where its job writes, with its winner as a candidate at hand."""
    files = tmp_path / "files"
    files.mkdir()
    assert mrope.run.winner is not None
    (files / "first.py").write_text(mrope.run.winner.candidate.source)
    out, harness = tmp_path / "out.json", wire.load(Harness, mrope.harness)
    recorded.write(out, replace(mrope, harness={**wire.dump(harness), "folder": harness.folder.name}))
    return Job(
        entry=Entry(id=mrope.run.kernel, release=mrope.release, family="rotary", hot_path=True, why=""),
        harness=harness,
        way="handoff",
        out=out,
        config=load_config(provider="handoff", device="auto"),
        files=(files / "first.py",),
    )


def test_what_is_written_is_read_back(job: Job, mrope: Recorded) -> None:
    again = recorded.read(job.out)
    assert again is not None
    assert again.run.evaluations == mrope.run.evaluations
    assert (again.spent, again.again, again.shipped) == (None, None, None)


def test_a_run_is_done_until_a_candidate_joins_it(job: Job) -> None:
    assert is_done(job)
    (another := job.files[0].with_name("second.py")).write_text("# another\n")
    assert not is_done(replace(job, files=(*job.files, another)))


def test_a_run_of_another_harness_is_done_again(job: Job) -> None:
    other = Harness(**{**vars(job.harness), "entry": "another"})
    assert not is_done(Job(**{**vars(job), "harness": other}))
    assert not is_done(Job(**{**vars(job), "out": job.out.with_name("none.json")}))


def test_a_folder_that_holds_nothing_ready_has_no_jobs(tmp_path: Path) -> None:
    options = argparse.Namespace(folder=tmp_path, out=tmp_path, only="", provider=None, cores=None)
    assert list(running.jobs(options)) == []
    assert running.run(options) == 0
