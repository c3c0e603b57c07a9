"""Compare the strategies, and memory with none, at equal budget on what was recorded; no kernel is run.

    python -m benchmarks.replay            writes the tables of README.md and docs/searching.md
    python -m benchmarks.replay --check    exits 1 if one of them does not say what the recordings say

The real chain searches each kernel that benchmarks/landscape.py recorded, several times over. Two providers play the
model: one that proposes by chance, and one that proposes what screens best, where a screening errs as those of the runs
on an H200 erred against their verdicts. What was timed on an H200 comes first, what was estimated stands apart.
"""

from __future__ import annotations

import sys
from functools import partial

from benchmarks.pages import Place
from benchmarks.replay.tables import RESULTS, compared, measured, memory, screened, unscreened

place = partial(Place, script="benchmarks/replay")


def main(*, check: bool) -> int:
    with compared(RESULTS / "2026-12-02-h200-landscapes") as timed:
        tables = {
            place("README.md", "strategies"): unscreened(timed, "a rough look"),
            place("docs/searching.md", "timed"): "\n\n".join((screened(timed), memory(timed), measured(timed.replay))),
        }
    with compared(RESULTS / "2026-11-29-replay") as estimated:
        said = (unscreened(estimated, "the estimate"), screened(estimated), memory(estimated))
        tables[place("docs/searching.md", "estimates")] = "\n\n".join(said)
    stale = [where.put(text, check=check) for where, text in tables.items()]
    return int(check and any(stale))


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv))
