"""From answers to plans and sources: what cannot be applied is said so that it can be mended."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmaint import wire
from kmaint.agent.kinds import CROWDED, Kind, Named
from kmaint.agent.models import InvalidAnswer
from kmaint.agent.roles.answers import Change, CodeAnswer, NewRegion, PlanAnswer
from kmaint.agent.roles.applying import plan_of, region_lines, source_of
from kmaint.evaluate.rungs.lint import frame_changed
from tests.agent.conftest import CASES

SOURCE = (CASES / "merge_state" / "kernel.py").read_text()
KERNEL_LINES, LAUNCHER_LINES = region_lines(SOURCE).values()


def plan(first: int, last: int, edit: str = "wider loads", kind: Named | None = None) -> PlanAnswer:
    return PlanAnswer(
        bottleneck="latency", edit=edit, kind=kind, why="two rows a program", first_line=first, last_line=last
    )


def changing(old: str, new: str) -> CodeAnswer:
    return CodeAnswer(changes=(Change(old=old, new=new),))


def test_regions_are_found_by_their_symbols_without_their_markers() -> None:
    lines = SOURCE.splitlines()
    assert list(region_lines(SOURCE)) == ["merge_state_kernel", "merge_state_triton"]
    assert lines[KERNEL_LINES[0] - 1] == "@triton.jit"
    assert lines[LAUNCHER_LINES[1] - 1] == "    return output, output_lse"


def test_a_plan_keeps_its_span() -> None:
    found = plan_of(plan(30, 33), SOURCE, {"tiling": "it spills"})
    assert (found.bottleneck, found.edit, found.anchor) == ("latency", "wider loads", (30, 33))


@pytest.mark.parametrize(
    ("first", "last", "reason"),
    [
        (9, 3, r"lines 9 to 3 are no span of a source of \d+ lines"),
        (1, 9999, r"lines 1 to 9999 are no span of a source of \d+ lines"),
        (1, 3, r"lines 1 to 3 lie outside every region: merge_state_kernel \(lines \d+ to \d+\), .* may be edited"),
    ],
)
def test_a_span_that_is_none_goes_back(first: int, last: int, reason: str) -> None:
    with pytest.raises(InvalidAnswer) as error:
        plan_of(plan(first, last), SOURCE, {})
    assert re.fullmatch(reason, str(error.value))


def test_a_plan_of_a_kind_that_is_ruled_out_goes_back_with_the_reason() -> None:
    with pytest.raises(InvalidAnswer) as error:
        plan_of(plan(30, 33, kind="access"), SOURCE, {"access": "bound by arithmetic"})
    assert str(error.value) == (
        "'wider loads' is an edit of the kind access, which the profile rules out: bound by arithmetic; "
        "name one of another kind"
    )


@pytest.mark.parametrize(
    ("edit", "kind"),
    [
        ("use exp2 instead of exp before the store", "arithmetic"),
        ("skip the rows that are padding, so fewer bytes move", "passes"),
        ("wider loads", None),
    ],
)
def test_a_plan_is_held_to_the_kind_that_it_names_and_to_no_words(edit: str, kind: Named | None) -> None:
    excluded: dict[Kind, str] = {"access": "bound by arithmetic", "tiling": "at the roofline"}
    assert plan_of(plan(30, 33, edit, kind), SOURCE, excluded).edit == edit


def test_a_crowded_program_is_not_asked_to_hold_more_whatever_words_it_is_in() -> None:
    with pytest.raises(InvalidAnswer, match="is an edit of the kind tiling"):
        plan_of(plan(30, 33, "unroll the reduction loop by 4", "tiling"), SOURCE, {"tiling": CROWDED})


def test_changes_and_whole_regions_come_to_the_same() -> None:
    old, new = "tl.exp(p_lse) / out_se", "tl.exp(p_lse) * (1.0 / out_se)"
    by_change = source_of(changing(old, new), SOURCE, set())
    start, end = KERNEL_LINES
    text = "\n".join(SOURCE.splitlines()[start - 1 : end]).replace(old, new)
    by_region = source_of(CodeAnswer(regions=(NewRegion(symbol="merge_state_kernel", text=text),)), SOURCE, set())
    assert by_change == by_region == SOURCE.replace(old, new)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (CodeAnswer(), "give either changes or regions, and at least one of them"),
        (changing("no such text", "x"), "the old text that begins with 'no such text' stands in the source 0 times"),
        (
            changing("num_heads", "x"),
            "the old text that begins with 'num_heads' stands in the source 7 times, not once",
        ),
        (changing("tl.exp(p_lse) / out_se", "tl.exp(p_lse) / out_se"), "the source is as it was: nothing changed"),
        (changing("import torch\n", "import torch, os\n"), "only what lies between region markers may differ"),
        (changing("8-63 merge_state_kernel", "8-63 other"), "region merge_state_kernel: its markers are gone"),
        (
            CodeAnswer(regions=(NewRegion(symbol="merge", text="x = 1\n"),)),
            "there is no region 'merge': there are merge_state_kernel, merge_state_triton",
        ),
        (
            CodeAnswer(regions=(NewRegion(symbol="merge_state_triton", text="# endregion\nimport os\n"),)),
            "only what lies between region markers may differ",
        ),
    ],
)
def test_an_answer_that_cannot_be_applied_goes_back(answer: CodeAnswer, reason: str) -> None:
    with pytest.raises(InvalidAnswer) as error:
        source_of(answer, SOURCE, set())
    assert reason in str(error.value)


def test_what_was_judged_before_goes_back() -> None:
    answer = changing("tl.exp(p_lse) / out_se", "tl.exp(p_lse) * (1.0 / out_se)")
    source = source_of(answer, SOURCE, set())
    with pytest.raises(InvalidAnswer) as error:
        source_of(answer, SOURCE, {wire.digest(source)})
    assert str(error.value) == "this very source was judged before in this run: do something else"


pieces = st.text("ab#\n ", max_size=30) | st.sampled_from(["# endregion\n", "# region a.py:1-2 f\n", "import os\n"])


@given(st.sampled_from(["merge_state_kernel", "merge_state_triton"]), st.lists(pieces, max_size=4).map("".join))
def test_whatever_a_region_is_given_the_frame_stays(symbol: str, text: str) -> None:
    if not text:
        return
    try:
        source = source_of(CodeAnswer(regions=(NewRegion(symbol=symbol, text=text),)), SOURCE, set())
    except InvalidAnswer:
        return
    assert frame_changed(SOURCE, source) == ""
    assert source != SOURCE
