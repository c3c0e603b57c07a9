"""Finds out by trial what a harness's kernel takes: run with the harness folder in front of the path.

Reads one JSON object from standard input, {"entry", "cases", "profiles", "bent", "sizes", "seconds"}, and prints one,
as testgen/tried.py reads it. Every trial is a fork under Triton's interpreter: a call that was never meant may crash or
hang. Needs torch, triton and the standard library.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import importlib
import itertools
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

building, cases, judge, layouts, order, outcomes, performing, subject = (
    importlib.import_module(f"runtime.{name}")
    for name in ("building", "cases", "judge", "layouts", "order", "outcomes", "performing", "subject")
)

TRIAL_LIMIT_S = 5
"""Of the processor's time, as all times here: a busy machine must not change what is found."""

QUICK_S = 0.25
"""What a call on a size beyond the contract may take: the interpreter needs 1 to 3 ms for each program."""

SILENCE_LIMIT_S = 60.0
"""By the clock: a trial that hangs uses no processor."""

FLOATS = ("float32", "bfloat16", "float16")
GUARD_BYTES = 1 << 18
"""What is read around a tensor must be known to be that."""

NEAR = 0.05
"""Of a row's scale: how far results on another type of number may lie, 16-bit rounding on the way included."""
DISTINCT = ("permutation", "slots", "cumulative")
"""Contents whose entries stand for different places: with one entry for all of them, sequences would write into one
another's memory or have no length, and what comes of that is chance."""
TWISTS = ("deeper", "gaps", "dtype", "none")


class Trials:
    """The original, what it does on an ordinary case, and how much time is left to find out more."""

    def __init__(self, entry: Callable[..., Any], contract: Any, seconds: float) -> None:
        self.entry, self.contract = entry, contract
        self.original = subject.Local(entry, contract, "cpu")
        self._enough_s = spent_s() + seconds
        self._known: dict[str, Any] = {}
        self.cut_short = False

    def holds(self, asked: Callable[..., object], *given: object) -> bool:
        """What a fork answers; False where it is lost, or where no time is left to ask."""
        if spent_s() > self._enough_s:
            self.cut_short = True
            return False
        return _in_fork(lambda: bool(asked(*given)))

    def plain(self, case: Any) -> Any:
        """What the original did on the case, run once in each process."""
        key = repr(case)
        if key not in self._known:
            self._known[key] = self.original(case)
        return self._known[key]

    def sound(self, case: Any) -> bool:
        """Whether the original does something on the case, without an error or a byte outside its tensors."""
        found = self.plain(case)
        broken = found.error or found.overrun or any(map(judge.damaged, found.leaves))
        return not broken and any(map(_result, found.leaves))

    def same(self, case: Any, plain: Any) -> bool:
        """Whether the case gives what the plain one does, its tensors lying elsewhere."""
        return self.sound(case) and not judge.other_values(self.plain(plain), self.original(case))

    def near(self, case: Any, plain: Any) -> bool:
        """Whether the case gives numbers near those of the plain one: other types, the same function."""
        found, expected = self.original(case), self.plain(plain)
        left, right = _numbers(expected), _numbers(found)
        if found.error or expected.error or not left or left.keys() != right.keys():
            return False
        return all(_near(left[path], right[path]) for path in left)

    def steady(self, case: Any) -> bool:
        """Whether the result depends neither on what lies around the arguments nor on the order of programs."""
        other = self.original(case.but(around=0xFF))
        return self.sound(case) and not judge.other_values(self.plain(case), other, exact=True) and self.ordered(case)

    def quick(self, case: Any) -> bool:
        """Whether the result is steady, and had soon enough for a suite that asks for it at each candidate."""
        started = time.process_time()
        self.plain(case)
        return time.process_time() - started < QUICK_S and self.steady(case)

    def unordered(self, case: Any) -> bool:
        """Whether the result is sound, and depends on the order in which the programs run."""
        return self.sound(case) and not self.ordered(case)

    def ordered(self, case: Any) -> bool:
        """Whether the result does not depend on the order in which the programs run."""
        expected = self.plain(case)
        with order.reversed_programs():
            return not judge.differences(expected, self.original(case), exact=True)

    def refusal(self, case: Any) -> str:
        """The type of the error by which the launcher turns the case away on purpose; empty where it does not."""
        call = building.build(self.contract, case, "cpu")
        try:
            self.entry(**call.arguments)
        except performing.raised() as error:
            return type(error).__name__ if _is_on_purpose(error) else ""
        return ""


def spent_s() -> float:
    """Processor seconds of this process and of the forks that it has waited for."""
    forks = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + forks.ru_utime + forks.ru_stime


def _in_fork(asked: Callable[[], bool]) -> bool:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        limit = int(time.process_time()) + 1 + TRIAL_LIMIT_S
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        with contextlib.suppress(BaseException):
            os.write(writer, b"1" if asked() else b"0")
        os._exit(0)
    os.close(writer)
    ready, _, _ = select.select([reader], [], [], SILENCE_LIMIT_S)
    said = os.read(reader, 1) if ready else b""
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reader)
    return said == b"1"


def _result(leaf: Any) -> bool:
    return bool(leaf.kind == "tensor" and (leaf.written or not leaf.path.startswith("argument")))


def _numbers(outcome: Any) -> dict[str, torch.Tensor]:
    return {leaf.path: outcomes.tensor_of(leaf).double() for leaf in outcome.leaves if _result(leaf)}


def _near(left: torch.Tensor, right: torch.Tensor) -> bool:
    if left.shape != right.shape or not torch.equal(left.isfinite(), right.isfinite()):
        return False
    apart = torch.where(left.isfinite(), (left - right).abs(), 0.0)
    return not left.numel() or bool((apart <= NEAR * judge.row_scale(left)).all())


def _is_on_purpose(error: BaseException) -> bool:
    """Whether a raise or an assert of kernel.py was what ended the call."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    if frame is None or Path(frame.tb_frame.f_code.co_filename).name != "kernel.py":
        return False
    tree = ast.parse(Path(frame.tb_frame.f_code.co_filename).read_text())
    checks = (ast.Raise, ast.Assert) if isinstance(error, AssertionError) else (ast.Raise,)
    statements = (node for node in ast.walk(tree) if isinstance(node, checks))
    return any(node.lineno <= frame.tb_lineno <= (node.end_lineno or node.lineno) for node in statements)


def tensors(contract: Any, case: Any) -> list[dict[str, Any]]:
    """The tensor arguments that there are on the case."""
    return [a for a in contract.arguments if a["kind"] == "tensor" and cases.evaluate(a["when"], case.axes)]


def admitted_layouts(trials: Trials, base: Any, unread: list[str]) -> dict[str, list[str]]:
    """The arguments that may lie so, together, by layout: all of them if that works, else as many as do one by one.

    What is not read at all would pass for honouring any.
    """
    written = {leaf.path.removeprefix("argument ") for leaf in trials.plain(base).leaves if leaf.written}
    found = {}
    for layout in layouts.LAYOUTS[2:]:
        named = [a for a in tensors(trials.contract, base) if a["name"] not in unread]
        alike = layout in ("repeated", "expanded")
        able = [a["name"] for a in named if _can_lie(a, base, layout) and not (alike and a["values"] in DISTINCT)]
        able = [name for name in able if not alike or name not in written]
        plain = {"expanded": "repeated", "repeated": ""}.get(layout, "contiguous")

        def works(names: list[str], layout: str = layout, plain: str = plain) -> bool:
            case = base.but(layout=" ".join([layout, *names]))
            other = base.but(layout=" ".join([plain, *names]) if plain == "repeated" else "contiguous")
            return trials.steady(case) if not plain else trials.same(case, other)

        if able and not trials.holds(works, able):
            chosen: list[str] = []
            for name in able if len(able) > 1 else []:
                if trials.holds(works, [*chosen, name]):
                    chosen.append(name)
            able = chosen
        if able:
            found[layout] = able
    return found


def _can_lie(argument: dict[str, Any], case: Any, layout: str) -> bool:
    """Whether the layout changes anything for the argument; one that the contract itself places stays there."""
    if argument["strides"]:
        return False
    shape = tuple(int(cases.evaluate(size, case.axes)) for size in argument["shape"])
    if layout == "repeated":
        return bool(shape) and shape[0] > 1
    return bool(layouts.place(shape, layout) != layouts.place(shape, "contiguous"))


def admitted_dtypes(trials: Trials, base: Any, unread: list[str]) -> list[dict[str, str]]:
    """Other types of number for arguments whose contract has one type only, one at a time."""
    found = []
    for argument in (a for a in tensors(trials.contract, base) if a["name"] not in unread):
        for dtype in FLOATS if argument["dtype"] in FLOATS else ():
            chosen = {argument["name"]: dtype}
            if dtype != argument["dtype"] and trials.holds(trials.near, base.but(dtypes=chosen), base):
                found.append(chosen)
    return found


def wide_dtypes(trials: Trials, base: Any) -> dict[str, str]:
    """float64 for every argument of floating point, where the original takes that and rounds less for it."""
    named = {a["name"]: str(base.axes.get(a["dtype"], a["dtype"])) for a in tensors(trials.contract, base)}
    chosen = {name: "float64" for name, dtype in named.items() if dtype in FLOATS}

    def nearer() -> bool:
        found, expected = _numbers(trials.original(base.but(dtypes=chosen))), _numbers(trials.plain(base))
        return trials.near(base.but(dtypes=chosen), base) and any(
            not torch.equal(found[path], expected[path]) for path in expected
        )

    return chosen if chosen and trials.holds(nearer) else {}


def refused(trials: Trials, base: Any, bent: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Cases that the launcher turns away on purpose: one argument bent, or one constraint broken."""
    asked = [base.but(**axes) for axes in bent]
    for argument in tensors(trials.contract, base):
        shorter = [f"shorter {argument['name']} {at}" for at in range(len(argument["shape"]))]
        asked += [base.but(twist=twist) for twist in [*shorter, *(f"{one} {argument['name']}" for one in TWISTS)]]
    return [case.to_json() for case in asked if trials.holds(trials.refusal, case)]


def inert(trials: Trials, base: Any) -> list[str]:
    """Inputs whose contents make no difference on an ordinary case: a test on it says nothing about them."""
    names = [a["name"] for a in tensors(trials.contract, base) if a["values"] not in ("output", "scratch")]

    def matters(name: str) -> bool:
        drawn = [base.but(seed=seed, values=values) for seed in range(2) for values in ("normal", "ragged")]
        return any(judge.differences(trials.plain(c), _but_for(trials, c, name), exact=True) for c in drawn)

    return [name for name in names if not trials.holds(matters, name) and not trials.cut_short]


def _but_for(trials: Trials, case: Any, name: str) -> Any:
    """The outcome with other contents of one argument; of the argument itself nothing is compared."""
    found = trials.original(case.but(anew=name))
    own = {leaf.path: leaf for leaf in trials.plain(case).leaves}
    path = f"argument {name}"
    kept = [own[path] if leaf.path == path and not leaf.written else leaf for leaf in found.leaves]
    return outcomes.Outcome(kept, found.error, found.overrun)


def switched(trials: Trials, base: Any) -> list[Any]:
    """The ordinary case, and it with each flag the other way: an argument may only be there, or matter, with one."""
    flags = [name for name, value in base.axes.items() if isinstance(value, bool)]
    others = [base.but(**{name: not base.axes[name]}) for name in flags]
    return [base, *(case for case in others if trials.contract.admits(case) and trials.holds(trials.sound, case))]


def admitted_sizes(trials: Trials, variants: list[Any], sizes: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Values of an axis beyond the contract's own on which the original soon gives one answer, by axis."""
    found: dict[str, list[Any]] = {name: [] for name in sizes}
    rounds = itertools.zip_longest(*([(name, value) for value in values] for name, values in sizes.items()))
    for name, value in (one for row in rounds for one in row if one is not None):
        asked = [case.but(**{name: value}) for case in variants]
        if all(trials.contract.admits(case) and trials.holds(trials.quick, case) for case in asked):
            found[name].append(value)
    return {name: values for name, values in found.items() if values}


def racing(trials: Trials, drawn: list[Any]) -> bool:
    """Whether on one of the cases the result depends on the order in which programs run."""
    return any(trials.holds(trials.unordered, case) for case in drawn)


def find_out(asked: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Everything that testgen/tried.py wants to know."""
    setattr(building, "GUARD", GUARD_BYTES)  # noqa: B010 - a module that only the child can name
    contract = cases.Contract.read(folder)
    entry = getattr(subject.load(folder / "kernel.py", "original"), asked["entry"])
    trials = Trials(entry, contract, asked["seconds"])
    possible = (cases.Case(**axes) for axes in asked["cases"])
    base = next((case for case in possible if trials.holds(trials.sound, case)), None)
    if base is None:
        return {"base": None}
    trials.plain(base)  # here, so that no fork has to get the interpreter going
    variants = switched(trials, base)
    values = [
        profile
        for profile in asked["profiles"]
        if all(trials.holds(trials.sound, case.but(values=profile)) for case in variants)
    ]
    values = list(asked["profiles"]) if trials.cut_short else values
    unread = inert(trials, base)
    admitted = admitted_layouts(trials, base, unread)
    drawn = [base.but(seed=seed, values=p) for seed in range(2) for p in ("normal", "ragged") if p in values]
    return {
        "base": base.axes,
        "layouts": admitted,
        "values": values,
        "races": racing(trials, drawn),
        "dtypes": admitted_dtypes(trials, base, unread),
        "wide": wide_dtypes(trials, base),
        "refused": refused(trials, base, asked["bent"]),
        "inert": unread,
        "sizes": admitted_sizes(trials, variants, asked["sizes"]),
        "cut_short": trials.cut_short,
    }


def main() -> None:
    """Answer on what was standard output; what the kernel prints goes nowhere."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    torch.set_num_threads(1)  # threads would not survive a fork
    gc.collect()
    gc.freeze()  # a collection in a fork would copy every page that it looks at
    gc.disable()
    answers.write(json.dumps(find_out(json.load(sys.stdin), Path.cwd())))
    answers.flush()


if __name__ == "__main__":
    main()
