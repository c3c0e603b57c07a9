"""Extract every launched Triton kernel of trees, and keep how many stand alone, what stopped the others, and the time.

    python -m benchmarks.extract_all TREE... [-o FILE]

writes the FILE (benchmarks/results/DATE-extract.json) and its table in docs/harnesses.md. A tree that an earlier call
measured into the same file is replaced, others are kept. Each tree is extracted into an empty folder.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.pages import Place

HERE = Path(__file__).parent
PLACE = Place("docs/harnesses.md", "extract", "benchmarks/extract_all.py")
HEAD = (
    "| tree | kernels launched | import | ready | with the launcher | alone | seconds |",
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
)
MOST_REASONS = 12
DETAIL = re.compile(r"\(kernel\.py line \d+\)|'[^']*'|\b\d[\d.]*\b")
"""What of a reason differs from kernel to kernel."""


def main() -> None:
    today = datetime.datetime.now(tz=datetime.UTC).date()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "trees", type=Path, nargs="+", metavar="TREE", help="a git checkout, as 'kmaint fetch' makes it"
    )
    parser.add_argument("-o", "--output", type=Path, default=HERE / "results" / f"{today}-extract.json")
    given = parser.parse_args()
    known = json.loads(given.output.read_text())["trees"] if given.output.is_file() else []
    for tree in given.trees:
        known = [one for one in known if one["tree"] != tree.name]
        known = sorted([*known, measured(tree)], key=lambda one: str(one["tree"]))
        given.output.write_text(json.dumps({"trees": known}, indent=1) + "\n")
    PLACE.put(table(known))


def measured(tree: Path) -> dict[str, Any]:
    """One run of the command over a tree, on all the cores there are."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "kmaint", "extract", str(tree), "--all", "-o", f"{folder}/out"]
        load, started = os.getloadavg()[0], time.monotonic()
        finished = subprocess.run([*command, "--format", "json"], stdout=subprocess.PIPE, check=False)
        seconds = time.monotonic() - started
    answer = json.loads(finished.stdout)
    left = [one for one in answer["harnesses"] if one["state"] != "ready"]
    return {
        "tree": tree.name,
        "date": str(datetime.datetime.now(tz=datetime.UTC).date()),
        "cores": len(os.sched_getaffinity(0)),
        "python": sys.version.split()[0],
        "load_before": load,
        "seconds": seconds,
        "counts": answer["counts"],
        "reasons": Counter(_kind(one["reason"]) for one in left).most_common(MOST_REASONS),
        "lost": [one for one in left if "its process ended" in one["reason"]],
    }


def _kind(reason: str) -> str:
    """A reason without what is its kernel's own."""
    return DETAIL.sub("", reason.partition("; with its launcher: ")[0]).strip()


def table(trees: list[dict[str, Any]]) -> str:
    """A row a tree; levels are those of the ready."""
    lines = [*HEAD]
    for one in trees:
        counts = one["counts"]
        launched, ready = counts["launched"], counts["ready"]
        levels = counts["levels"]["ready"]
        imports = ready + counts["imports"]
        lines.append(
            f"| {one['tree']} | {launched} | {imports} ({imports / launched:.0%}) | {ready} ({ready / launched:.0%}) "
            f"| {levels.get('launcher', 0)} | {levels.get('kernel', 0)} | {one['seconds']:.0f} |"
        )
    newest = max(trees, key=lambda one: str(one["date"]))
    lines.append(f"\n{newest['date']}, {newest['cores']} cores, Python {newest['python']}, no GPU; one run each.")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
