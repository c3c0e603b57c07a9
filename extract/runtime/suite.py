"""What a generated test_kernel.py stands on: the pair of subjects, the profiles of Hypothesis, and how a test fails.

Copied unchanged into every harness; the only file of the runtime that needs hypothesis and pytest. The environment says
what is tested: KMAINT_CANDIDATE (a kernel.py to hold against the original; without it the original against itself),
KMAINT_PROFILE (people, ci or gate), KMAINT_SEED (a whole number) and KMAINT_CALL_LIMIT_S.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

import hypothesis
import torch
from hypothesis.database import DirectoryBasedExampleDatabase

from .building import Call, build
from .cases import Case, Contract
from .judge import INTERPRETER_CANNOT_JUDGE, TOLERANCES, WORSE, Difference, damaged, error_against
from .outcomes import Outcome, tensor_of
from .subject import CALL_LIMIT_S, Local, Remote, Subject, SubjectLost, load, remote

RESTARTS = MappingProxyType({"people": 8, "ci": 2, "gate": 0})
"""How often a candidate's process is started again after its end: the gate wants a verdict, a person a small case."""


class Pair:
    """The original, in this process, and the code under test."""

    def __init__(self, original: Subject, tested: Subject, contract: Contract, device: str) -> None:
        self.original, self.tested, self.contract, self.device = original, tested, contract, device

    def __repr__(self) -> str:
        return "pair"  # as the test's parameter is called: a falsifying example is all about the case


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


def check(differences: Iterable[Difference]) -> None:
    """Fail with the first difference; the message starts with its code in brackets, which is what the gate reads."""
    for difference in differences:
        fail(difference.code, difference.text)


def fail(code: str, text: str) -> NoReturn:
    """Fail the test as `[code] text`."""
    raise _failure(code)(f"[{code}] {text}")


@functools.cache
def _failure(code: str) -> type[AssertionError]:
    # One type per code: Hypothesis tells failures apart by their type, and so never shrinks one kind into another.
    return type(code, (AssertionError,), {"__module__": "gate"})


def recoded(code: str, differences: Iterable[Difference]) -> list[Difference]:
    """The same differences under the code of what the test at hand has changed; damage keeps its own."""
    return [d if d.code == "wrote_outside" else Difference(code, d.text) for d in differences]


def broken(outcome: Outcome) -> list[Difference]:
    """What no call on a workload may do: fail, write outside its tensors, or neither write nor return anything."""
    found = [Difference("mismatch", outcome.error)] if outcome.error else []
    found += [Difference("wrote_outside", outcome.overrun)] if outcome.overrun else []
    for leaf in outcome.leaves:
        if damage := damaged(leaf):
            found.append(Difference("wrote_outside", f"{leaf.path}: {damage} bytes around it were overwritten"))
    if not found and not any(leaf.written or not leaf.path.startswith("argument") for leaf in outcome.leaves):
        found.append(Difference("mismatch", "it writes nothing and returns nothing"))
    return found


def untouched(pair: Pair, case: Case, expected: Outcome, actual: Outcome) -> list[Difference]:
    """Arguments that the original leaves alone and the tested call does not, compared with freshly built ones."""
    fresh = build(pair.contract, case, pair.device).buffers
    found = [Difference("wrote_outside", actual.overrun)] if actual.overrun else []
    for left, right in zip(expected.leaves, actual.leaves, strict=False):
        if not right.path.startswith("argument"):
            continue
        if damaged(right):
            found.append(
                Difference("wrote_outside", f"{right.path}: {damaged(right)} bytes around it were overwritten")
            )
        elif (
            left.kind == "tensor"
            and not left.written
            and not torch.equal(right.raw, fresh[right.path.removeprefix("argument ")].raw.cpu())
        ):
            found.append(Difference("mutated_input", f"{right.path} was written; the original leaves it alone"))
    return found


def unwritten(expected: Outcome, actual: Outcome) -> list[Difference]:
    """Outputs with more NaN than the original's: fresh memory is filled with NaN before the call."""
    found = []
    for left, right in zip(expected.leaves, actual.leaves, strict=False):
        if left.kind == right.kind == "tensor" and left.dtype == right.dtype and left.shape == right.shape:
            holes = tensor_of(right).double().isnan() & ~tensor_of(left).double().isnan()
            if holes.any():
                text = f"{right.path}: {int(holes.sum())} of {holes.numel()} elements were never written"
                found.append(Difference("uninitialised", text))
    return found


def leading(outcome: Outcome, axis: int, rows: int) -> Outcome:
    """What the call did to its first `rows`: of each tensor that is `axis` long the leading part, nothing of others."""
    leaves = []
    for leaf in outcome.leaves:
        if leaf.kind == "tensor" and leaf.shape[:1] == (axis,):
            part = tensor_of(leaf)[:rows].contiguous()
            raw = part.view(-1).view(torch.uint8) if part.numel() else torch.empty(0, dtype=torch.uint8)
            leaves.append(dataclasses.replace(leaf, shape=tuple(part.shape), strides=part.stride(), raw=raw, start=0))
    return Outcome(leaves, outcome.error)


def upcast(call: Call) -> dict[str, Any]:
    """The arguments with every floating-point tensor in float64, as reference() takes them."""
    return {
        name: value.double() if isinstance(value, torch.Tensor) and value.is_floating_point() else value
        for name, value in call.arguments.items()
    }


def less_accurate(
    truth: dict[str, torch.Tensor], expected: Outcome, actual: Outcome, *, interpreted: bool
) -> list[Difference]:
    """Outputs further from the float64 truth than WORSE times the original's error plus the tolerance of the type.

    None for outputs on which the original itself does not reach the truth: they say nothing about the tested code.
    """
    found = []
    right = {leaf.path: leaf for leaf in actual.leaves}
    for leaf in expected.leaves:
        if leaf.path not in truth or leaf.path not in right or right[leaf.path].shape != leaf.shape:
            continue
        want, got = tensor_of(leaf), tensor_of(right[leaf.path])
        if want.dtype not in TOLERANCES or (interpreted and want.dtype in INTERPRETER_CANNOT_JUDGE):
            continue
        known = truth[leaf.path].cpu()
        own, other = error_against(known, want), error_against(known, got)
        allowed = WORSE * own + TOLERANCES[want.dtype].absolute
        if own <= TOLERANCES[want.dtype].relative and not other <= allowed:
            text = f"{leaf.path} is off by {other:.3g} of its row's scale; the original by {own:.3g}"
            found.append(Difference("less_accurate", text))
    return found


def profile() -> str:
    """people, ci or gate."""
    return os.environ.get("KMAINT_PROFILE") or ("ci" if os.environ.get("CI") else "people")


def use_profile(folder: Path) -> None:
    """Settings of Hypothesis for whoever runs the suite.

    No deadline: a first call compiles. No health checks of speed or filtering: a call under the interpreter takes
    milliseconds a program, and a contract with several constraints turns away more draws than Hypothesis likes.
    """
    slow = [
        hypothesis.HealthCheck.too_slow,
        hypothesis.HealthCheck.filter_too_much,
        hypothesis.HealthCheck.data_too_large,
    ]
    common = hypothesis.settings(deadline=None, suppress_health_check=slow, report_multiple_bugs=False)
    examples, at_the_gate = (12, 8) if os.environ.get("TRITON_INTERPRET") == "1" else (60, 30)
    hypothesis.settings.register_profile(
        "people", common, max_examples=examples, database=DirectoryBasedExampleDatabase(folder / ".hypothesis")
    )
    hypothesis.settings.register_profile("ci", common, max_examples=examples, derandomize=True, database=None)
    # The gate reports a failure as found: shrinking would spend its time on a candidate that is already out.
    found_is_enough = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    hypothesis.settings.register_profile(
        "gate", common, max_examples=at_the_gate, database=None, print_blob=False, phases=found_is_enough
    )
    hypothesis.settings.load_profile(profile())


def seeded(test: Callable[..., None]) -> Callable[..., None]:
    """Draw from KMAINT_SEED where it is set; otherwise as the profile says."""
    given = os.environ.get("KMAINT_SEED")
    return hypothesis.seed(int(given))(test) if given else test


def few() -> hypothesis.settings:
    """A third of the profile's examples: for a property that hardly depends on the case."""
    return hypothesis.settings(max_examples=max(4, hypothesis.settings().max_examples // 3))
