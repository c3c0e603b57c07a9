"""Time a scan of a tree against a text search for its markers, and against parsing every Python file.

    python -m benchmarks.scan TREE... [--repetitions 7]

writes benchmarks/results/DATE-scan.json, every sample of every leg, and its table in docs/harnesses.md. Each tree is
copied first, since some legs change files of it. All legs run in turn, repetition by repetition, so that a busy machine
slows all of them alike; processor seconds, of all processes of a leg, hardly depend on what else runs.
"""

from __future__ import annotations

import argparse
import ast
import datetime
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from benchmarks.pages import Place
from extract.scan.pool import crew

ROOT = Path(__file__).parent.parent
PLACE = Place("docs/harnesses.md", "scan", "benchmarks/scan.py")
MARKERS = r"@.*(jit|kernel|prim_func)\b|__global__"
SUFFIXES = ("*.py", "*.cu", "*.cuh", "*.hip", "*.h", "*.hpp", "*.hxx", "*.cpp", "*.cc", "*.cxx", "*.inl")
NAMES = {
    "cold": "`kmaint scan --no-cache`",
    "again": "`kmaint scan`, nothing changed",
    "one": "`kmaint scan`, 1 file with kernels changed",
    "ten": "`kmaint scan`, 10 files with kernels changed",
    "version": "`kmaint --version`",
    "grep": "`git grep -nE` for the markers",
    "parse": "`ast.parse` of every Python file, all cores",
}

Sample = tuple[float, float]
"""Seconds by the clock, and of processors."""


def main() -> None:
    if sys.argv[1:2] == ["--parse"]:
        parse_all(Path(sys.argv[2]))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "trees", type=Path, nargs="+", metavar="TREE", help="a git checkout, as 'kmaint fetch' makes it"
    )
    parser.add_argument("--repetitions", type=int, default=7)
    given = parser.parse_args()
    today = datetime.datetime.now(tz=datetime.UTC).date()
    found = {
        "date": str(today),
        "cores": len(os.sched_getaffinity(0)),
        "python": sys.version.split()[0],
        "load_before": os.getloadavg()[0],
        "trees": [measure(tree, given.repetitions) for tree in given.trees],
    }
    (ROOT / "benchmarks" / "results" / f"{today}-scan.json").write_text(json.dumps(found, indent=1) + "\n")
    PLACE.put(table(found))


def measure(tree: Path, repetitions: int) -> dict[str, object]:
    """Samples of every leg on a copy of a tree; the first scan of it fills the cache and is not counted."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, tree.name)
        shutil.copytree(tree, copy, symlinks=True)
        environment = {**os.environ, "XDG_CACHE_HOME": f"{folder}/cache"}
        kmaint = [sys.executable, "-m", "kmaint"]
        scan = [*kmaint, "scan", str(copy), "--format", "json", "--quiet"]
        first = json.loads(subprocess.run(scan, env=environment, capture_output=True, check=True).stdout)
        python = sorted({kernel["path"] for kernel in first["kernels"] if kernel["path"].endswith(".py")})
        spread = [copy / path for path in python[:: max(1, len(python) // 10)]][:10]
        legs: dict[str, tuple[list[str], Callable[[], None]]] = {
            "cold": ([*scan, "--no-cache"], lambda: None),
            "again": (scan, lambda: None),
            "one": (scan, lambda: change(spread[5:6])),
            "ten": (scan, lambda: change(spread)),
            "version": ([*kmaint, "--version"], lambda: None),
            "grep": (["git", "-C", str(copy), "grep", "-nE", MARKERS, "--", *SUFFIXES], lambda: None),
            "parse": ([sys.executable, "-m", "benchmarks.scan", "--parse", str(copy)], lambda: None),
        }
        samples: dict[str, list[Sample]] = {leg: [] for leg in legs}
        for _ in range(repetitions):
            for leg, (command, prepare) in legs.items():
                prepare()
                samples[leg].append(seconds_of(command, environment))
    return {"tree": tree.name, "files": first["files"], "kernels": len(first["kernels"]), "seconds": samples}


def change(paths: list[Path]) -> None:
    for path in paths:
        with path.open("a") as file:
            file.write("# another line\n")


def seconds_of(command: list[str], environment: dict[str, str]) -> Sample:
    before, started = _processors(), time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True, cwd=ROOT)
    return time.perf_counter() - started, _processors() - before


def _processors() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def parse_all(tree: Path) -> None:
    warnings.simplefilter("ignore")
    with crew(tree) as parsers:
        parsers.map(_parse, [(str(path),) for path in sorted(tree.rglob("*.py"))])


def _parse(_tree: Path, path: str) -> None:
    ast.parse(Path(path).read_bytes())


def table(found: dict[str, object]) -> str:
    """A Markdown table for each tree: medians, their range, and how many times as long as the search each takes."""
    trees = found["trees"]
    assert isinstance(trees, list)
    busy = f"load average {found['load_before']:.1f} before the first leg"
    lines = [f"{found['date']}, {found['cores']} cores, {busy}, Python {found['python']}; medians.", ""]
    for tree in trees:
        clock = {leg: [sample[0] for sample in samples] for leg, samples in tree["seconds"].items()}
        medians = {leg: statistics.median(values) for leg, values in clock.items()}
        title = f"{tree['tree']}: {tree['kernels']:,} kernels in {tree['files']:,} files"
        lines += [
            f"| {title} | seconds (range) | processor seconds | times the search | times parsing |",
            "| --- | ---: | ---: | ---: | ---: |",
        ]
        for leg, values in clock.items():
            spent = statistics.median(sample[1] for sample in tree["seconds"][leg])
            lines.append(
                f"| {NAMES[leg]} | {medians[leg]:.2f} ({min(values):.2f} to {max(values):.2f}) | {spent:.2f} "
                f"| {medians[leg] / medians['grep']:.2f} | {medians[leg] / medians['parse']:.2f} |"
            )
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
