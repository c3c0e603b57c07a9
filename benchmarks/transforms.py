"""What each transform of the catalogue does to every harness, and the page about them.

    python -m benchmarks.transforms HARNESS... [--all FOLDER...] [-o FILE]    screens, and writes the page
    python -m benchmarks.transforms                                          only writes the page again

FILE (benchmarks/results/DATE-transforms.json) gets, for each transform and harness, whether it applies, else why not,
whether its first variants build, and the ratio that screening gives them: without a GPU an estimate from compiling.
What runs on a GPU measured of the same transform on the same kernel is read from the runs under benchmarks/results.
--all names folders of `kmaint extract --all`; over them it is counted how many kernels a transform applies to, by text.
docs/transforms.md is written between its markers; with --check it is compared instead.
"""

from __future__ import annotations

import argparse
import datetime
import difflib
import json
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.pages import Place
from kmaint import wire
from kmaint.agent.builtin import note_of, subject_of
from kmaint.agent.proposal import Parent, Request
from kmaint.agent.transforms.base import Edited, NotApplicable, Subject, Transform
from kmaint.agent.transforms.catalogue import TRANSFORMS
from kmaint.errors import KmaintError
from kmaint.evaluate import Bench, baseline, open_bench, screen
from kmaint.folder import KERNEL, read_harness
from kmaint.records.evaluation import Passed
from kmaint.records.harness import Harness
from kmaint.records.run import Run

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
CAMPAIGN = ROOT / "benchmarks" / "campaign"
PLACE = Place("docs/transforms.md", "transforms", "benchmarks/transforms.py")
VARIANTS = 2
"""Screened of each transform: its first choices."""


def main() -> None:
    today = datetime.datetime.now(tz=datetime.UTC).date()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("harnesses", type=Path, nargs="*", metavar="HARNESS")
    parser.add_argument("--all", type=Path, nargs="*", default=[], metavar="FOLDER")
    parser.add_argument("-o", "--output", type=Path, default=RESULTS / f"{today}-transforms.json")
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    known: dict[str, Any] = {"date": str(today), "rows": [], "trees": []}
    if given.output.is_file():
        known = json.loads(given.output.read_text())
    for folder in given.harnesses:
        rows = list(screened(folder, open_bench(device="none")))
        known["rows"] = [one for one in known["rows"] if one["harness"] != folder.name] + rows
        known["rows"].sort(key=lambda row: (row["harness"], row["transform"]))
        given.output.write_text(json.dumps(known, indent=1) + "\n")
        print(
            f"{folder.name}: {sum(not row['reason'] for row in rows)} of {len(rows)} transforms apply", file=sys.stderr
        )
    for folder in given.all:
        known["trees"] = [one for one in known["trees"] if one["tree"] != folder.name] + [counted(folder)]
        given.output.write_text(json.dumps(known, indent=1) + "\n")
    sys.exit(PLACE.put(body(), check=given.check) and given.check)


def screened(folder: Path, bench: Bench) -> Iterator[dict[str, Any]]:
    """One row for each transform: why it does not apply, or what screening says of its first variants."""
    harness = read_harness(folder)
    subject = _subject(harness, bench)
    applied = {transform.name: _applied(transform, subject) for transform in TRANSFORMS}
    chosen = {name: found[:VARIANTS] for name, found in applied.items() if isinstance(found, list)}
    ranks = iter(screen(harness, [variant.source for found in chosen.values() for variant in found], bench))
    told = {name: [(variant, next(ranks)) for variant in found] for name, found in chosen.items()}
    for transform in TRANSFORMS:
        found = applied[transform.name]
        yield {
            "harness": folder.name,
            "kernel": harness.kernel,
            "tree": f"{harness.provenance.framework} {harness.provenance.version}",
            "transform": transform.name,
            "reason": found if isinstance(found, str) else "",
            "variants": 0 if isinstance(found, str) else len(found),
            "screened": [
                {"note": variant.note, "ratio": rank.ratio, "estimated": rank.estimated, "reason": rank.reason}
                for variant, rank in told.get(transform.name, [])
            ],
        }


def _subject(harness: Harness, bench: Bench) -> Subject:
    source = (harness.folder / KERNEL).read_text()
    parent = Parent(id=None, source=source, profile=baseline(harness, bench), ratio=1.0)
    return subject_of(Request(harness=harness, parent=parent, history=(), screen=lambda _sources: []))


def _applied(transform: Transform, subject: Subject) -> list[Edited] | str:
    try:
        return transform.apply(subject)
    except NotApplicable as reason:
        return str(reason)


def counted(folder: Path) -> dict[str, Any]:
    """Of a folder of harnesses, how many each transform applies to: by text, nothing is compiled."""
    kernels, found = 0, Counter[str]()
    for path in sorted(folder.glob("*/harness.toml")):
        try:
            harness = read_harness(path.parent)
        except KmaintError:
            continue
        kernels += 1
        source = (path.parent / KERNEL).read_text()
        subject = Subject(source=source, kernel=harness.kernel, entry=harness.entry, contract=harness.contract)
        # Whether it applies is asked of tens of thousands of variants; nobody reads them.
        with patch("kmaint.agent.transforms.source.format_changed", new=lambda _before, after: after):
            found.update(one.name for one in TRANSFORMS if isinstance(_applied(one, subject), list))
    return {"tree": folder.name, "kernels": kernels, "applies": dict(sorted(found.items()))}


def measured() -> Iterator[dict[str, Any]]:
    """What recorded runs on a GPU found of each transform: one row a candidate, in the order of the runs."""
    for path in (*sorted(RESULTS.glob("*/*.json")), *sorted(CAMPAIGN.glob("*/builtin.json"))):
        content = json.loads(path.read_text())
        if isinstance(content, dict) and {"run", "harness"} <= set(content):
            run = wire.load(Run, content["run"])
            for one in run.evaluations:
                timing = one.verdict.timing if isinstance(one.verdict, Passed) else None
                yield {
                    "kernel": run.kernel.split("::")[-1],
                    "transform": one.candidate.plan.edit,
                    "note": note_of(one.candidate.plan.why),
                    "onto": one.candidate.parent,
                    "verdict": one.verdict.kind,
                    "win": isinstance(one.verdict, Passed) and one.verdict.win,
                    "speedup": wire.dump(timing.speedup) if timing else None,
                    "worst": min((w.speedup.ratio for w in timing.workloads), default=None) if timing else None,
                }


def body() -> str:
    """The record as tables, then every transform by its own words."""
    newest = max(RESULTS.glob("*-transforms.json"))
    record = json.loads(newest.read_text())
    parts = [_measured_table(list(measured())), _estimated_table(record, newest.name), _tree_table(record)]
    return "\n\n".join([*parts, *map(_entry, TRANSFORMS)])


def _measured_table(rows: Sequence[dict[str, Any]]) -> str:
    lines = [
        "## Won and lost on a GPU",
        "",
        "From the recorded runs under `benchmarks/results/`: the weighted geometric mean of original over candidate",
        "with its 95 % interval, and the workload that gained least. All are compared with the original, those made on",
        "another edit too.",
        "",
        "| transform | kernel | variant | speedup | worst workload | verdict |",
        "| --- | --- | --- | --- | ---: | --- |",
    ]
    order = [transform.name for transform in TRANSFORMS]
    own = [row for row in rows if row["transform"] in order]
    for row in sorted(own, key=lambda row: (order.index(row["transform"]), row["kernel"])):
        speedup = row["speedup"]
        shown = f"{speedup['ratio']:.2f}x ({speedup['low']:.2f} to {speedup['high']:.2f})" if speedup else ""
        worst = f"{row['worst']:.2f}x" if row["worst"] else ""
        verdict = "win" if row["win"] else "no win" if row["verdict"] == "passed" else row["verdict"]
        onto = ", on another edit" if row["onto"] else ""
        lines.append(
            f"| {row['transform']} | `{row['kernel']}` | {row['note']}{onto} | {shown} | {worst} | {verdict} |"
        )
    return "\n".join(lines)


def _estimated_table(record: dict[str, Any], name: str) -> str:
    kernels = sorted({(row["harness"], row["kernel"]) for row in record["rows"]})
    lines = [
        "## Where each applies, and what compiling says",
        "",
        f"{record['date']}, no GPU: **estimated** from the code that Triton compiles for sm_90, the better of the",
        f"first {VARIANTS} variants (`benchmarks/results/{name}`). Such an estimate ranks and is no speed: it sees no",
        "loops, no caches and no overlap. `fails` does not build; a dash does not apply, and the file says why.",
        "",
        f"| transform | {' | '.join(f'`{kernel}`' for _, kernel in kernels)} |",
        f"| --- | {' | '.join('---:' for _ in kernels)} |",
    ]
    cells = {(row["transform"], row["harness"]): row for row in record["rows"]}
    for transform in TRANSFORMS:
        shown = [_cell(cells.get((transform.name, harness))) for harness, _ in kernels]
        lines.append(f"| {transform.name} | {' | '.join(shown)} |")
    return "\n".join(lines)


def _cell(row: dict[str, Any] | None) -> str:
    if row is None or row["reason"]:
        return "–"
    ratios = [one["ratio"] for one in row["screened"] if one["ratio"] is not None]
    return f"{max(ratios):.2f}" if ratios else "fails"


def _tree_table(record: dict[str, Any]) -> str:
    trees = record["trees"]
    lines = [
        "## How often each applies",
        "",
        "Harnesses of `kmaint extract --all` whose text meets the precondition; nothing is compiled.",
        "",
        f"| transform | {' | '.join(str(tree['tree']) for tree in trees)} |",
        f"| --- | {' | '.join('---:' for _ in trees)} |",
        f"| all kernels | {' | '.join(str(tree['kernels']) for tree in trees)} |",
    ]
    for transform in TRANSFORMS:
        counts = " | ".join(str(tree["applies"].get(transform.name, 0)) for tree in trees)
        lines.append(f"| {transform.name} | {counts} |")
    return "\n".join(lines)


def _entry(transform: Transform) -> str:
    """A transform in its own words: what it needs, why it helps, and its example as a diff."""
    bits = "may change last bits" if transform.rounding else "keeps every bit"
    return "\n".join(
        [
            f"## {transform.name}",
            "",
            textwrap.fill(f"{transform.why} Addresses {', '.join(transform.addresses)}; {bits}.", 120),
            "",
            textwrap.fill(f"*Applies where:* {transform.precondition}", 120),
            "",
            "```diff",
            *_difference(transform),
            "```",
        ]
    )


def _difference(transform: Transform) -> list[str]:
    """The changed lines of the example with a line around them, without headers."""
    before, after = transform.before.splitlines(), transform.after.splitlines()
    lines = list(difflib.unified_diff(before, after, lineterm="", n=1))[2:]
    return ["..." if line.startswith("@@") else line.rstrip() for line in lines]


if __name__ == "__main__":
    main()
