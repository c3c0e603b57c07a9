"""A whole engine measured with a patch and without it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from kmaint.records.timing import Interval

Phase = Literal["decode", "prefill"]
Leg = str
"""One engine of a comparison, by name."""
LEGS: tuple[Leg, ...] = ("base", "patched", "again")
"""again: a second engine of the base, so that it is known how far two equal engines lie apart."""
Value = str | int | float | bool
"""Of an engine's argument."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """What an engine is asked at once: `batch` sequences of `context` tokens, and `tokens` more of each.

    In decode the context lies in the prefix cache already; in prefill it was never seen.
    """

    phase: Phase
    batch: int
    context: int
    tokens: int

    @property
    def name(self) -> str:
        return f"{self.phase} {self.batch}x{self.context}"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One visit of an engine to a point: seconds for all of it, to the first token, and for each token after that.

    The last two are means over the batch; `token_s` is None where one token was asked for.
    """

    seconds: float
    first_s: float
    token_s: float | None


@dataclass(frozen=True, kw_only=True)
class PointResult:
    """A point's samples by leg, in the order of the rounds, and base over patched; `noise` is base over base.

    `others` is base over each engine beside them; both compare what `speed` does.
    """

    point: Point
    samples: dict[Leg, tuple[Sample, ...]]
    throughput: Interval
    first_token: Interval
    token: Interval | None
    """None where a visit of any engine had one token only."""
    noise: Interval
    others: dict[Leg, Interval] = field(default_factory=dict)
    busy_s: dict[Leg, float] = field(default_factory=dict)
    """For each token the seconds in which the device ran anything, of one visit; only where a profiler saw it."""

    @property
    def speed(self) -> Interval:
        """Of tokens per second: while it decodes, where that is the point; else over the whole visit."""
        return self.token if self.token and self.point.phase == "decode" else self.throughput


@dataclass(frozen=True, kw_only=True)
class Other:
    """An engine beside those compared, at the same visits: the base with an argument changed, or one patch alone."""

    leg: Leg
    speedup: Interval
    """As a bench's own."""
    arguments: dict[str, Value] = field(default_factory=dict)
    run: str = ""
    """Whose patch alone is in it; empty where it is the base."""


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """What two engines said to the same prompts, compared under a contract that is stated in words.

    Up to the first token in which they differ their log-probabilities may lie `tolerance` nats apart at most, and where
    they first differ the base's two best must lie no further apart than that: a tie, which rounding decides.
    """

    contract: str
    sequences: int
    identical: int
    common_tokens: float
    """Tokens before the first difference, as a mean over the sequences."""
    worst_nats: float
    holds: bool
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Engaged:
    """A place of the patch, and how often the running engine came by; captured graphs replay without coming by."""

    place: str
    count: int


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """A command of the user's, run on an engine: how it ended and its last line of output."""

    leg: Leg
    code: int
    said: str


@dataclass(frozen=True, kw_only=True)
class EngineBench:
    """An engine with a patch against the same engine without; `files` are all in which the two differ."""

    runs: tuple[str, ...]
    engine: str
    version: str
    device: str
    model: str
    arguments: dict[str, Value]
    files: tuple[str, ...]
    digests: dict[Leg, str]
    """Of every Python source and every patched file of each side."""
    points: tuple[PointResult, ...]
    speedup: Interval
    """Geometric mean over the points of tokens per second, as each point's `speed` has them."""
    noise: Interval
    engaged: tuple[Engaged, ...]
    likeness: Likeness
    accuracy: tuple[Accuracy, ...] = ()
    others: tuple[Other, ...] = ()
    cores: tuple[int, ...] = ()
    """Processors that all engines were kept to while they were measured; empty where each had what there was."""
    stolen: float | None = None
    """Share of these processors' time that the host of a virtual machine gave to others meanwhile; not known of points
    that were taken over from an earlier call."""
    logprobs: bool = False
    """Whether the log-probability of each token was asked for at every visit."""
    setting: str = ""
    """Digest of the interpreter that serves and of the variables that it is set up by."""

    @property
    def is_engaged(self) -> bool:
        return any(one.count for one in self.engaged)
