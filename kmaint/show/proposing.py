"""What a pull request came to, what stands in the ledger, and what a recheck found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kmaint.console import DONE, NO, Format, print_lines, print_object, print_table
from kmaint.records.ledger import Win
from kmaint.wire import dump

if TYPE_CHECKING:
    from kmaint.workflow import Proposed, Rechecked


def proposed(run: str, found: Proposed, output: Format) -> int:
    """Where the draft is, what is missing, who else is at it; no is the answer where it should be open and is not."""
    if output is Format.JSON:
        print_object("kmaint.pr/1", _fields(run, found))
    else:
        print_lines(_lines(run, found))
    return NO if found.state == "refused" else DONE


def _fields(run: str, found: Proposed) -> dict[str, object]:
    draft, opened = found.draft, found.pull_request
    return {
        "run": run,
        "state": found.state,
        "ready": not found.missing,
        "missing": list(found.missing),
        "folder": str(found.folder),
        "repository": draft.fork or None,
        "head": draft.head.branch,
        "commit": draft.head.commit,
        "base": draft.base,
        "title": draft.title,
        "number": opened and opened.number,
        "url": opened and opened.address,
        "search": dump(found.search) if found.search else None,
    }


def _lines(run: str, found: Proposed) -> Iterator[str]:
    if found.search:
        search = found.search
        yield f"{search.read} open pull requests of {search.project} read, of {search.files_read} the files too"
        for one in search.mentions:
            yield f"  #{one.pull_request.number} mentions it in its {one.where}: {one.pull_request.title}"
            yield f"    {one.pull_request.address}"
    if found.pull_request:
        yield f"{found.state} #{found.pull_request.number}, a draft in {found.draft.fork}: {found.pull_request.address}"
    elif found.state == "refused":
        yield f"run {run}: not opened"
    else:
        yield f"{found.folder}: what would be sent{'' if found.draft.fork else '; name a fork with --fork owner/name'}"
    for reason in found.missing:
        yield f"  missing: {reason}"


def ledger(wins: Sequence[Win], output: Format) -> None:
    """One line a win: what it was worth, where, and how it stands."""
    if output is Format.JSON:
        print_object("kmaint.ledger/1", {"wins": [_win(win) for win in wins]})
        return
    if not wins:
        print_lines(["no accepted win yet: 'kmaint reintegrate' adds one that was measured"])
        return
    rows = [
        (
            win.id,
            f"{win.release.framework} {win.release.version}",
            _ratio(win),
            win.environment.device or "",
            *_last(win),
        )
        for win in wins
    ]
    print_table(("win", "upstream", "speedup (95 %)", "device", "state", "on", "said"), rows)


def _win(win: Win) -> dict[str, object]:
    fields = dump(win)
    del fields["original"], fields["source"]
    return {**fields, "retired": win.retired}


def _ratio(win: Win) -> str:
    return f"{win.speedup.ratio:.3f}x ({win.speedup.low:.3f} to {win.speedup.high:.3f})"


def _last(win: Win) -> tuple[str, str, str]:
    last = win.history[-1]
    return last.state, f"{last.release.framework} {last.release.version}", last.said


def rechecked(tree: Path, found: Sequence[Rechecked], output: Format) -> int:
    """Each win with its verdict and what to do; the answer is no unless all of them hold."""
    if output is Format.JSON:
        print_object("kmaint.recheck/1", {"tree": str(tree), "wins": [_rechecked(one) for one in found]})
    else:
        for one in found:
            print_lines([f"{one.step.state:<10} {one.win.id}", f"  {one.step.said}", f"  next: {one.next_step}"])
        if not found:
            print_lines(["no accepted win of this framework is in the ledger: 'kmaint reintegrate' adds them"])
    return DONE if all(one.step.state == "holds" for one in found) else NO


def _rechecked(one: Rechecked) -> dict[str, object]:
    step = one.step
    return {
        "win": one.win.id,
        "run": one.win.run,
        "kernel": one.win.kernel,
        "from": dump(one.win.release),
        "on": dump(step.release),
        "verdict": step.state,
        "reason": step.said,
        "next": one.next_step,
        "timed": step.speedup is not None,
        "ratio": dump(step.speedup),
        "then": dump(one.win.speedup),
        "device": step.environment and step.environment.device,
        "written": list(step.written),
    }
