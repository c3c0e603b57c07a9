"""Answers to plans and whole sources: what cannot be applied is said in words that mend it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from kmaint import wire
from kmaint.agent.kinds import Kind, why_not
from kmaint.agent.models import InvalidAnswer
from kmaint.agent.roles.answers import Change, CodeAnswer, NewRegion, PlanAnswer
from kmaint.evaluate.rungs.lint import frame_changed
from kmaint.folder import END, MARKER
from kmaint.records.evaluation import Plan


def plan_of(answer: PlanAnswer, source: str, excluded: Mapping[Kind, str]) -> Plan:
    """The plan, if its span lies in the source and touches what may be edited, and it is of no excluded kind.

    `excluded` says of each such kind why it is. InvalidAnswer says what is wrong.
    """
    if why := why_not(answer.kind, excluded):
        raise InvalidAnswer(f"{answer.edit!r} is an edit of the kind {why}; name one of another kind")
    first, last, lines = answer.first_line, answer.last_line, len(source.splitlines())
    if not first <= last <= lines:
        raise InvalidAnswer(f"lines {first} to {last} are no span of a source of {lines} lines")
    spans = region_lines(source)
    if spans and not any(first <= end and last >= start for start, end in spans.values()):
        raise InvalidAnswer(f"lines {first} to {last} lie outside every region: {_listed(source)} may be edited")
    return Plan(bottleneck=answer.bottleneck, edit=answer.edit, why=answer.why, anchor=(first, last))


def source_of(answer: CodeAnswer, base: str, judged: Collection[str]) -> str:
    """The base with the answer applied: a whole kernel.py that was not judged yet and differs inside regions only."""
    if bool(answer.changes) == bool(answer.regions):
        raise InvalidAnswer("give either changes or regions, and at least one of them")
    source = base
    for change in answer.changes:
        source = _changed(source, change)
    for region in answer.regions:
        source = _with_region(source, region)
    if source == base:
        raise InvalidAnswer("the source is as it was: nothing changed")
    if changed := frame_changed(base, source):
        raise InvalidAnswer(f"{changed}; only what lies between region markers may differ")
    if wire.digest(source) in judged:
        raise InvalidAnswer("this very source was judged before in this run: do something else")
    return source


def region_lines(source: str) -> dict[str, tuple[int, int]]:
    """First and last line of each region, its markers left out, by the symbol that the marker names."""
    spans: dict[str, tuple[int, int]] = {}
    symbol, start = "", 0
    for number, line in enumerate(source.splitlines(), start=1):
        if found := MARKER.match(line):
            symbol, start = found["symbol"], number + 1
        elif line == END and symbol:
            spans[symbol], symbol = (start, number - 1), ""
    return spans


def _listed(source: str) -> str:
    return ", ".join(f"{symbol} (lines {start} to {end})" for symbol, (start, end) in region_lines(source).items())


def _changed(source: str, change: Change) -> str:
    found = source.count(change.old)
    if found != 1:
        start = change.old.strip().splitlines()[0] if change.old.strip() else change.old
        raise InvalidAnswer(f"the old text that begins with {start!r} stands in the source {found} times, not once")
    return source.replace(change.old, change.new)


def _with_region(source: str, region: NewRegion) -> str:
    spans = region_lines(source)
    if region.symbol not in spans:
        raise InvalidAnswer(f"there is no region {region.symbol!r}: there are {', '.join(spans) or 'none'}")
    start, end = spans[region.symbol]
    lines = source.splitlines(keepends=True)
    text = region.text if region.text.endswith("\n") else f"{region.text}\n"
    return "".join([*lines[: start - 1], text, *lines[end:]])
