"""What was called what, as a table."""

from __future__ import annotations

import statistics
from typing import Any

SHORTEST_US = 10.0


def rows(content: dict[str, Any]) -> list[str]:
    """The table, by what was compared and how long a call takes."""
    lines = [
        "| compared | comparisons | called a win | called a loss | called right | true ratio |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for kind, title, right in (
        ("same", "the original and a copy of it", "none"),
        ("faster", "3 % taken away", "win"),
        ("slower", "3 % added", "loss"),
    ):
        parts = [part for part in content["parts"] if part["state"] == "measured" and part["kind"] == kind]
        for long in (False, True):
            found = [one for part in parts for one in part["comparisons"] if _long(one) == long]
            if not found:
                continue
            calls = [one["call"] for one in found]
            known = sorted({round(part["known"]["ratio"], 3) for part in parts if "known" in part})
            said = " to ".join(f"{value:.3f}" for value in sorted({known[0], known[-1]})) if known else "1"
            counts = [f"{calls.count(call)} ({calls.count(call) / len(calls):.1%})" for call in ("win", "loss", right)]
            length = "over" if long else "under"
            lines.append(f"| {title}, {length} 10 us | {len(found)} | {' | '.join(counts)} | {said} |")
    lines.extend(simulated(one) for one in content.get("simulated", ()) if one["effect"] in (1.0, 1.03, 1 / 1.03))
    failed = [part for part in content["parts"] if part["state"] != "measured"]
    lines.extend(
        f"| {part['name']} | refused: {why} | | | | |" for part in content["parts"] for why in part.get("refused", ())
    )
    lines.extend(f"| {part['name']} | failed: {part['reason'][:120]} | | | | |" for part in failed)
    found = [one for part in content["parts"] for one in part.get("comparisons", ())]
    if found:
        lines += ["", beside(found)]
    return lines


def simulated(one: dict[str, Any]) -> str:
    noise = "1.5 times their noise, outliers" if one["harsh"] else "their noise"
    right = {1.0: "none", 1.03: "win"}.get(one["effect"], "loss")
    counts = " | ".join(f"{one[call]:.1%}" for call in ("win", "loss", right))
    return f"| simulated from recorded blocks, {noise} | {one['times']} | {counts} | {one['effect']:.3f} |"


def _long(one: dict[str, Any]) -> bool:
    return bool(statistics.median(one["original_us"]) > SHORTEST_US)


def beside(found: list[dict[str, Any]]) -> str:
    """What stands beside the calls: both other clocks, blocks, outputs."""
    apart = sorted(abs(one["wall_ratio"] / one["ratio"][0] - 1.0) for one in found if one["wall_ratio"])
    blocks = statistics.mean(len(one["original_us"]) for one in found)
    busy = [(one["busy_us"], one["original_us"]) for one in found if one["busy_us"][0] is not None]
    gaps = sorted(statistics.median(us) - traced[0] for traced, us in busy)
    said = [
        f"{blocks:.0f} paired blocks a comparison on average, {sum(one['dropped'] for one in found)} measured again",
        f"{sum(one['compared'] or 0 for one in found)} outputs of timed calls judged in another process",
    ]
    if apart:
        quantile = apart[min(len(apart) - 1, int(0.99 * len(apart)))]
        said.append(
            f"ratios by the parent's clock differ from the claimed ones by {statistics.median(apart):.2%} in the "
            f"median, {quantile:.2%} in the 99th percentile and {apart[-1]:.2%} at most"
        )
    if gaps:
        said.append(
            f"a call takes {statistics.median(gaps):.2f} us longer by events than CUPTI says that the device was busy "
            f"({gaps[0]:.2f} to {gaps[-1]:.2f})"
        )
    return "; ".join(said) + "."
