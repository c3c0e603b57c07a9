"""Verifies recorded wins anew: the harness cut from the release again, the winner through the whole gate again."""

from __future__ import annotations

import argparse
import functools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import extract
import reintegrate
from benchmarks.campaign import recorded
from benchmarks.campaign.kernels import Entry, read_entries
from benchmarks.campaign.recorded import WAYS, Outcome, Recorded, Verified
from benchmarks.campaign.rows import figure, interval
from benchmarks.campaign.shipping import NO_GPU, Against, against_shipped
from kmaint import wire, workflow
from kmaint.config import Config, load_config
from kmaint.console import Progress
from kmaint.errors import HarnessError, KmaintError, UsageError
from kmaint.folder import read_harness, split_regions, write_manifest, write_text
from kmaint.records.evaluation import Evaluation, Passed
from kmaint.records.harness import Harness
from kmaint.records.kernel import Scan
from kmaint.records.timing import Interval
from kmaint.records.workload import Contract

CLOSE = 0.05
"""Between machines of one kind a ratio moves by a few per cent; what is farther off is said, and is no failure."""


def verify(options: argparse.Namespace) -> int:
    """Every recorded win that the text names, with --all every record; exit status 1 where one does not hold.

    With --out, each goes into a file there as it ends, its evaluation with the raw samples.
    """
    if options.cores:
        os.sched_setaffinity(0, options.cores)
    known = timed() if options.all else wins()
    found = [one for one in known if options.kernel in one.folder or options.kernel in one.run.kernel]
    if not found:
        raise UsageError(f"no recorded win of {options.kernel!r}", "see the files in benchmarks/campaign, or add --all")
    work = options.work.resolve()
    config = load_config(state=work / "state", device=options.device)
    trees = Trees(work=work, given={"sglang": options.sglang, "vllm": options.vllm})
    failed = 0
    for one in found:
        outcome = outcome_of(one, trees, config, options.shipped)
        failed += not outcome.holds
        stands = "holds" if outcome.holds else "does not hold"
        print(f"{one.folder} ({one.run.provider}): {stands}: {outcome.said}", flush=True)
        if options.out:
            recorded.write_verified(options.out, Verified(run=one.run.id, folder=one.folder, outcome=outcome))
    return int(failed > 0)


def wins() -> Iterator[Recorded]:
    """The campaign's, both ways, and after them those from before it."""
    return (one for one in timed() if one.won)


def timed() -> Iterator[Recorded]:
    """Likewise, every run of which a candidate was timed."""
    for way in WAYS:
        yield from (one for one in recorded.campaign(way).values() if one.timing)
    yield from (one for one in recorded.earlier() if one.timing)


@dataclass(frozen=True, eq=False)
class Trees:
    """The releases as they are asked for: those given, else fetched from the package index, and scanned once."""

    work: Path
    given: dict[str, Path | None]

    @functools.cache  # noqa: B019 - lives as long as the command
    def scanned(self, release: str) -> tuple[Path, Scan]:
        framework = release.partition("==")[0]
        tree = self.given.get(framework) or extract.fetch_release(
            release, self.work / "trees" / release.replace("==", "-"), progress=Progress()
        )
        return tree, extract.scan_tree(tree)


def outcome_of(found: Recorded, trees: Trees, config: Config, paths: Sequence[Path] = ()) -> Outcome:
    """Rebuild, compare, judge: the first thing that speaks against the record, else how it stands.

    With `paths` to import what serving runs from, and a GPU, a winner that was timed against that is so again.
    """
    try:
        harness = rebuilt(found, trees, config)
        if moved := differing(found.harness, wire.dump(harness)):
            return Outcome(holds=False, said=f"the release is not what the record says: {moved}")
        place = config.state / "winners" / found.run.id / harness.replaced.name
        write_text(place, carried_over(found, harness.replaced.read_text()))
        (evaluation,) = workflow.check(harness, [place], config, Progress())
    except KmaintError as error:
        return Outcome(holds=False, said=str(error))
    outcome = replace(judged(found, evaluation), evaluation=evaluation)
    if outcome.holds and paths and found.shipped and found.shipped.timing:
        now = against_shipped(entry_of(found), harness, place.read_text(), paths, config)
        return over_shipped(found, outcome, now)
    return outcome


def entry_of(found: Recorded) -> Entry:
    """What kernels.toml says of the run's kernel."""
    return next(one for one in read_entries() if (one.id, one.release) == (found.run.kernel, found.release))


def over_shipped(found: Recorded, outcome: Outcome, now: Against) -> Outcome:
    """The outcome with what became of the ratio over the operator that serving runs; a win over it has to be one."""
    assert found.shipped is not None and found.shipped.timing is not None
    said = f"{outcome.said}; over {entry_of(found).shipped}: "
    if now.timing is None:
        return replace(outcome, holds=not found.shipped.won or now.reason == NO_GPU, said=f"{said}{now.reason}")
    said += f"{interval(now.timing.speedup)}, {compared(found.shipped.timing.speedup, now.timing.speedup)}"
    return replace(outcome, holds=now.won or not found.shipped.won, said=said)


def rebuilt(found: Recorded, trees: Trees, config: Config) -> Harness:
    """The harness cut anew, on the workloads of the record, with a suite written anew."""
    progress = Progress()
    tree, scan = trees.scanned(found.release)
    wanted = extract.Wanted(kernel=extract.find_kernel(scan, found.run.kernel), launcher=found.harness["entry"])
    into = config.state / "harnesses"
    ended = workflow.extract_kernel(
        tree, scan, wanted, into, config, sources=extract.Sources(tests=False), progress=progress
    )
    if ended.folder is None:
        raise HarnessError(f"{found.run.kernel}: cannot be cut out: {ended.reason}", "see 'kmaint extract'")
    harness = read_harness(ended.folder)
    recorded_contract = wire.load(Contract, found.harness["contract"])
    if harness.contract != recorded_contract:
        progress(f"{found.folder}: timed on the workloads of the record, not on those that are found today")
        write_manifest(Harness(**{**vars(harness), "contract": recorded_contract}))
        harness = read_harness(ended.folder)
    workflow.write_tests(harness, config, progress)
    return harness


def differing(then: dict[str, Any], now: dict[str, Any]) -> str:
    """The first file or region whose sha256 is not the recorded one; empty where the original is the same."""
    for path, digest in then["provenance"]["files"].items():
        # Files that only today's cut touches, or only the earlier one did, are not what was measured.
        if (found := now["provenance"]["files"].get(path, digest)) != digest:
            return f"{path} is {found[:12]}, was {digest[:12]}"
    before = {(one["path"], one["symbol"]): one["sha256"] for one in then["regions"]}
    for one in now["regions"]:
        if (was := before.get((one["path"], one["symbol"]), one["sha256"])) != one["sha256"]:
            return f"{one['symbol']} of {one['path']} is {one['sha256'][:12]}, was {was[:12]}"
    kernel = now["provenance"]["symbol"].rpartition("::")[2]  # without a namespace of C++
    return "" if any(kernel in symbol.split(",") for _, symbol in before) else f"no region {kernel} in the record"


def carried_over(found: Recorded, original: str) -> str:
    """The best's changed regions in the harness as it is cut today: between regions kmaint writes what it likes.

    Of CUDA C++ the best itself: all of its file is the tree's.
    """
    assert found.best is not None  # only what was timed is verified
    if found.harness["language"] == "cuda":
        return found.best.candidate.source
    before, after = split_regions(original), split_regions(found.best.candidate.source)
    return reintegrate.with_regions(original, {key: text for key, text in after.items() if before.get(key) != text})


def judged(found: Recorded, evaluation: Evaluation) -> Outcome:
    """What today's verdict makes of the record: a win has to be one again, and what was none must not be one."""
    verdict, timing = evaluation.verdict, figure(found)
    if not isinstance(verdict, Passed):
        return Outcome(holds=False, said=f"{verdict.kind}: {' '.join(verdict.reason.split())}")
    assert timing is not None
    right = f"right ({verdict.numerics.kind})"
    if verdict.timing is None:
        said = f"{right}; nothing was timed, there is no GPU; recorded as {interval(timing.speedup)}"
        return Outcome(holds=True, said=said)
    now = f"{right}; {interval(verdict.timing.speedup)} on {evaluation.environment.device}"
    if verdict.win != found.won:
        told = "a win" if verdict.win else "no win"
        return Outcome(holds=False, said=f"{now}: {told}; recorded as {interval(timing.speedup)}")
    return Outcome(holds=True, said=f"{now}; {compared(timing.speedup, verdict.timing.speedup)}")


def compared(then: Interval, now: Interval) -> str:
    """How a ratio stands to the recorded one."""
    words = f"recorded as {interval(then)}"
    if then.low <= now.high and now.low <= then.high:
        return f"{words}, and the intervals overlap"
    apart = now.ratio / then.ratio - 1.0
    return (
        f"{words}, {abs(apart):.1%} {'more' if apart > 0 else 'less'}{', which is far' if abs(apart) > CLOSE else ''}"
    )
