"""Mutants of a real kernel through a suite with one known hole, and what is kept of them."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kmaint import wire
from kmaint.errors import HarnessError, MissingError
from kmaint.evaluate.mutants import judging as module
from kmaint.evaluate.mutants.judging import Bed, Draws, judge_mutants, judged, open_bed, pass_the_original
from kmaint.evaluate.mutants.kept import KEPT, Kept
from kmaint.folder import read_harness
from kmaint.records.harness import Harness
from kmaint.records.mutation import Judged, Mutant
from testgen.mutation import drawn

SUITE = """
def test_smoke(pair):
    case = Case(T=1, H=1, D=80, DT="float32")
    check(differences(pair.original(case), pair.tested(case), interpreted=INTERPRETED))


def test_two_rows(pair):
    case = Case(T=2, H=2, D=80, DT="float32")
    check(differences(pair.original(case), pair.tested(case), interpreted=INTERPRETED))
"""
GRID, TWO_ROWS = "(num_tokens, num_query_heads)", "(min(num_tokens, 2), num_query_heads)"
LOAD = "        + head_arange,\n        mask=head_mask,\n    )\n    s_out"


def edit(harness: Harness, before: str, after: str) -> Mutant:
    text = (harness.folder / "kernel.py").read_text()
    assert text.count(before) == 1
    source = text.replace(before, after)
    return Mutant(id=wire.digest(source), operator="by hand", function="f", line=1, sentence=after, source=source)


@pytest.fixture(scope="module")
def holed(tmp_path_factory: pytest.TempPathFactory, harness: Harness) -> Harness:
    """merge_state with a suite that tries no more than two rows of one size and type."""
    folder = tmp_path_factory.mktemp("holed") / "merge_state"
    shutil.copytree(harness.folder, folder)
    given = (folder / "test_kernel.py").read_text()
    (folder / "test_kernel.py").write_text(given[: given.index('@pytest.mark.parametrize("dtype"')] + SUITE)
    return read_harness(folder)


@pytest.fixture(scope="module")
def bed(holed: Harness) -> Iterator[Bed]:
    with open_bed(holed, Path(sys.executable)) as opened:
        yield opened


@pytest.fixture(scope="module")
def draws(holed: Harness, bed: Bed) -> Draws:
    found = Draws(drawn(holed.contract, 18, 1))
    assert found.by(bed).calls == 18 and found.by(bed) is found.by(bed)
    return found


@pytest.mark.parametrize(
    ("before", "after", "state", "by", "codes", "reason"),
    [
        ("p_out * p_scale", "p_out * s_scale", "killed", "test_smoke", ("mismatch",), "return[0][0, 0, 0] is "),
        (GRID, "(1, num_query_heads)", "killed", "test_two_rows", ("uninitialised",), ""),
        ("num_tokens = output.shape[0]", "import os; os.abort()", "killed", "test_smoke", ("signal",), "its process"),
        ("p_scale = tl.exp", "p_scale = tl.expo", "not_built", "", (), "raises "),
        (GRID, TWO_ROWS, "survived", "", (), "return[0]"),
        (LOAD, LOAD.replace("mask=head_mask", "mask=None"), "unchanged", "", (), "the same bits as the original in 18"),
    ],
)
def test_a_mutant_is_killed_or_held_against_a_larger_draw(
    holed: Harness, bed: Bed, draws: Draws, before: str, after: str, state: str, by: str, codes: tuple[str], reason: str
) -> None:
    found = judged(bed, edit(holed, before, after), draws)
    assert (found.state, found.by, found.codes) == (state, by, codes)
    assert found.reason.startswith(reason) and found.reason


def test_a_survivor_says_on_which_case_it_differs(holed: Harness, bed: Bed, draws: Draws) -> None:
    found = judged(bed, edit(holed, GRID, TWO_ROWS), draws)
    assert re.fullmatch(r"return\[0\]\[2, 0, 0\] is nan, not .* elements differ, on Case\(T=[34], .*\)", found.reason)


def test_a_difference_within_the_tolerance_is_one_and_says_so(holed: Harness, bed: Bed, draws: Draws) -> None:
    found = judged(
        bed, edit(holed, "p_scale = tl.exp(p_lse) / out_se", "p_scale = tl.exp(p_lse) * (1 / out_se)"), draws
    )
    assert found.state == "rounding"
    assert found.reason.startswith("within what the suite allows in all 18 calls of a larger draw; return[0][")


def test_a_mutant_that_loops_for_ever_is_killed(
    holed: Harness, bed: Bed, draws: Draws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CALL_LIMIT_S", 1.0)
    endless = edit(holed, "num_tokens = output.shape[0]", "while True: pass")
    found = judged(bed, endless, draws)
    assert (found.state, found.codes) == ("killed", ("timeout",))
    assert found.reason.startswith("no answer within 1 s for Case(T=1")


def test_all_are_judged(holed: Harness) -> None:
    two = [edit(holed, "p_out * p_scale", f"p_out * {factor}") for factor in ("s_scale", "2")]
    cases = drawn(holed.contract, 2, 1)
    assert {one.state for one in judge_mutants(holed, two, cases, Path(sys.executable), jobs=1)} == {"killed"}


def test_a_suite_that_fails_on_the_original_is_an_error(holed: Harness, bed: Bed, tmp_path: Path) -> None:
    shutil.copytree(holed.folder, tmp_path / "failing")
    with (tmp_path / "failing" / "test_kernel.py").open("a") as file:
        file.write("\ndef test_never():\n    check(differences(None, None)) if False else check_fails()\n")
    failing = read_harness(tmp_path / "failing")
    with pytest.raises(HarnessError) as caught:
        pass_the_original(failing, Bed(failing, bed._zygote, Path(sys.executable)))
    assert "fails on the original: NameError: name 'check_fails' is not defined" in str(caught.value)


def test_no_mutants_need_no_interpreter(holed: Harness) -> None:
    assert list(judge_mutants(holed, [], [], Path("/nowhere/python"), jobs=2)) == []
    with pytest.raises(MissingError):
        list(judge_mutants(holed, [edit(holed, GRID, TWO_ROWS)], [], Path("/nowhere/python"), jobs=2))


def test_what_was_kept_is_found_as_long_as_the_suite_is_the_same(holed: Harness, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(holed.folder, tmp_path / "kept"))
    mutant = edit(holed, "p_out * p_scale", "p_out * 2")
    words = {name: value for name, value in vars(mutant).items() if name != "source"}
    ended = Judged(**words, state="killed", reason="it differs", by="test_smoke", codes=("mismatch",))
    Kept(folder).add(ended)
    with (folder / KEPT).open("a") as file:
        file.write('{"key": "cut sh')
    again = Kept(folder)
    again.add(replace(ended, id="other"))
    found = Kept(folder)
    assert found.find(mutant) == ended and found.find(replace(mutant, id="other")) == replace(ended, id="other")
    assert found.find(replace(mutant, id="unknown")) is None
    with (folder / "test_kernel.py").open("a") as file:
        file.write("\n")
    assert Kept(folder).find(mutant) is None
