"""What a benchmark of an engine prints, and its exit code."""

from __future__ import annotations

from kmaint.console import DONE, NO, Format, print_lines, print_object, print_table
from kmaint.records.engine import EngineBench, PointResult
from kmaint.records.timing import Interval
from kmaint.wire import dump

WORST = 0.99
"""No point of an engine may be slower than this."""


def bench(found: EngineBench, output: Format) -> int:
    """Base over patched at each point; the answer is no where one is slower or the engines disagree."""
    if output is Format.JSON:
        print_object("kmaint.bench/1", dump(found))
    else:
        columns = (
            "point",
            "throughput",
            "first token",
            "each token",
            "base over base",
            *(one.leg for one in found.others),
        )
        print_table(columns, [_row(one) for one in found.points])
        print_lines(
            f"{one.point.name}: the device is busy for {_busy(one)} a token, whatever the host does"
            for one in found.points
            if {"base", "patched"} <= one.busy_s.keys()
        )
        print_lines(f"comes by {one.place}: {one.count:,} times" for one in found.engaged)
        alike = found.likeness
        print_lines(
            [
                f"{alike.identical} of {alike.sequences} sequences identical, {alike.common_tokens:.1f} tokens in "
                f"common; {alike.contract}: {'holds' if alike.holds else alike.reason}",
                *(f"{one.leg}: {_interval(one.speedup)} of base's tokens per second" for one in found.others),
                *(f"{one.leg}: accuracy command ended with {one.code}: {one.said}" for one in found.accuracy),
                *(["each token was asked for with its log-probability"] if found.logprobs else []),
                *([f"the host gave {found.stolen:.1%} of the processors' time to others"] if found.stolen else []),
                f"{found.engine} {found.version} on {found.device or 'no GPU'}: {_interval(found.speedup)} of base's "
                f"tokens per second over {len(found.points)} points, base over base {_interval(found.noise)}",
            ]
        )
    slower = any(one.speed.high < WORST for one in found.points)
    failed = any(one.code for one in found.accuracy)
    return NO if slower or failed or not found.likeness.holds else DONE


def _row(found: PointResult) -> tuple[str, ...]:
    token = _interval(found.token) if found.token else ""
    ratios = (found.speed, found.first_token)
    rest = (found.noise, *found.others.values())
    return found.point.name, *map(_interval, ratios), token, *map(_interval, rest)


def _busy(found: PointResult) -> str:
    base, patched = found.busy_s["base"], found.busy_s["patched"]
    return f"{base * 1e6:,.0f} us, {patched * 1e6:,.0f} us with the patch ({base / patched:.3f}x)"


def _interval(ratio: Interval) -> str:
    return f"{ratio.ratio:.3f} ({ratio.low:.3f} to {ratio.high:.3f})"
