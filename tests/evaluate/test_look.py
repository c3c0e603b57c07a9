"""A first look: what it says, what is not believed of it, and that what it leaves behind is not what is judged."""

from __future__ import annotations

import itertools
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmaint.evaluate import Bench
from kmaint.evaluate.climbing import Climb
from kmaint.evaluate.gate import apart, check, first_look, rungs_for
from kmaint.evaluate.look import Look, Seen, look, looked
from kmaint.evaluate.screen import Rough, sound
from kmaint.folder import read_harness
from kmaint.records.evaluation import Candidate, Evaluation, Rejection, Slower, Wrong
from kmaint.records.harness import Harness
from kmaint.records.timing import Interval

DRY = Rough(rounds=5, sets=1, best=3, clock="wall")
CALL = "    merge_state_kernel["


def shown(ratio: float, low: float, high: float, most: float, least: float = 1.0) -> Look:
    return Look(speedup=Interval(ratio=ratio, low=low, high=high), least=least, most=most)


def test_no_win_can_come_of_what_neither_gains_over_all_nor_much_anywhere() -> None:
    assert shown(0.99, 0.98, 1.0, 1.02).hopeless == "0.99x (0.98 to 1.00) by a first look, and a win is more than 1.01x"
    assert not shown(1.0, 0.98, 1.02, 1.02).hopeless  # nobody can tell
    assert not shown(0.6, 0.5, 0.7, 1.3).hopeless  # a dispatch table may have it
    assert not shown(1.5, 1.4, 1.6, 2.0).hopeless


def test_what_loses_somewhere_is_no_win_as_it_stands() -> None:
    assert not shown(1.5, 1.4, 1.6, 2.0, least=0.97).no_win  # a look is off by as much
    text = "1.50x (1.40 to 1.60) by a first look, and 0.90x on the workload that gains least"
    assert shown(1.5, 1.4, 1.6, 2.0, least=0.9).no_win == text


def test_what_gains_only_with_a_dispatch_table_is_no_win_as_it_stands() -> None:
    assert shown(0.99, 0.98, 1.0, 1.3).no_win == "0.99x (0.98 to 1.00) by a first look, and a win is more than 1.01x"
    assert not shown(1.0, 0.98, 1.02, 1.3).no_win  # nobody can tell


HARNESS = read_harness(Path(__file__).parent / "cases" / "merge_state")
NAMES = [one.name for one in HARNESS.contract.timed]


@given(st.floats(0.5, 2.0), st.integers(1, 12))
def test_equal_rounds_leave_no_doubt(ratio: float, rounds: int) -> None:
    given = {name: [ratio] * rounds for name in NAMES}
    found = looked(HARNESS, sound(given, HARNESS, Rough(rounds=rounds, sets=1)))
    assert [found.speedup.ratio, found.speedup.low, found.speedup.high, found.least, found.most] == pytest.approx(
        [ratio] * 5
    )


@pytest.mark.parametrize(
    "given",
    [
        {},
        {name: [1.0, 1.0] for name in NAMES[1:]},
        {**{name: [1.0, 1.0] for name in NAMES}, "another": [9.0, 9.0]},
        *({name: [1.0, bad] for name in NAMES} for bad in (0.0, -1.0, math.inf, math.nan, "1", None)),
        {name: [1.0] for name in NAMES},
        dict.fromkeys(NAMES, 1.0),
        None,
        "fast",
    ],
)
def test_what_is_no_answer_to_what_was_asked_is_none(given: Any) -> None:
    assert sound(given, HARNESS, Rough(rounds=2, sets=1)) == {}


def test_of_times_beside_others_only_the_best_are_asked_for() -> None:
    three = {name: [1.0, 1.1, 1.2] for name in NAMES}
    assert sound(three, HARNESS, Rough(rounds=12, sets=1, best=3)) == three
    assert sound(three, HARNESS, Rough(rounds=12, sets=1)) == {}


ANSWERS = """\
    import os
    for number in range(3, 64):
        try:
            os.write(number, b'{"event": "done", "item": 0, "value": {"differs": ""}}\\n' * 4)
        except OSError:
            pass
"""


@pytest.fixture(scope="session")
def slow(source: str) -> str:
    assert source.count(CALL) == 1
    return source.replace(CALL, f"    import time\n    time.sleep(0.2)\n{CALL}")


def test_a_dry_run_of_what_a_gpu_does(harness: Harness, source: str, slow: str, bench: Bench, tmp_path: Path) -> None:
    """The interpreter instead of the device, a host's clock instead of its own."""
    texts = {
        "same": source,
        "slow": slow,
        "wrong": source.replace("    return output, output_lse", "    return output + 1, output_lse"),
        "fails": source.replace(CALL, f"    raise KeyError('no key')\n{CALL}"),
        "answers": source.replace(CALL, ANSWERS + CALL),
        "ends": source.replace(CALL, f"    import os\n    os._exit(3)\n{CALL}"),
    }
    texts["rounds"] = source.replace("    return output, output_lse", "    return output * 1.05, output_lse")
    found: dict[str, Look | Rejection | str] = {}
    for name, text in texts.items():
        file = tmp_path / f"{name}.py"
        file.write_text(text)
        found[name] = look(harness, file, bench, tmp_path, DRY)
    same, late = found["same"], found["slow"]
    assert isinstance(same, Look) and isinstance(late, Look)
    assert late.speedup.ratio < 0.9 * same.speedup.ratio
    wrong = found["wrong"]
    assert isinstance(wrong, Wrong)
    assert wrong.reason.endswith("its output is not the original's, by a first look")
    assert str(found["rounds"]).endswith("its output is not the original's"), "for the suites to say"
    assert found["answers"] == "gives no times, or others than were asked for"
    assert found["fails"] == "KeyError: 'no key'"
    assert found["ends"] == "its process ended with exit status 3"


def test_where_the_original_does_not_agree_with_itself_nobody_is_plainly_wrong(
    harness: Harness, source: str, bench: Bench, tmp_path: Path
) -> None:
    folder = tmp_path / "random"
    shutil.copytree(harness.folder, folder, symlinks=True)
    returned = "    return output, output_lse"
    (folder / "kernel.py").write_text(source.replace(returned, "    return torch.randn_like(output), output_lse"))
    file = tmp_path / "wrong.py"
    file.write_text(source.replace(returned, "    return output + 9, output_lse"))
    found = look(read_harness(folder), file, bench, tmp_path, DRY)
    assert isinstance(found, str)
    assert found.endswith("its output is not the original's")


def test_what_looks_slower_is_judged_no_further(
    harness: Harness, slow: str, bench: Bench, propose: Callable[[str], Candidate]
) -> None:
    found = first_look(harness, propose(slow), bench, DRY)
    assert isinstance(found, Evaluation)
    assert isinstance(found.verdict, Slower)
    assert [(rung.name, rung.passed) for rung in found.rungs] == [("lint", True), ("compile", True), ("look", False)]


def test_what_is_plainly_wrong_at_a_look_can_climb_on(
    harness: Harness, source: str, bench: Bench, propose: Callable[[str], Candidate]
) -> None:
    wrong = source.replace("    return output, output_lse", "    return output + 1, output_lse")
    seen = first_look(harness, propose(wrong), bench, DRY)
    assert isinstance(seen, Seen)
    assert seen.look is None
    assert isinstance(seen.wrong, Wrong)
    assert seen.rungs[-1].detail == f"goes on: {seen.wrong.reason}"
    found = check(harness, propose(wrong), bench, seen=seen)
    assert found.verdict.kind == "wrong"
    assert [rung.name for rung in found.rungs][:4] == ["lint", "compile", "look", "integrity"]
    assert found.rungs[:3] == seen.rungs  # built once


SWAP = """\
    import sys
    if "workers.screening" in sys.modules:
        with open(__file__, "w") as own:
            own.write("# swapped")
"""


def test_who_writes_another_file_where_he_is_looked_at_is_judged_by_what_he_gave(
    harness: Harness, source: str, bench: Bench, propose: Callable[[str], Candidate]
) -> None:
    swapping = source.replace(CALL, SWAP + CALL)
    wrong = propose(swapping.replace("    return output, output_lse", "    return output + 1, output_lse"))
    seen = first_look(harness, wrong, bench, DRY)
    assert isinstance(seen, Seen)
    assert check(harness, wrong, bench, seen=seen).verdict.kind == "wrong"


@pytest.mark.parametrize("device", ["cuda", "none"])
def test_what_looks_like_a_win_is_timed_beside_the_suites(
    harness: Harness, bench: Bench, device: Literal["cuda", "none"]
) -> None:
    here = replace(bench, device=device)
    one, early = (
        [[name for name, _ in group] for group in rungs_for(harness, here, promising=p)] for p in (False, True)
    )
    assert list(itertools.chain(*one)) == list(itertools.chain(*early)), "all are climbed, and refuse in their order"
    assert [group for group in early if "time" in group] == [[*one[2], "time"]] * (device == "cuda")
    assert early[-1] == (["sanitizer", "profile"] if device == "cuda" else ["profile"])


def test_what_is_timed_is_not_the_file_that_is_judged(
    harness: Harness, bench: Bench, tmp_path: Path, propose: Callable[[str], Candidate]
) -> None:
    file = tmp_path / "candidate.py"
    file.write_text("honest = 1\n")
    (tmp_path / "triton").mkdir()
    (tmp_path / "triton" / "kernel").write_text("built")
    with apart(Climb(harness, propose("a"), bench, tmp_path, file)) as (scratch, own):
        assert own.read_text() == file.read_text()
        assert [one.name for one in scratch.iterdir()] == [own.name], "compiled of its source, where nobody wrote"
        own.write_text("swapped = 1\n")
    assert file.read_text() == "honest = 1\n"
    assert not scratch.exists()


def test_who_was_outrun_meanwhile_is_not_timed(
    harness: Harness, bench: Bench, tmp_path: Path, propose: Callable[[str], Candidate]
) -> None:
    on_gpu = dict(itertools.chain.from_iterable(rungs_for(harness, replace(bench, device="cuda"))))
    climb = Climb(harness, propose("a"), bench, tmp_path, tmp_path / "a.py", outrun=lambda: "b has won at 2.00x")
    assert on_gpu["time"](climb, bench) == (Slower(reason="b has won at 2.00x"), "")
