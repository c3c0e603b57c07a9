"""Times what was recorded against the operator that serving runs, where the run itself found none to import."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.campaign import recorded
from benchmarks.campaign.kernels import Entry, read_entries
from benchmarks.campaign.preparing import HARNESSES, ready
from benchmarks.campaign.recorded import Recorded
from benchmarks.campaign.rows import interval
from benchmarks.campaign.shipping import against_shipped, contender
from kmaint import wire
from kmaint.config import load_config
from kmaint.folder import read_harness
from kmaint.records.harness import Harness


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A recorded run, the file it lies in below the folder of runs, and a harness of the very kernel that it is of."""

    entry: Entry
    harness: Harness
    found: Recorded
    path: Path

    @property
    def source(self) -> str:
        """What stands against the operator."""
        return contender(self.found.run, self.harness)


def against(options: argparse.Namespace) -> int:
    """Writes each run of RUNS to OUT as it was, with what came of this beside it; exit status 1 where nothing did."""
    config, failed = load_config(device=options.device), 0
    for pair in pairs(options.folder, options.runs, options.only):
        shipped = against_shipped(pair.entry, pair.harness, pair.source, options.shipped, config)
        said = interval(shipped.timing.speedup) if shipped.timing else shipped.reason
        failed += shipped.timing is None
        recorded.write(options.out / pair.path, dataclasses.replace(pair.found, shipped=shipped))
        print(f"{pair.path}: {said} over {pair.entry.shipped}", flush=True)
    return int(failed > 0)


def pairs(folder: Path, runs: Path, only: str) -> Iterator[Pair]:
    """The recorded runs whose kernel serving replaces by an operator that can be called, but for those timed before."""
    entries = {(entry.id, entry.release): entry for entry in read_entries()}
    for one in ready(folder):
        entry = entries[one.id, one.release]
        if not entry.call or only not in one.harness:
            continue
        harness = read_harness((folder / HARNESSES / one.harness).resolve())
        for path in sorted((runs / one.harness).glob("*.json")):
            found = recorded.read(path)
            if found is None or (found.shipped and found.shipped.timing):
                continue
            if found.harness["provenance"] == wire.dump(harness)["provenance"]:
                yield Pair(entry=entry, harness=harness, found=found, path=path.relative_to(runs))
