"""The chain: plan, code, test, profile, again. Providers give plans and code; what is decided is decided here.

Every step is a function of what has been judged so far, so a run that was killed goes on as if it had not been.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from kmaint import wire
from kmaint.agent.counting import Counting
from kmaint.agent.dialogue import Dialogue
from kmaint.agent.ideas import Idea, Ideas
from kmaint.agent.lineage import descent
from kmaint.agent.memory import recall
from kmaint.agent.novelty import repeats
from kmaint.agent.operations import operation_of
from kmaint.agent.proposal import Awaited, Failure, Judge, Parent, Proposal, Provider, Request, Ruling
from kmaint.agent.rulings import RULING, SILENT, closed
from kmaint.agent.screening import Note, Screening
from kmaint.agent.strategies import Strategy, Turn
from kmaint.agent.winner import lead
from kmaint.evaluate import Bench, Screened, check
from kmaint.records.evaluation import Candidate, Evaluation, Passed, Profile, Slower
from kmaint.records.harness import Harness
from kmaint.records.lesson import Lesson
from kmaint.roofline import to_be_left
from kmaint.spans import changed_lines

AWAITED = "awaited"
"""The kind of the event with which a run ends for now: its next proposal comes from outside."""

LEFT = "left"
"""The kind of the event with which a run ends before anything is tried: there is nothing to gain."""

REPAIRS = 2
"""Repair turns for one candidate; a third rarely mends what two did not."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """All that a run works with. `ranks` are those screened before a kill; `note` writes events down.

    `judge` takes a candidate through the gate, where that is to be shared with other processes of the run.
    """

    harness: Harness
    bench: Bench
    provider: Provider
    strategy: Strategy
    baseline: Profile
    note: Note = lambda _kind, _payload: None
    ranks: dict[str, Screened] = field(default_factory=dict)
    judge: Callable[[Candidate], Evaluation] | None = None
    dialogue: Dialogue = field(default_factory=Dialogue)
    """It holds the run's budget too."""
    rulings: dict[str, Ruling] = field(default_factory=dict)
    """By candidate id, those given before a kill among them."""
    ideas: dict[str, list[Idea]] = field(default_factory=dict)
    """Proposals that waited for the gate before a kill."""
    counted: dict[str, Profile] = field(default_factory=dict)
    """By candidate id, profiles that were taken again with counters."""
    lessons: tuple[Lesson, ...] = ()
    """What earlier runs taught, of which each turn gets what concerns it."""
    handed: bool = False
    """Whether somebody handed candidates in, which are tried even where there is nothing to gain."""


def improve(session: Session, history: Sequence[Evaluation]) -> Iterator[Evaluation]:
    """Yield each verdict as it comes, failures included, until the budget or the proposals end; an event says which.

    Where the next proposal is awaited from outside, another event says that: the run has not ended. So does one where
    the original is to be left as it is, before anybody is asked.
    """
    done = list(history)
    begun = done or session.handed or session.dialogue.exchanges
    if not begun and (why := to_be_left(session.baseline)):
        session.note(LEFT, {"reason": why, "candidates": 0})
        return
    screen = Screening(harness=session.harness, bench=session.bench, note=session.note, table=dict(session.ranks))
    ideas = Ideas(note=session.note, table=dict(session.ideas))
    meter = session.dialogue.begin(done)
    answered = bool(session.dialogue.exchanges)  # an answer may wait for its verdict since a kill
    while not (reason := meter.exhausted(len(done), answered=answered)):
        answered = False
        _rule(session, done)
        try:
            candidate = _next_candidate(session, done, screen, ideas)
        except Awaited:
            session.note(AWAITED, {"candidates": len(done)})
            return
        if candidate is None or _late(session, done):  # what was asked for in time is in the events
            reason = meter.exhausted(len(done)) or "the provider has no proposal left"
            break
        session.note("plan", {"candidate": candidate.id, "parent": candidate.parent, "plan": wire.dump(candidate.plan)})
        evaluation = session.judge(candidate) if session.judge else check(session.harness, candidate, session.bench)
        done.append(evaluation)
        yield evaluation
    session.note("stopped", {"reason": reason, "candidates": len(done)})


def _rule(session: Session, done: Sequence[Evaluation]) -> None:
    """Have what passed judged, each candidate once, by a provider that judges."""
    if not isinstance(session.provider, Judge):
        return
    for one in done:
        if isinstance(one.verdict, Passed) and one.candidate.id not in session.rulings:
            ruling = session.provider.rule(session.harness, session.baseline, one)
            if ruling is None and session.dialogue.overspent:
                return  # not asked: with a larger budget it will be
            ruling = ruling or SILENT
            session.rulings[one.candidate.id] = ruling
            session.note(RULING, {one.candidate.id: wire.dump(ruling)})


def _next_candidate(session: Session, done: Sequence[Evaluation], screen: Screening, ideas: Ideas) -> Candidate | None:
    """The first proposal that is something new; on turns that are to be weighed, the one that screens best."""
    repair, turns = _requests(session, done, screen)
    if session.strategy.ideas > 1:
        requests, weighed = repair, turns
    else:
        requests, weighed = [*repair, *turns], []
    for request in requests:
        proposal = session.provider.propose(request)
        if _late(session, done):
            return None
        if proposal is not None and (candidate := _new(session, request, proposal)):
            return candidate
        if session.dialogue.meter.out_of_time:
            return None
    return _best_idea(session, done, weighed, ideas) if weighed else None


def _late(session: Session, done: Sequence[Evaluation]) -> bool:
    """Whether what was just proposed comes too late; the first is judged even so, or the minutes bought nothing."""
    return bool(done and session.dialogue.meter.out_of_time)


def _best_idea(
    session: Session, done: Sequence[Evaluation], requests: Sequence[Request], ideas: Ideas
) -> Candidate | None:
    """Of all that is proposed on these turns, what screens best; what does not even build is never judged."""

    def ask(request: Request) -> Iterator[Proposal]:
        while len(request.besides) < session.strategy.ideas and not session.dialogue.meter.out_of_time:
            proposal = session.provider.propose(request)
            if proposal is None or proposal in request.besides:
                return
            request = replace(request, besides=(*request.besides, proposal))
            yield proposal

    def pick(waiting: Sequence[Idea]) -> Candidate | None:
        judged = {one.candidate.id for one in requests[0].history}
        left = [idea for idea in waiting if wire.digest(idea.proposal.source) not in judged]
        ranks = requests[0].screen([idea.proposal.source for idea in left])
        ranked = sorted(zip(left, ranks, strict=True), key=lambda pair: pair[1].standing, reverse=True)
        fit = (_new(session, requests[idea.turn], idea.proposal) for idea, rank in ranked if rank.ratio is not None)
        return next((candidate for candidate in fit if candidate), None)

    return ideas.best(requests, ask, pick, late=lambda: _late(session, done))


def _requests(session: Session, done: Sequence[Evaluation], screen: Screening) -> tuple[list[Request], list[Request]]:
    """A repair of the last candidate where one is due, and the strategy's turns."""
    shut = closed(session.rulings, done)
    counting = Counting(harness=session.harness, bench=session.bench, note=session.note, table=session.counted)
    open_to_turns = [one for one in _parents(session, done) if one.id not in shut]
    parents = counting.at(open_to_turns, session.strategy.counts)

    def request(turn: Turn, failed: Failure | None = None) -> Request:
        return Request(
            harness=session.harness,
            parent=turn.parent,
            history=tuple(done),
            screen=screen,
            failed=failed,
            partner=turn.partner,
            kinds=turn.kinds,
            lessons=_concerning(session, turn.parent),
        )

    repair = []
    if done and session.provider.repairs and (failed := _to_repair(done)):
        line = {candidate.parent for candidate in descent(done[-1].candidate.id, done)}
        parent = next(one for one in reversed(parents) if one.id in line or one.id is None)
        repair = [request(Turn(parent=parent), failed)]
    return repair, [request(turn) for turn in session.strategy.choose(done, parents)]


def _concerning(session: Session, parent: Parent) -> tuple[Lesson, ...]:
    """What earlier runs taught of such a kernel on such a machine, held back by the same."""
    operation, arch = operation_of(session.harness.id), session.bench.environment.arch
    return recall(session.lessons, operation=operation, arch=arch, bottleneck=parent.profile.bottleneck)


def _new(session: Session, request: Request, proposal: Proposal) -> Candidate | None:
    """The candidate that a proposal makes, unless it is one that was judged before."""
    candidate = _candidate(session, request, proposal)
    planned = session.provider.plans
    why = repeats(candidate, original(session.harness), request.history, planned=planned)
    if not why:
        return candidate
    session.note("duplicate", {"candidate": candidate.id, "parent": candidate.parent, "why": why})
    return None


def _candidate(session: Session, request: Request, proposal: Proposal) -> Candidate:
    """The proposal as a candidate, its plan anchored to where it differs from its parent if it says nowhere."""
    plan, parent = proposal.plan, request.failed.candidate if request.failed else request.parent
    if plan.anchor is None:
        plan = replace(plan, anchor=changed_lines(parent.source, proposal.source))
    if plan.expected is None and session.bench.device == "none":
        # Nothing will be timed, so a winner can be chosen by nothing else.
        (rank,) = request.screen([proposal.source])
        plan = replace(plan, expected=rank.ratio)
    return Candidate(
        id=wire.digest(proposal.source),
        source=proposal.source,
        parent=parent.id,
        plan=plan,
        provider=session.provider.name,
    )


def _parents(session: Session, done: Sequence[Evaluation]) -> list[Parent]:
    """The original, then every candidate that passed and has a ratio, in the order they were judged."""
    parents = [Parent(id=None, source=original(session.harness), profile=session.baseline, ratio=1.0)]
    for one in done:
        ahead = lead(one)
        if isinstance(one.verdict, Passed) and ahead is not None:
            profile = one.verdict.profile
            parents.append(Parent(id=one.candidate.id, source=one.candidate.source, profile=profile, ratio=ahead))
    return parents


def _to_repair(done: Sequence[Evaluation]) -> Failure | None:
    """The last candidate, if it failed and its failed line of descent has a repair left."""
    last = done[-1]
    if isinstance(last.verdict, Passed | Slower):
        return None
    failed = {one.candidate.id for one in done if not isinstance(one.verdict, Passed)}
    attempts = sum(candidate.id in failed for candidate in descent(last.candidate.id, done))
    return Failure(candidate=last.candidate, reason=last.verdict.reason) if attempts <= REPAIRS else None


def original(harness: Harness) -> str:
    """The harness's own text, as each candidate replaces it."""
    return harness.replaced.read_text()
