"""Derives how to call a kernel at its own level, where no launcher can come along: read, run on nothing, fit, verify.

A draft from the texts of the kernel and its launches is run on virtual memory until it comes through; what was touched
there on three sets of sizes gives each tensor its shape. Believed is only what then runs on tensors of those shapes,
without an error and without an access outside them, with results that follow from what was given.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Sequence

from extract.derived import Derived, NotDerivable, Subject
from extract.deriving.alone.changes import changes
from extract.deriving.alone.draft import Draft
from extract.deriving.alone.first import first_draft
from extract.deriving.alone.fit import SETS
from extract.deriving.alone.read import read_kernel
from extract.deriving.alone.search import Search, through
from extract.deriving.alone.site import Site, read_sites
from extract.deriving.alone.trials import verified
from extract.deriving.prober import ALL, FIRST_ONLY, Answer, Effort, Prober, Request
from kmaint.errors import HarnessError

MOST_CHANGES, BATCH = 60, 10

LIMIT = "not supported in interpreter"


def derive_direct(subject: Subject, prober: Prober, effort: Effort) -> Derived:
    """The contract of an entry that only launches its kernel, as direct_entry writes them; NotDerivable with
    the reason where none is found."""
    try:
        text = read_kernel(subject.source, subject.kernel)
    except LookupError as error:
        raise NotDerivable(str(error.args[0])) from error
    taken = _entry_parameters(subject.source, subject.entry)
    search = Search(text, prober, effort, taken, prober.spent_s + effort.seconds)
    own = [name for name in text.parameters if name in search.taken]
    pointers = [name for name, one in text.parameters.items() if one.pointer]
    known = read_sites(subject.sites, subject.kernel, list(text.parameters), pointers)
    draft, answers = _running(search, [first_draft(text, own, site) for site in [*known[:2], Site()]])
    contract = verified(search, draft, answers)
    op = f"{subject.framework}.{subject.kernel.strip('_')}"
    return Derived(contract=contract, op=op, compute="kernel", reference=None)


def _entry_parameters(source: str, entry: str) -> frozenset[str]:
    node = next(n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef) and n.name == entry)
    return frozenset(one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs))


def _running(search: Search, drafts: Sequence[Draft]) -> tuple[Draft, list[Answer]]:
    """The first draft that comes through on virtual memory, with its answers on every set of axes; corrected step by
    step where none does as it stands."""
    tried: list[tuple[Draft, Answer]] = []
    for draft in drafts:
        answers = search.ask(_requests(search, draft), beyond=FIRST_ONLY)
        if answers and through(answers[0]):
            return draft, answers
        tried += [(draft, answer) for answer in answers[:1]]
    problem = NotDerivable("no grid and sizes to try")
    for draft, answer in sorted(tried, key=lambda one: _merit(one[1]), reverse=True)[:2]:
        try:
            better, first = _corrected(search, draft, answer)
        except NotDerivable as error:
            problem = error
            continue
        return better, [first, *search.ask(_requests(search, better)[1:])]
    raise problem


def _requests(search: Search, draft: Draft) -> list[Request]:
    return [request for which in range(SETS) if (request := _request(search, draft, which)) is not None]


def _request(search: Search, draft: Draft, which: int = 0) -> Request | None:
    try:
        return search.virtual(draft, which)
    except HarnessError:
        return None


def _merit(answer: Answer) -> tuple[bool, int, int]:
    below = sum(one["low"] < 0 for one in answer["touched"].values())
    return not answer["error"], answer["accesses"], -below


def _corrected(search: Search, draft: Draft, answer: Answer) -> tuple[Draft, Answer]:
    """Climb from draft to better draft, one change at a time."""
    while not through(answer):
        if LIMIT in answer["error"]:
            raise NotDerivable(_reason(search, answer))
        pending = [
            (changed, request)
            for changed in itertools.islice(changes(search.text, draft, answer), MOST_CHANGES)
            if (request := _request(search, changed)) is not None
        ]
        better: tuple[Draft, Answer] | None = None
        while pending and better is None:
            if search.exhausted:
                raise NotDerivable(_reason(search, answer))
            batch, pending = pending[:BATCH], pending[BATCH:]
            beyond = answer["accesses"] if answer["error"] else ALL
            answers = search.ask([request for _, request in batch], beyond=beyond)
            for (changed, _), other in zip(batch, answers, strict=False):
                if through(other) or _merit(other) > _merit(answer):
                    better = changed, other
                    break
            pending = [*batch[len(answers) :], *pending] if better is None else pending
        if better is None:
            raise NotDerivable(_reason(search, answer))
        draft, answer = better
    return draft, answer


def _reason(search: Search, answer: Answer) -> str:
    if answer["error"]:
        named = ", ".join(sorted(search.text.lines.get(answer["line"], frozenset()))[:3])
        about = f"{named}: " if named else ""
        what = "a limit of Triton's interpreter" if LIMIT in answer["error"] else "no arguments found on which it runs"
        return f"{what}: {about}{answer['error']} (kernel.py line {answer['line']})"
    below = [name for name, one in answer["touched"].items() if one["low"] < 0]
    if below:
        return f"no arguments found on which it runs: {below[0]}: accessed before its first element"
    return "no arguments found on which it writes anything"
