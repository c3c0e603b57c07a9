"""How often the gate's clock is wrong: the original against itself, and against itself with a known 3 % added.

    timing.py prepare DIR --sglang TREE --vllm TREE     here: cuts the harnesses, puts kmaint's two packages beside them
    timing.py run DIR RESULT.json [--minutes M]         on a GPU; continues a result that is there
    timing.py run DIR RESULT.json --clock wall          the same path without a GPU, with a second call as what is added
    timing.py simulate RESULT.json                      error rates of the rule on the residuals of recorded runs
    timing.py table RESULT.json                         the table of docs/measured.md, from that file alone

`run` needs an interpreter with torch, triton, pytest and hypothesis, and no network. Every comparison goes through the
gate's own `measure`: one worker for each part, its outputs judged by a second one. A comparison is one workload of one
round; it is called as a win or a loss by the rule that the gate has for all workloads together.

What is added is a wait in the last program of the kernel, of as many cycles as make it 3 % slower. How much slower it
is then is measured beforehand by `calibrate`: a process and a loop of its own, 400 alternating graph replays. The
slowed kernel is the candidate for a slowdown, and the original for a speedup.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import functools
import importlib.util
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from benchmarks.pages import Place

Clock = Literal["graph", "wall"]

ROOT = Path(__file__).resolve().parent.parent

KERNELS = {
    "sglang": ("fused_rmsnorm_kernel", "merge_state_kernel", "_triton_mrope_forward_fused", "reshape_and_cache_flash"),
    "vllm": ("vllm/v1/attention/ops/triton_merge_attn_states.py::merge_attn_states_kernel",),
}
PLANTED = (
    ("vllm-merge-attn-states-kernel", "T768"),
    ("vllm-merge-attn-states-kernel", "T4096"),
    ("sglang-triton-mrope-forward-fused", "T4096"),
)
"""Workloads of 17 to 90 us on an H200; the last one works in place. In fused_rmsnorm_kernel the wait alone, however
short, costs 4.4 %, so nothing of 3 % can be planted there."""
COMPARISONS = 300
PLANTED_ROUNDS = 20
"""Of each workload and sign: 60 comparisons of each sign."""
EFFECT = 0.03
MISSED = 0.006
"""How far from EFFECT what was planted may be by the long run, to be called by its name."""
REPLAYS = 400
SHORTEST_US = 10.0
PLACE = Place("docs/measured.md", "timing", "benchmarks/timing.py")
PACKAGES = ("pydantic", "tomlkit")

SPIN = """
@triton.jit
def kmaint_spin(CYCLES: tl.constexpr):
    start = tl.inline_asm_elementwise("mov.u64 $0, %clock64;", "=l", [], dtype=tl.int64, is_pure=False, pack=1)
    now = start
    while now - start < CYCLES:
        now = tl.inline_asm_elementwise("mov.u64 $0, %clock64;", "=l", [], dtype=tl.int64, is_pure=False, pack=1)


"""
LAST = " & ".join(f"(tl.program_id({axis}) == tl.num_programs({axis}) - 1)" for axis in range(3))


def slowed(source: str, cycles: int) -> str:
    """The file with a wait at the start of the last program of each kernel that it launches."""
    tree = ast.parse(source)
    launched = {
        node.func.value.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Subscript) and isinstance(node.func.value, ast.Name)
    }
    kernels = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in launched]
    lines = source.splitlines(keepends=True)
    for kernel in sorted(kernels, key=lambda node: -node.lineno):
        first = kernel.body[1] if isinstance(kernel.body[0], ast.Expr) else kernel.body[0]
        indent = " " * first.col_offset
        lines.insert(first.lineno - 1, f"{indent}if {LAST}:\n{indent}    kmaint_spin({cycles})\n")
    above = min(min(node.lineno for node in kernel.decorator_list) for kernel in kernels)
    lines.insert(above - 1, SPIN)
    return "".join(lines)


def called_twice(source: str, entry: str) -> str:
    """For a dry run, in which nothing can wait a number of cycles: twice the work."""
    body = "    once(*arguments, **named)\n    return once(*arguments, **named)\n"
    return f"{source}\n\nonce = {entry}\n\n\ndef {entry}(*arguments, **named):\n{body}"


def prepare(options: argparse.Namespace) -> int:
    for framework, names in KERNELS.items():
        for name in names:
            command = [
                sys.executable,
                "-m",
                "kmaint",
                "extract",
                getattr(options, framework),
                name,
                "-o",
                options.folder,
            ]
            subprocess.run(command, check=True, cwd=ROOT)
    for path in options.folder.glob("*.ndjson"):
        path.unlink()
    target = ["--python-version", "3.12", "--only-binary", ":all:", "--platform", "manylinux2014_x86_64"]
    where = ["--target", options.folder / "site", "--upgrade", "--quiet"]
    subprocess.run([sys.executable, "-m", "pip", "install", *target, *where, *PACKAGES], check=True)
    return 0


class Kept:
    """The result file: written after every part, read again by the run that continues it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.content: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {"parts": []}

    def has(self, name: str) -> bool:
        return any(part["name"] == name and part["state"] == "measured" for part in self.content["parts"])

    def add(self, part: dict[str, Any]) -> None:
        self.content["parts"] = [one for one in self.content["parts"] if one["name"] != part["name"]] + [part]
        self.write()
        calls = [one["call"] for one in part.get("comparisons", ())]
        said = ", ".join(f"{calls.count(call)} {call}" for call in ("win", "none", "loss")) if calls else part["reason"]
        refused = "".join(f"; refused: {reason}" for reason in part.get("refused", ()))
        print(f"{part['seconds']:6.1f} s  {part['name']}: {said}{refused}", flush=True)

    def write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.content) + "\n")


def run(options: argparse.Namespace) -> int:
    if any(importlib.util.find_spec(name) is None for name in PACKAGES):
        sys.path.insert(0, str(options.folder.resolve() / "site"))
    from kmaint import evaluate, wire
    from kmaint.folder import read_harness

    dry = options.clock == "wall"
    bench = evaluate.open_bench(device="none" if dry else "cuda", progress=print, limits_s={"time": 120.0})
    kept, deadline = Kept(options.result), time.monotonic() + 60.0 * options.minutes
    kept.content["environment"] = wire.dump(bench.environment)
    found = {path.parent.name: path.parent for path in sorted(options.folder.glob("*/harness.toml"))}
    harnesses = {name: read_harness(folder) for name, folder in found.items()}
    longest_s = 30.0
    for name, part in parts(harnesses, bench, options):
        if kept.has(name):
            continue
        if time.monotonic() + longest_s > deadline:
            print("no time for another part; run it again to go on", flush=True)
            break
        started = time.monotonic()
        try:
            result = {"state": "measured", "reason": "", **part()}
        except Exception as error:  # noqa: BLE001 - a part that fails is a line of the result
            result = {"state": "failed", "reason": f"{type(error).__name__}: {error}"[:500]}
        seconds = time.monotonic() - started
        longest_s = max(longest_s, seconds)
        kept.add({"name": name, "seconds": round(seconds, 1), **result})
    print("\n".join(rows(kept.content)))
    return 0


class Refused(Exception):
    """The gate refused what it should have timed."""


def parts(harnesses: dict[str, Any], bench: Any, options: argparse.Namespace) -> list[tuple[str, Callable[[], Any]]]:
    """What is to be measured, by name; the two kinds take turns, so that a run cut short has some of each."""
    timed = sum(len(harness.contract.timed) for harness in harnesses.values())
    rounds = options.rounds or math.ceil(COMPARISONS / timed)
    same = [
        (f"same: {name}", functools.partial(compare_same, harness, bench, rounds, options.clock))
        for name, harness in harnesses.items()
    ]
    dry = [(name, harness.contract.timed[0].name) for name, harness in harnesses.items()]
    other = [
        (f"{sign}: {name} {workload}", functools.partial(planted, (harnesses[name], workload), sign, bench, options))
        for name, workload in (dry if options.clock == "wall" else PLANTED)
        if name in harnesses
        for sign in ("slower", "faster")
    ]
    mixed = [part for pair in zip(same, other[::2], other[1::2], strict=False) for part in pair]
    return mixed + [part for part in [*same, *other] if part not in mixed]


def compare_same(harness: Any, bench: Any, rounds: int, clock: Clock) -> dict[str, Any]:
    source = (harness.folder / "kernel.py").read_text()
    return {"kind": "same", **comparisons(harness, f"{source}\n# a copy\n", bench, rounds, clock)}


def planted(at: tuple[Any, str], sign: str, bench: Any, options: argparse.Namespace) -> dict[str, Any]:
    """The same kernel with a known time added, as the candidate or as the original."""
    harness, name = at
    one = tuple(workload for workload in harness.contract.workloads if workload.name == name)
    harness = dataclasses.replace(harness, contract=dataclasses.replace(harness.contract, workloads=one))
    source = (harness.folder / "kernel.py").read_text()
    if options.clock == "wall":
        known: dict[str, Any] = {"ratio": 2.0}
        slow = called_twice(source, harness.entry)
    else:
        known = calibrated(harness.folder, harness.entry, name, options.folder)
        slow = slowed(source, known["cycles"])
    rounds = options.rounds or PLANTED_ROUNDS
    if sign == "slower":
        return {"kind": sign, "known": known, **comparisons(harness, slow, bench, rounds, options.clock)}
    with tempfile.TemporaryDirectory(prefix="kmaint-planted-") as scratch:
        folder = Path(shutil.copytree(harness.folder, Path(scratch) / harness.folder.name))
        (folder / "kernel.py").write_text(slow)
        slow_harness = dataclasses.replace(harness, folder=folder)
        found = comparisons(slow_harness, source, bench, rounds, options.clock)
    return {"kind": sign, "known": known, **found}


def comparisons(harness: Any, source: str, bench: Any, rounds: int, clock: Clock) -> dict[str, Any]:
    """Every workload of every round that was not refused, and the reasons of those that were."""
    from kmaint.evaluate.bench import scratch_with
    from kmaint.evaluate.timing.measuring import Effort, Measured, measure_rounds

    effort = Effort(rounds=rounds, clock=clock)
    if clock == "wall":
        effort = dataclasses.replace(effort, most_blocks=4)
    with scratch_with(source) as (scratch, file):
        found = measure_rounds(harness, file, bench, scratch, effort)
    refused = [f"{one.kind} {', '.join(one.codes)}: {one.reason}" for one in found if not isinstance(one, Measured)]
    if len(refused) == len(found):
        raise Refused(refused[0])
    timings = [timing for one in found if isinstance(one, Measured) for timing in one.timing.workloads]
    return {"comparisons": [comparison(timing) for timing in timings], "refused": refused}


def comparison(found: Any) -> dict[str, Any]:
    """One workload's samples, and what the rule says of them alone."""
    from kmaint.evaluate.timing.ratios import combine, is_loss, is_win

    timing = combine([found])
    samples = ("original_us", "candidate_us", "control_a_us", "control_b_us")
    traces = (found.original_trace, found.candidate_trace)
    return {
        "workload": found.workload,
        "call": "win" if is_win(timing) else "loss" if is_loss(timing) else "none",
        "ratio": [round(value, 5) for value in vars(timing.speedup).values()],
        "noise": [round(value, 5) for value in vars(found.noise).values()],
        "noise_floor": round(timing.noise_floor, 5),
        "wall_ratio": None if found.wall_ratio is None else round(found.wall_ratio, 5),
        "eager_ratio": round(found.eager.ratio, 4),
        "busy_us": [None if trace is None else round(trace.busy_us, 4) for trace in traces],
        "launches": [None if trace is None else trace.launches for trace in traces],
        "conditions": [list(vars(one).values()) for one in found.conditions],
        "dropped": found.dropped,
        "compared": found.compared,
        **{name: [round(us, 4) for us in getattr(found, name)] for name in samples},
    }


def calibrated(folder: Path, entry: str, workload: str, kept_in: Path) -> dict[str, Any]:
    """How many cycles make the workload 3 % slower, and what they really do; asked once for both signs."""
    kept = kept_in / f"calibrated-{folder.name}-{workload}.json"
    if not kept.is_file():
        command = [
            sys.executable,
            "-m",
            "benchmarks.timing",
            "calibrate",
            str(folder.resolve()),
            entry,
            workload,
            str(kept.resolve()),
        ]
        environment = {**os.environ, "PYTHONPATH": str(folder.resolve())}
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=120, check=False, cwd=ROOT
        )
        if done.returncode:
            raise Refused(f"not calibrated: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")
    found: dict[str, Any] = json.loads(kept.read_text())
    if abs(found["ratio"] - 1.0 - EFFECT) > MISSED:
        raise Refused(f"the least wait makes it {found['ratio']:.3f} times as slow, so {EFFECT:.0%} cannot be planted")
    return found


def calibrate(options: argparse.Namespace) -> int:
    """In a process that holds nothing of the gate: secant steps to 3 %, then the long run that counts."""
    source = (options.folder / "kernel.py").read_text()
    with tempfile.TemporaryDirectory(prefix="kmaint-calibrate-") as scratch:
        loops = Loops(options, Path(scratch))
        plain_us = loops.plain_us()
        low, low_effect = 0, 0.0
        cycles = max(200, int(EFFECT * plain_us * 1700))
        for _ in range(8):
            effect = statistics.median(loops.ratios(slowed(source, cycles), REPLAYS // 8)) - 1.0
            if abs(effect - EFFECT) < 0.0007:
                break
            slope = (effect - low_effect) / (cycles - low) if effect > low_effect + 0.001 else 1.0 / (plain_us * 1980)
            if effect < EFFECT:
                low, low_effect = cycles, effect
            cycles = max(low + 20, int(cycles + (EFFECT - effect) / max(slope, 0.2 / (plain_us * 1980))))
        ratios = loops.ratios(slowed(source, cycles), REPLAYS)
    ordered = sorted(ratios)
    half = 1.96 * math.sqrt(len(ordered)) / 2
    middle = len(ordered) / 2
    found = {
        "cycles": cycles,
        "plain_us": plain_us,
        "ratio": statistics.median(ordered),
        "ratio_95": [ordered[int(middle - half)], ordered[int(middle + half)]],
        "replays": len(ordered),
        "ratios": [round(ratio, 5) for ratio in ratios],
    }
    options.result.write_text(json.dumps(found) + "\n")
    return 0


class Loops:
    """Alternating replays of two graphs over the same rotating inputs, timed by events; nothing of kmaint's."""

    def __init__(self, options: argparse.Namespace, scratch: Path) -> None:
        import torch
        from runtime import building, cases, subject  # type: ignore[import-not-found]

        self._torch, self._subject, self._scratch, self._entry, self._files = torch, subject, scratch, options.entry, 0
        contract = cases.Contract.read(options.folder)
        case = next(case for workload, case in contract.cases() if workload["name"] == options.workload)
        one = building.build(contract, case, "cuda")
        size = sum(buffer.raw.numel() for buffer in one.buffers.values())
        count = max(8, min(64, (512 << 20) // size))
        self._calls = [building.build(contract, case.but(seed=n), "cuda") for n in range(count)]
        self._busy = torch.empty(256 << 20, dtype=torch.uint8, device="cuda")
        self._plain = self._graph((options.folder / "kernel.py").read_text())

    def _graph(self, source: str) -> Any:
        torch = self._torch
        self._files += 1
        file = self._scratch / f"variant_{self._files}.py"
        file.write_text(source)
        entry = getattr(self._subject.load(file, file.stem), self._entry)
        side = torch.cuda.Stream()
        with torch.cuda.stream(side):
            entry(**self._calls[0].arguments)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            kept = [entry(**call.arguments) for call in self._calls]
        return graph, kept

    def _us(self, graph: Any) -> float:
        torch = self._torch
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        self._busy.zero_()  # the replay is queued before the device is free for it
        self._busy.zero_()
        start.record()
        graph[0].replay()
        end.record()
        end.synchronize()
        return float(start.elapsed_time(end)) * 1000.0 / len(self._calls)

    def plain_us(self) -> float:
        return statistics.median(self._us(self._plain) for _ in range(50))

    def ratios(self, source: str, replays: int) -> list[float]:
        """Slowed over plain, once for each pair of replays."""
        other, found = self._graph(source), []
        for n in range(replays + 5):
            pair = (other, self._plain) if n % 2 else (self._plain, other)
            one, two = (self._us(graph) for graph in pair)
            found.append(one / two if n % 2 else two / one)
        return found[5:]


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


def table(options: argparse.Namespace) -> int:
    content = json.loads(options.result.read_text())
    return int(PLACE.put("\n".join(rows(content)), check=options.check) and options.check)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("prepare")
    one.add_argument("folder", type=Path)
    one.add_argument("--sglang", type=Path, required=True)
    one.add_argument("--vllm", type=Path, required=True)
    one = commands.add_parser("run")
    one.add_argument("folder", type=Path)
    one.add_argument("result", type=Path)
    one.add_argument("--minutes", type=float, default=5.5)
    one.add_argument("--rounds", type=int, default=0, help="of every part; as many as the issue asks for if left out")
    one.add_argument("--clock", choices=("graph", "wall"), default="graph")
    one = commands.add_parser("calibrate")
    one.add_argument("folder", type=Path)
    one.add_argument("entry")
    one.add_argument("workload")
    one.add_argument("result", type=Path)
    one = commands.add_parser("simulate")
    one.add_argument("result", type=Path)
    one.add_argument("--times", type=int, default=2000)
    one = commands.add_parser("table")
    one.add_argument("result", type=Path)
    one.add_argument("--check", action="store_true")
    options = parser.parse_args()
    known = {"prepare": prepare, "run": run, "calibrate": calibrate, "simulate": simulate, "table": table}
    return known[options.command](options)


if __name__ == "__main__":
    sys.exit(main())
