"""A night's summary as Markdown: for a workflow's step summary, a mail, or a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kmaint.records.night import Changes, Night, Taken

MOST_LISTED = 40
"""Ids of each kind of change: a new release moves hundreds, and the record has all."""


def night_summary(night: Night) -> str:
    """What a maintainer reads in the morning: the steps, what changed, and what became of each kernel."""
    release = night.release
    what = f"{release.framework} {release.version or ''}".strip() if release else night.framework
    commit = f" at `{release.commit[:12]}`" if release and release.commit else ""
    lines = [f"## kmaint nightly: {what}{commit}", "", "| step | | | s |", "| --- | --- | --- | ---: |"]
    lines += [f"| {step.name} | {step.state} | {_cell(step.said)} | {step.seconds:.0f} |" for step in night.steps]
    if night.taken:
        lines += ["", *_kernels(night.taken)]
    if night.changes and night.changes.any:
        lines += ["", *_changes(night.changes)]
    return "\n".join(lines) + "\n"


def _kernels(taken: Sequence[Taken]) -> Iterator[str]:
    yield from ("| kernel | | speedup | branch | |", "| --- | --- | ---: | --- | --- |")
    for one in taken:
        ratio = f"{one.ratio:.2f}x" if one.ratio is not None else ""
        branch = f"`{one.branch}`" if one.branch else ""
        yield f"| `{_cell(one.kernel)}` | {one.state} | {ratio} | {branch} | {_cell(one.reason)} |"


def _changes(found: Changes) -> Iterator[str]:
    yield f"Since {found.since.framework} {found.since.version or (found.since.commit or '')[:12]}:"
    moved = [f"{move.before} to {move.after}" for move in found.moved]
    for what, ids in (("changed", found.changed), ("added", found.added), ("removed", found.removed), ("moved", moved)):
        if ids:
            more = [f"- and {len(ids) - MOST_LISTED} more"] if len(ids) > MOST_LISTED else []
            items = [f"- `{_cell(one)}`" for one in ids[:MOST_LISTED]]
            yield from ("", f"<details><summary>{len(ids)} {what}</summary>", "", *items, *more, "", "</details>")


def _cell(text: str) -> str:
    """Text that stays inside a cell of a table."""
    return " ".join(text.replace("|", "\\|").replace("`", "'").split())
