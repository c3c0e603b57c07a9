"""A kernel with a known time added: how many cycles make it 3 % slower, and what they really do.

That is measured in a process and a loop of its own, by nothing that is the gate's.
"""

from __future__ import annotations

import argparse
import ast
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.pages import ROOT

EFFECT = 0.03
MISSED = 0.006
"""How far from EFFECT what was planted may be by the long run, to be called by its name."""
REPLAYS = 400

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


class Refused(Exception):
    """The gate refused what it should have timed."""


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
