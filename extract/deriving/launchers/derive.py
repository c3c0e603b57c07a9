"""Derives the contract of a launcher that nobody has written one for: read its text, guess, run, correct, verify.

A guess is believed only after the launcher has run on it under the Triton interpreter, on two sets of sizes, without an
error, without an access outside its tensors, and with results that change with its inputs.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from extract.derived import Derived, NotDerivable
from extract.deriving.launchers.guess import LADDER, UNBOUND, Guess, evaluated, first_guess, names_in, shapes_of
from extract.deriving.launchers.hints import read_hints
from extract.deriving.launchers.workloads import finished
from extract.deriving.prober import ALL, FIRST_ONLY, Answer, Effort, Prober, Request
from kmaint import wire
from kmaint.records.workload import Binding

DTYPES = ("bfloat16", "float16", "float32")
SETS = 2


def holds(trial: Answer) -> bool:
    """Whether a trial ran, wrote something, and nothing outside its tensors."""
    return bool(trial["outputs"]) and not (trial["error"] or trial["outside"] or trial["overrun"])


@dataclass(frozen=True)
class Seen:
    """What the trials of one guess did (probes.launcher.trial): one a set of sizes, up to the first that failed."""

    trials: tuple[dict[str, Any], ...]

    @property
    def error(self) -> str:
        return next((trial["error"] for trial in self.trials if trial["error"]), "")

    @property
    def outside(self) -> set[str]:
        return {name for trial in self.trials for name in trial["outside"]}

    @property
    def clean(self) -> bool:
        return all(holds(trial) for trial in self.trials)

    @property
    def score(self) -> tuple[int, int, int]:
        """Higher is nearer: fewer errors, then more reached, then fewer tensors run past."""
        errors = sum(bool(trial["error"]) for trial in self.trials) + (len(self.trials) < SETS)
        reached = sum(bool(trial["extents"]) for trial in self.trials)
        return -errors, reached, -len(self.outside) - sum(trial["overrun"] for trial in self.trials)


class Trials:
    """Makes the trials of one search, as long as its effort lasts."""

    def __init__(self, prober: Prober, effort: Effort) -> None:
        self._prober, self._effort, self._count = prober, effort, 0
        self._limit_s = prober.spent_s + effort.guessing_s

    @property
    def exhausted(self) -> bool:
        return self._count >= self._effort.guesses or self._prober.spent_s > self._limit_s

    def run(self, guess: Guess) -> Seen:
        """The guess on both sets of sizes; on the first alone where that fails."""
        self._count += 1
        return Seen(self._ask([self._request(guess, guess.bindings(which)) for which in (0, 1)], beyond=FIRST_ONLY))

    def once(self, guess: Guess) -> Answer:
        """The guess on the first set of sizes."""
        return self._ask([self._request(guess, guess.bindings(0))])[0]

    def varied(self, guess: Guess) -> tuple[Seen, Answer, dict[str, Answer]]:
        """The guess on both sets of sizes; on the first with other values; and with each other floating type."""
        first, second = guess.bindings(0), guess.bindings(1)
        others = [dtype for dtype in DTYPES if dtype != guess.dtype] if _varies(guess) else []
        requests = [self._request(guess, first), self._request(guess, second), self._request(guess, first, seed=2)]
        answers = self._ask([*requests, *(self._request(guess, first, dtype=dtype) for dtype in others)])
        return Seen(answers[:2]), answers[2], dict(zip(others, answers[3:], strict=True))

    def _request(self, guess: Guess, axes: dict[str, Binding], *, dtype: str = "", seed: int = 1) -> Request:
        case = {"seed": seed, **axes, "DT": dtype or guess.dtype}
        return {"contract": wire.dump(guess.contract()), "case": case, "limit_s": self._effort.trial_s}

    def _ask(self, requests: list[Request], *, beyond: int = ALL) -> tuple[Answer, ...]:
        return tuple(self._prober.ask(requests, beyond=beyond))


def derive(source: str, entry: str, framework: str, prober: Prober, effort: Effort) -> Derived:
    """A contract found by search; NotDerivable with the argument or error on which the search ended."""
    try:
        hints = read_hints(source, entry)
    except (LookupError, SyntaxError) as error:
        raise NotDerivable(str(error.args[0])) from error
    guess = first_guess(hints)
    if not guess.shapes:
        raise NotDerivable(f"{entry}: none of its parameters is known to be a tensor")
    trials = Trials(prober, effort)
    guess = search(trials, guess)
    guess = with_bounds(trials, guess)
    seen, dtypes = verified(trials, guess)
    contract = finished(guess, seen.trials, dtypes, gated="mul" in entry or "glu" in entry)
    return Derived(contract=contract, op=f"{framework}.{entry.lstrip('_')}", compute="kernel", reference=None)


def search(prober: Trials, guess: Guess) -> Guess:
    """The first guess that runs clean: climbs from guess to better guess, one change at a time."""
    seen = prober.run(guess)
    while not seen.clean:
        for changed in itertools.chain(solved(guess, seen), alternatives(guess, seen)):
            if prober.exhausted:
                raise NotDerivable(reason(guess, seen, "search ended"))
            tried = prober.run(changed)
            if tried.clean or tried.score > seen.score:
                guess, seen = changed, tried
                break
        else:
            raise NotDerivable(reason(guess, seen, "no guess fits"))
    return tightened(prober, guess, seen)


def reason(guess: Guess, seen: Seen, prefix: str) -> str:
    """Why the search ended, in one line that names an argument where one is known."""
    if seen.error:
        named = next(
            (name for name in guess.order if f"'{name}'" in seen.error or f" {name} " in f" {seen.error} "), ""
        )
        line = next((trial["line"] for trial in seen.trials if trial["error"]), 0)
        return f"{prefix}: {named + ': ' if named else ''}{seen.error} (kernel.py line {line})"
    if seen.outside:
        name = min(seen.outside)
        return f"{prefix}: {name}: accessed outside shape {', '.join(guess.shapes[name])}"
    return f"{prefix}: the launcher runs but writes nothing, or past a tensor of its own"


def solved(guess: Guess, seen: Seen) -> Iterator[Guess]:
    """Guesses in which a tensor that was run past, or of which nothing was known, gets the size that was touched."""
    if len(seen.trials) < SETS:
        return
    for name in sorted(seen.outside | {n for n in guess.shapes if guess.shapes[n] == (UNBOUND,)}):
        extents = [trial["extents"].get(name) for trial in seen.trials]
        if not all(extents) or any(extent[0] < 0 for extent in extents):
            continue
        wanted = tuple(extent[1] + 1 for extent in extents)
        for shape in shapes_of(guess, name, wanted):
            yield guess.but(shapes={**guess.shapes, name: shape})


def alternatives(guess: Guess, seen: Seen) -> Iterator[Guess]:
    """Guesses one change away, the likeliest first."""
    for rung in range(guess.rung + 1, len(LADDER)):
        yield guess.but(rung=rung)
    if guess.dtype == "float32":
        yield guess.but(dtype="bfloat16")
    yield from _other_shapes(guess, seen)
    yield from _other_scalars(guess)
    for name, kind in guess.dtypes.items():
        if kind == "DT" and name not in seen.outside:
            yield guess.but(dtypes={**guess.dtypes, name: "int64"}, values={**guess.values, name: ("index", "1")})
    for name in guess.free:
        yield guess.but(
            shapes={k: v for k, v in guess.shapes.items() if k != name}, scalars={**guess.scalars, name: None}
        )
    for rung in range(guess.rung):
        yield guess.but(rung=rung)


def _other_shapes(guess: Guess, seen: Seen) -> Iterator[Guess]:
    known = list(dict.fromkeys(shape for shape in guess.shapes.values() if shape != (UNBOUND,)))
    labels = guess.axes()
    first = [
        ("rows", "hidden_dim"),
        ("rows", "heads", "head_dim"),
        ("rows",),
        ("batch", "rows", "hidden_dim"),
        ("rows", "heads", "rows_2", "head_dim"),
    ]
    for name, shape in guess.shapes.items():
        if name in guess.free or name in seen.outside:
            lasts = [known_shape[-1:] for known_shape in known] + [
                known_shape[:-1] for known_shape in known if len(known_shape) > 1
            ]
            for other in dict.fromkeys([*known, *lasts, *((axis,) for axis in labels), *first]):
                if other != shape and (name in guess.free or len(other) == len(shape)):
                    yield guess.but(shapes={**guess.shapes, name: other})
    free = [name for name in guess.shapes if name in guess.free]
    if len(free) > 1:
        for other in first:
            yield guess.but(shapes={**guess.shapes, **dict.fromkeys(free, other)})


def _other_scalars(guess: Guess) -> Iterator[Guess]:
    sized = {axis for shape in guess.shapes.values() for size in shape for axis in names_in(size)}
    for name, value in guess.scalars.items():
        if value == f"={name}" and name in sized:
            continue
        options: list[object] = [f"={axis}" for axis in sorted(sized)]
        options += [True, False, 1, 2, 1e-6, 0.5, {"dtype": "DT"}, None, "auto"]
        for option in options:
            if option != value or type(option) is not type(value):
                yield guess.but(scalars={**guess.scalars, name: option})


def tightened(prober: Trials, guess: Guess, seen: Seen) -> Guess:
    """The same guess with tensors of unknown size brought down to what is touched of them."""
    for name, shape in guess.shapes.items():
        if shape != (UNBOUND,):
            continue
        if not any(trial["extents"].get(name) for trial in seen.trials):
            raise NotDerivable(f"{name}: nothing says its shape, and the kernel never touches it")
        # a launcher that takes x.numel() touches all of whatever it is given: any shape will do, two axes are usual
        other = (changed for changed in _other_shapes(guess, seen) if changed.shapes[name] != shape)
        for changed in itertools.chain(solved(guess.but(free=guess.free | {name}), seen), other):
            if changed.shapes[name] != shape and prober.run(changed).clean:
                guess = changed
                break
        else:
            raise NotDerivable(f"{name}: the {seen.trials[0]['extents'][name][1] + 1} elements touched fit no sizes")
    return guess


def with_bounds(prober: Trials, guess: Guess) -> Guess:
    """The guess with the largest size below which each index tensor's values may lie."""
    for name, (kind, bound) in guess.values.items():
        if kind != "index":
            continue
        leading = [shape[0] for other, shape in guess.shapes.items() if other != name and shape[0].isidentifier()]
        own = {axis for size in guess.shapes[name] for axis in names_in(size)}
        ordered = sorted(dict.fromkeys([*leading, *guess.axes()]), key=lambda axis: axis in own)
        for axis in ordered:
            changed = guess.but(values={**guess.values, name: (kind, axis)})
            if axis != bound and not prober.exhausted and prober.run(changed).clean:
                guess = _distinct(prober, changed, name, axis)
                break
    return guess


def _distinct(prober: Trials, guess: Guess, name: str, axis: str) -> Guess:
    """Where an index says where to write, no two of its values may be equal: the outcome would depend on the order."""
    trial = prober.once(guess)
    written_by_index = any(axis in guess.shapes[stored][:1] for stored in trial["stored"])
    if not written_by_index:
        return guess
    count = " * ".join(f"({size})" for size in guess.shapes[name])
    changed = guess.but(
        values={**guess.values, name: ("permutation", axis)},
        constraints=(*guess.constraints, f"{count} <= {axis}"),
    )
    fits = all(evaluated(count, bound) <= evaluated(axis, bound) for bound in map(changed.bindings, (0, 1)))
    return changed if fits and prober.run(changed).clean else guess


def verified(prober: Trials, guess: Guess) -> tuple[Seen, tuple[str, ...]]:
    """What the guess did, and the floating dtypes on which it runs; NotDerivable where its results do not follow from
    its inputs."""
    seen, other, dtypes = prober.varied(guess)
    if not seen.clean:
        raise NotDerivable(reason(guess, seen, "not the same twice"))
    if seen.trials[0]["digest"] == other["digest"]:
        raise NotDerivable("the results are the same whatever the inputs")
    if not _varies(guess):
        return seen, ()
    runs = {guess.dtype} | {dtype for dtype, answer in dtypes.items() if holds(answer)}
    return seen, tuple(dtype for dtype in DTYPES if dtype in runs)


def _varies(guess: Guess) -> bool:
    return "DT" in guess.dtypes.values() or {"dtype": "DT"} in guess.scalars.values()
