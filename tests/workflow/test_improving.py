"""A run of a kernel at the roofline: it ends with that, unless somebody hands a candidate in."""

from __future__ import annotations

from pathlib import Path

import pytest

from kmaint import wire
from kmaint.config import Config, load_config
from kmaint.console import NO, Format
from kmaint.folder import KERNEL
from kmaint.records.evaluation import Profile
from kmaint.records.harness import Harness
from kmaint.records.run import Run
from kmaint.show import runs as show
from kmaint.store import Store
from kmaint.workflow import list_runs, next_request, optimize, request_of, submit, write_reports
from tests.merged import harness_in
from tests.workflow.test_handing import BROKEN, OLD

WHY = "the original runs at 91% of the roofline, at 88% on the workload that is furthest from it"
BASELINE = Profile(
    bottleneck="memory",
    estimated=False,
    resources=(),
    roofline_fraction=0.91,
    next_step="leave it: it runs at 91% of the roofline",
    least_fraction=0.88,
)


def quiet(_text: str) -> None:
    pass


@pytest.fixture
def merge(tmp_path: Path) -> Harness:
    return harness_in(tmp_path / "harness")


def timed_before(harness: Harness, config: Config) -> Run:
    """A run that has its baseline from a GPU; where none is, it was stopped before it took one of its own."""

    def stop(text: str) -> None:
        if text.endswith("0 verdicts so far"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        optimize(harness, config, stop)
    with Store(config.state) as store:
        (begun,) = store.runs()
        store.note(begun.id, "baseline", wire.dump(BASELINE))
    return begun


def test_a_run_at_the_roofline_ends_with_that_until_a_candidate_is_handed_in(
    merge: Harness, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = load_config(state=tmp_path / "state", provider="handoff", device="none")
    begun = timed_before(merge, config)
    found = optimize(merge, config, quiet)
    assert (found.id, found.state, found.evaluations, found.best) == (begun.id, "at_roofline", (), None)
    assert request_of(found, config) is None, "nobody was asked"
    with Store(config.state) as store:
        said = [event.payload for event in store.events(found.id) if event.kind == "left"]
    assert said == [{"reason": WHY, "candidates": 0}]
    assert next_request(found.id, config, quiet).state == "at_roofline"

    assert show.run(found, Format.TABLE) == NO
    show.runs(list_runs(config), Format.TABLE)
    printed = capsys.readouterr().out
    assert printed.startswith(f"run {found.id}: at_roofline, so no candidate was tried: {WHY}\n")
    assert printed.count("the original runs at 91% of the roofline") == 2

    page, text = write_reports(found, config, None)
    assert "At the roofline: leave it as it is" in page.read_text()
    assert WHY in page.read_text()
    assert "wins" not in text.read_text()

    file = tmp_path / KERNEL
    file.write_text((merge.folder / KERNEL).read_text().replace(OLD, BROKEN))
    after, (judged,) = submit(found.id, file, None, config, quiet)
    assert (judged.verdict.kind, after.state, len(after.evaluations)) == ("not_built", "running", 1)
    assert request_of(after, config) is not None, "and what is asked next is to mend it"


def test_files_of_a_folder_are_tried_at_the_roofline_too(merge: Harness, tmp_path: Path) -> None:
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    (scripts / "broken.py").write_text((merge.folder / KERNEL).read_text().replace(OLD, BROKEN))
    config = load_config(state=tmp_path / "state", provider="scripted", scripted=scripts, device="none")
    begun = timed_before(merge, config)
    found = optimize(merge, config, quiet)
    assert [one.verdict.kind for one in found.evaluations] == ["not_built"]
    assert (found.id, found.state) == (begun.id, "no_win")
