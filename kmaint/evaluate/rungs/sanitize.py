"""Runs a candidate under NVIDIA's compute-sanitizer: accesses out of bounds, races, reads of memory nobody wrote.

Values show none of these: a load past the end whose result is masked away, a barrier too few that holds by luck.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from kmaint.child import run_child
from kmaint.evaluate.bench import Bench, environment_of, side_by_side
from kmaint.evaluate.rungs.toolkit import find_program
from kmaint.evaluate.workers.turns import Turns
from kmaint.folder import KERNEL
from kmaint.records.evaluation import Code, Rejection, Wrong
from kmaint.records.harness import Harness

Tool = Literal["memcheck", "racecheck", "initcheck"]
RUNNER = Path(__file__).parents[1] / "workers" / "sanitizing.py"
PROGRAM = "compute-sanitizer"
FAILURES = "failures.json"
"""In the harness folder: cases on which earlier candidates failed, as its suite wrote them down."""

MOST_CASES = 8
ERROR_STATUS = 86
"""What the tool is told to end with where it reports anything: no program ends so by itself."""

STARTS: Mapping[Code, re.Pattern[str]] = {
    "memcheck": re.compile(r"Invalid __\w+__ (?:read|write|atomic)\b|Misaligned|Leaked|Program hit|Out-of-range"),
    "race": re.compile(r"(?:Error|Warning): (?:Race reported|Potential \w+ hazard)"),
    "uninitialised": re.compile(r"Uninitialized (?:__\w+__ )?memory read|Uninitialized access"),
}
"""How a report of each kind begins, behind the tool's row of equals signs."""

PREFIX = re.compile(r"^=+ ?(?P<rest>.*)$")
SUMMARY = re.compile(r"SUMMARY: (?P<count>\d+) (?:error|hazard)")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One report of the tool: a code of the gate, and its first two lines as one."""

    code: Code
    text: str


def sanitize(harness: Harness, candidate: Path, bench: Bench, scratch: Path) -> tuple[Rejection | None, str]:
    """Why the candidate is refused, and what the report says: what a tool finds in the original too is not blamed.

    For a machine with a GPU; where the program is not installed nothing is refused and that is said.
    """
    program = find_program(PROGRAM)
    if program is None:
        return None, f"no {PROGRAM} on PATH, so memory and races were not checked"
    tools: tuple[Tool, ...] = get_args(Tool)
    # Each takes a core, and most of its time to start.
    ran = side_by_side(lambda tool: _run(program, tool, harness, candidate, bench, scratch), tools)
    for tool, found in zip(tools, ran, strict=True):
        if found.findings and not _known(program, tool, harness, bench, scratch):
            first = found.findings[0]
            return Wrong(reason=f"{tool}: {first.text}", codes=(first.code,), log=found.log), ""
        if not found.findings and found.trouble:
            return None, f"{tool} said nothing: {found.trouble}"
    return None, f"{PROGRAM}: {', '.join(tools)} find nothing that the original has not"


@dataclass(frozen=True, kw_only=True)
class Ran:
    """One run of a tool; `trouble` is why its silence means nothing, empty where it means that all is well."""

    findings: tuple[Finding, ...]
    log: str
    trouble: str = ""


def command(program: str, tool: Tool, python: Path, folder: Path, file: Path, entry: str) -> list[str | Path]:
    """The command line; the cases go to its standard input as a JSON list."""
    options = ["--tool", tool, "--error-exitcode", str(ERROR_STATUS), "--print-limit", "20"]
    return [program, *options, python, RUNNER, folder, file, entry]


def _run(program: str, tool: Tool, harness: Harness, file: Path, bench: Bench, scratch: Path) -> Ran:
    folder = harness.folder.resolve()
    # Uncached, each tensor is an allocation of its own: the tools see its end, and what was never written in it.
    environment = {**environment_of(folder, scratch, gpu=True, only=bench.gpu), "PYTORCH_NO_CUDA_MEMORY_CACHING": "1"}
    with bench.stop.waiting(Turns(bench.turns).shared()):
        finished = run_child(
            command(program, tool, bench.python, folder, file.resolve(), harness.entry),
            timeout_s=bench.limits_s["device"],
            env=environment,
            cwd=scratch,
            stdin=json.dumps(cases_for(harness)),
            stop=bench.stop,
        )
    log = finished.stdout + finished.stderr
    found = findings(log)
    trouble = ""
    if finished.timed_out:
        trouble = f"no end within {bench.limits_s['device']:.0f} s"
    elif finished.code not in (0, ERROR_STATUS) or SUMMARY.search(log) is None:
        trouble = (log.strip().splitlines() or ["no output"])[-1]
    return Ran(findings=tuple(found), log=log, trouble=trouble)


def _known(program: str, tool: Tool, harness: Harness, bench: Bench, scratch: Path) -> bool:
    """Whether the tool reports the original too; asked once a harness."""
    mark = f"{tool} of {harness.folder.resolve()}"
    if mark not in bench.known:
        original = harness.folder / KERNEL  # not one that was built as a candidate: it runs here alone
        bench.known[mark] = bool(_run(program, tool, harness, original, bench, scratch).findings)
    return bool(bench.known[mark])


def findings(log: str) -> list[Finding]:
    """What a log of the tool reports, in order; each with the line behind its first, which says where."""
    lines = [match["rest"].strip() for line in log.splitlines() if (match := PREFIX.match(line.strip()))]
    found: list[Finding] = []
    for index, line in enumerate(lines):
        code = next((code for code, start in STARTS.items() if start.search(line)), None)
        if code is not None:
            where = lines[index + 1] if index + 1 < len(lines) else ""
            found.append(Finding(code=code, text=f"{line} {where}".strip()))
    return found


def cases_for(harness: Harness) -> list[dict[str, Any]]:
    """The smallest workload, and the cases that earlier candidates failed on: small, and worth looking at closely."""
    smallest = min((dict(one.axes) for one in harness.contract.workloads), key=_size, default=None)
    failed = harness.folder / FAILURES
    known = list(json.loads(failed.read_text()).values()) if failed.is_file() else []
    names = {axis.name for axis in harness.contract.axes}
    usable = [case for case in known if names <= set(case) and not case.get("twist")]
    return [*([smallest] if smallest else []), *usable[: MOST_CASES - 1]]


def _size(axes: Mapping[str, object]) -> int:
    return math.prod(max(1, size) for size in axes.values() if isinstance(size, int))
