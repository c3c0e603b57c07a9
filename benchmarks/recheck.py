"""Take the campaign's measured wins to newer releases, as `kmaint recheck` does, and keep what came of each.

    python -m benchmarks.recheck OUT.json --work DIR --pair OLD NEW [--pair OLD NEW] [--python PYTHON]

OLD and NEW are git checkouts of releases; they are cloned into DIR and never touched. Each kernel's best win is put
into a harness cut anew from OLD (the regions that it changes must be to the letter what they were), landed there, and
so accepted into a ledger in DIR, which is then rechecked on NEW. Run again, it goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import extract
import reintegrate
from benchmarks.campaign.table import rows
from kmaint import wire, workflow
from kmaint.config import Config, load_config
from kmaint.folder import KERNEL, read_harness, split_regions
from kmaint.records.harness import Harness
from kmaint.records.run import Run
from kmaint.store import Store

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- recheck: written by benchmarks/recheck.py -->", "<!-- end of recheck -->"
HEAD = (
    "| win | landed on | rechecked on | speedup then | verdict | why |",
    "| --- | --- | --- | --- | --- | --- |",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--pair", type=Path, nargs=2, action="append", required=True, metavar=("OLD", "NEW"))
    parser.add_argument("--python", type=Path, default=Path(sys.executable))
    options = parser.parse_args()
    config = load_config(state=options.work.resolve() / "state", python=options.python)
    found: list[dict[str, Any]] = []
    for old, new in options.pair:
        accept_all(cloned(old, options.work), config)
        found += rechecked(cloned(new, options.work), config)
    content = {"schema": "kmaint.recheck/1", "wins": found}
    options.out.write_text(json.dumps(content, indent=1) + "\n")
    table = [*HEAD, *map(row, found), "", f"`{options.out}`."]
    print("\n".join(table))
    readme = ROOT / "README.md"
    before, after = readme.read_text().split(BEGIN)[0], readme.read_text().split(END)[1]
    readme.write_text("\n".join([f"{before}{BEGIN}", *table, f"{END}{after}"]))


def row(one: dict[str, Any]) -> str:
    kernel, then = one["kernel"].rpartition("::")[2], one["then"]
    told = f"{then['ratio']:.2f}x ({then['low']:.2f} to {then['high']:.2f})"
    upstreams = f"{one['from']['framework']} {one['from']['version']} | {one['on']['version']}"
    return f"| `{kernel}` | {upstreams} | {told} | {one['verdict']} | {one['reason']} |"


def cloned(tree: Path, work: Path) -> Path:
    place = work.resolve() / tree.resolve().name
    if not place.exists():
        subprocess.run(["git", "clone", "--quiet", str(tree), str(place)], check=True)
    return place


def accept_all(tree: Path, config: Config) -> None:
    """Land every recorded win of the tree's release, and so accept it."""
    scan, known = extract.scan_tree(tree), {win.run for win in workflow.all_wins(config)}
    for run, harness in recorded_wins(scan.release.framework):
        if run.id in known:
            continue
        kernel = next(one for one in scan.kernels if one.id == run.kernel)
        wanted = extract.Wanted(kernel=kernel, launcher=harness["entry"])
        extraction = workflow.extract_kernel(
            tree,
            scan,
            wanted,
            config.state / "harnesses",
            config,
            sources=extract.Sources(),
            progress=print,
        )
        assert extraction.folder is not None, extraction.reason
        anew = carried_over(run, harness, read_harness(extraction.folder))
        with Store(config.state) as store:
            store.begin(anew)
        workflow.land(anew, tree, config, print)


def recorded_wins(framework: str) -> Iterator[tuple[Run, dict[str, Any]]]:
    """Of each kernel of the framework the run that its row in the campaign's table is about, if it won."""
    for row in rows():
        if row.entry.framework == framework and row.best is not None and row.best.won:
            yield row.best.run, row.best.harness


def carried_over(run: Run, recorded: dict[str, Any], harness: Harness) -> Run:
    """The run with its winner alone, as a candidate for the harness as it is cut today."""
    winner = run.winner
    assert winner is not None
    then = {(one["path"], one["symbol"]): one["sha256"] for one in recorded["regions"]}
    now = {(one.path, one.symbol): one.sha256 for one in harness.regions}
    before, texts = split_regions((harness.folder / KERNEL).read_text()), split_regions(winner.candidate.source)
    changed = {key: text for key, text in texts.items() if before.get(key) != text}
    assert all(then[key] == now[key] for key in changed), f"{run.kernel}: not the code that it was measured on"
    source = reintegrate.with_regions((harness.folder / KERNEL).read_text(), changed)
    candidate = replace(winner.candidate, id=wire.digest(source), source=source, parent=None)
    evaluations = (replace(winner, candidate=candidate),)
    return replace(run, harness=str(harness.folder), evaluations=evaluations, best=candidate.id)


def rechecked(tree: Path, config: Config) -> list[dict[str, Any]]:
    """What the command says of each win, without the paths of this machine."""
    words = ["recheck", str(tree), "--state", str(config.state), "--python", str(config.python), "--format", "json"]
    said = subprocess.run([sys.executable, "-m", "kmaint", *words], stdout=subprocess.PIPE, text=True, check=False)
    wins: list[dict[str, Any]] = json.loads(said.stdout)["wins"]
    prefix = f"{config.state}/"
    return [
        {
            **one,
            "next": one["next"].replace(prefix, ""),
            "written": [path.replace(prefix, "") for path in one["written"]],
        }
        for one in wins
    ]


if __name__ == "__main__":
    main()
