"""Error rates of the gate's rule on blocks that are drawn from what recorded comparisons left."""

from __future__ import annotations

import argparse
import json
import math
import statistics

from benchmarks.pages import ROOT
from benchmarks.timing.kept import Kept


def simulate(options: argparse.Namespace) -> int:
    """Draws block ratios from the residuals of recorded comparisons, and leg offsets from their A/A ratios."""
    import random

    from kmaint.evaluate.timing import ratios as timing
    from kmaint.intervals import interval

    pools, offsets = residuals()
    draw = random.Random(1)

    def leg() -> float:
        return draw.choice(offsets) / math.sqrt(2.0) * draw.choice((-1, 1))

    def once(effect: float, *, harsh: bool) -> tuple[str, int]:
        pool, legs = draw.choice(pools), [leg() for _ in range(4)]

        def noise() -> float:
            jump = draw.choice((-1, 1)) * draw.uniform(0.02, 0.2) if harsh and draw.random() < 0.05 else 0.0
            return draw.choice(pool) * (1.5 if harsh else 1.0) + jump

        pair: list[float] = []
        control: list[float] = []
        while True:
            for _ in range(12):
                n = len(pair)
                pair.append(math.exp(legs[n % 2] - legs[2 + n // 2 % 2] + noise() + math.log(effect)))
                control.append(math.exp(legs[0] - legs[1] + noise()))
            ones = [1.0] * len(pair)
            noise_interval = interval(control, ones)
            if len(pair) >= 48 or timing.settled(pair, ones, noise_interval):
                break
        speedup, floor = interval(pair, ones), max(noise_interval.high - 1, 1 - noise_interval.low, 0.01)
        win, loss = speedup.low > 1 + floor, speedup.high < 1 / (1 + floor)
        return "win" if win else "loss" if loss else "none", len(pair)

    cases = []
    for harsh in (False, True):
        for effect in (1.0, 1.005, 1.01, 1.02, 1.03, 1 / 1.03):
            found = [once(effect, harsh=harsh) for _ in range(options.times)]
            calls = [call for call, _ in found]
            rates = {call: calls.count(call) / len(calls) for call in ("win", "loss", "none")}
            blocks = statistics.mean(blocks for _, blocks in found)
            cases.append({"harsh": harsh, "effect": effect, "times": len(found), "blocks": blocks, **rates})
            print(cases[-1], flush=True)
    kept = Kept(options.result)
    kept.content["simulated"] = cases
    kept.write()
    return 0


def residuals() -> tuple[list[list[float]], list[float]]:
    pools, offsets = [], []
    for path in sorted((ROOT / "benchmarks" / "results" / "2026-11-21-h200").glob("*.json")):
        for evaluation in json.loads(path.read_text())["run"]["evaluations"]:
            for found in (evaluation["verdict"].get("timing") or {"workloads": ()})["workloads"]:
                pairs = zip(found["original_us"], found["candidate_us"], strict=True)
                logs = [math.log(a / b) for a, b in pairs]
                pools.append([value - statistics.median(logs) for value in logs])
                offsets.append(math.log(found["noise"]["ratio"]))
    return pools, offsets
