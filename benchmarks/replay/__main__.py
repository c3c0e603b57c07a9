"""Compare the strategies, and memory with none, at equal budget on what was recorded; no kernel is run.

    python -m benchmarks.replay            writes the tables of README.md and docs/replay.md between their markers
    python -m benchmarks.replay --check    exits 1 if one of them does not say what the recordings say

The real chain searches each kernel that benchmarks/landscape.py recorded, several times over. Two providers play the
model: one that proposes by chance, and one that proposes what screens best, where a screening errs as those of the runs
on an H200 erred against their verdicts. README.md has what was timed on an H200, docs/replay.md what was estimated.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.replay.tables import RESULTS, Told, table

ROOT = Path(__file__).parents[2]
BEGIN, END = "<!-- replay: written by benchmarks/replay -->", "<!-- end of replay -->"
PAGES: dict[str, tuple[str, Told]] = {
    "README.md": ("2026-12-02-h200-landscapes", "a rough look"),
    "docs/replay.md": ("2026-11-29-replay", "the estimate"),
}


def main() -> None:
    stale = False
    for name, (folder, told) in PAGES.items():
        page = ROOT / name
        before = page.read_text()
        start, end = before.index(BEGIN) + len(BEGIN), before.index(END)
        after = f"{before[:start]}\n{table(RESULTS / folder, told)}\n{before[end:]}"
        stale = stale or after != before
        if "--check" not in sys.argv:
            page.write_text(after)
    sys.exit(stale and "--check" in sys.argv)


if __name__ == "__main__":
    main()
