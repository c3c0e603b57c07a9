"""What a generated test_kernel.py stands on: the original and the code under test side by side, and how a test fails.

Copied unchanged into every harness. The environment says what is tested: KMAINT_CANDIDATE (a kernel.py to hold against
the original; without it the original against itself), KMAINT_PROFILE (people, ci or gate), KMAINT_SEED (a whole number)
and KMAINT_CALL_LIMIT_S.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn

from .building import NoRoomError
from .cases import Case, Contract
from .judge import Difference, differences, other_values
from .order import reversed_programs
from .outcomes import Outcome
from .profiles import note, profile
from .subject import CALL_LIMIT_S, Local, Remote, Subject, SubjectLost, load, remote

RESTARTS = MappingProxyType({"people": 8, "ci": 2, "gate": 0})
"""How often a candidate's process is started again after its end: the gate wants a verdict, a person a small case."""

KEPT_BYTES = 200 << 20
"""How much of what the original did is kept for the next property that asks for the same case."""


class Original:
    """The original in this process. What it did on a case is kept: one seed draws the same cases for several tests."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._known: dict[str, Outcome] = {}
        self._bytes = 0

    def __call__(self, case: Case, *, how: str = "direct") -> Outcome:
        key = f"{case} {how}"
        if key not in self._known:
            found = self.anew(case, how=how)
            self._bytes += sum(leaf.raw.numel() for leaf in found.leaves)
            if self._bytes > KEPT_BYTES:
                self._known.clear()
                self._bytes = sum(leaf.raw.numel() for leaf in found.leaves)
            self._known[key] = found
        return self._known[key]

    def anew(self, case: Case, *, how: str = "direct") -> Outcome:
        """What it does on the case now, whatever it did before."""
        return self._subject(case, how=how)


class Pair:
    """The original, in this process, and the code under test."""

    def __init__(self, original: Subject, tested: Subject, contract: Contract, device: str) -> None:
        self.original = original if isinstance(original, Original) else Original(original)
        self.tested, self.contract, self.device = tested, contract, device
        self._settled: dict[str, bool] = {}

    def __repr__(self) -> str:
        return "pair"  # as the test's parameter is called: a falsifying example is all about the case

    def in_any_order(self, case: Case) -> bool:
        """Whether the original gives the same with its programs run last to first: what it gives by chance is no
        promise, so none is asked of a candidate."""
        return self._asked("order", case, self._backward)

    def wherever_it_lies(self, case: Case) -> bool:
        """Whether the original gives the same on contiguous copies: if not, it does not honour strides here."""
        return case.layout in ("contiguous", "offset") or self._asked("layout", case, self._contiguous)

    def reads_only_inside(self, case: Case) -> bool:
        """Whether the original gives the same with other bytes around its arguments."""
        return self._asked("around", case, self._surrounded)

    def _surrounded(self, case: Case) -> bool:
        return not other_values(self.original(case), self.original(case.but(around=0xFF)), exact=True)

    def _asked(self, what: str, case: Case, ask: Callable[[Case], bool]) -> bool:
        key = f"{what} {case}"
        if key not in self._settled:
            self._settled[key] = ask(case)
        return self._settled[key]

    def _backward(self, case: Case) -> bool:
        with reversed_programs() as possible:
            return not possible or not differences(self.original(case), self.original.anew(case), exact=True)

    def _contiguous(self, case: Case) -> bool:
        layout = case.layout.replace("expanded", "repeated") if "expanded" in case.layout else "contiguous"
        try:
            return not other_values(self.original(case.but(layout=layout)), self.original(case))
        except NoRoomError:
            return False


@contextlib.contextmanager
def opened(folder: Path, entry: str, device: str) -> Iterator[Pair]:
    """The pair of a harness folder; a candidate's process lasts as long as the block."""
    contract = Contract.read(folder)
    original = Local(getattr(load(folder / "kernel.py", "original"), entry), contract, device)
    if chosen := os.environ.get("KMAINT_CANDIDATE"):
        with Standing(folder, Path(chosen), entry, device) as tested:
            yield Pair(original, tested, contract, device)
    else:
        again = Local(getattr(load(folder / "kernel.py", "kernel"), entry), contract, device)
        yield Pair(original, again, contract, device)


class Standing:
    """A candidate that is started again when its process is lost, and fails the test at once on a case that ended it.

    Hypothesis replays and shrinks a failing case: the same case must fail the same way, without a minute's wait.
    """

    def __init__(self, folder: Path, candidate: Path, entry: str, device: str) -> None:
        limit_s = float(os.environ.get("KMAINT_CALL_LIMIT_S", CALL_LIMIT_S))
        self._start = functools.partial(remote, folder, candidate, entry, device, limit_s=limit_s)
        self._lost: dict[str, tuple[str, str]] = {}
        self._starts_left = 1 + RESTARTS[profile()]
        self._running = contextlib.ExitStack()
        self._subject: Remote | None = None

    def __enter__(self) -> Standing:
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def __call__(self, case: Case, *, how: str = "direct") -> Outcome:
        key = f"{case} {how}"
        if key in self._lost:
            fail(*self._lost[key])
        try:
            return self._live()(case, how=how)
        except SubjectLost as lost:
            self._subject = None
            self._lost[key] = lost.code, str(lost)
            # A hang costs its whole limit each time: nobody waits for a smaller one.
            self._starts_left = 0 if lost.code == "timeout" else self._starts_left
            fail(*self._lost[key])

    def wait_until_ready(self) -> None:
        """Start its process where it may still be started, and wait for that: it takes longer than most examples."""
        if self._subject is not None or self._starts_left:
            self._live().wait_until_ready()

    def _live(self) -> Remote:
        if self._subject is None:
            if not self._starts_left:
                fail("not_run", f"not run any more: {next(iter(self._lost.values()))[1]}")
            self._starts_left -= 1
            self._running.close()
            self._subject = self._running.enter_context(self._start())
        return self._subject


def check(found: Iterable[Difference], *, on: Case | None = None) -> None:
    """Fail with the first difference; the message starts with its code in brackets, which is what the gate reads."""
    for difference in found:
        fail(difference.code, difference.text, on=on)


def fail(code: str, text: str, *, on: Case | None = None) -> NoReturn:
    """Fail the test as `[code] text`, and say on which case where Hypothesis does not."""
    error = _failure(code)(f"[{code}] {text}" + (f"; on {on}" if on else ""))
    if on is not None:
        note(sys._getframe(2).f_code, error, on)  # noqa: SLF001 - the test that asked for the check
    raise error


@functools.cache
def _failure(code: str) -> type[AssertionError]:
    # One type per code: Hypothesis tells failures apart by their type, and so never shrinks one kind into another.
    return type(code, (AssertionError,), {"__module__": "gate"})
