"""Take the campaign's measured wins to newer releases, as `kmaint recheck` does, and keep what came of each.

    python -m benchmarks.recheck OUT.json --work DIR --pair OLD NEW [--pair OLD NEW] [--only TEXT] [--keep FOLDER]
    python -m benchmarks.recheck OUT.json --work DIR --on NEW [--only TEXT] [--keep FOLDER]
    python -m benchmarks.recheck OUT.json [--check]                   rewrites the table alone

OLD and NEW are git checkouts of releases; they are cloned into DIR and never touched. Each kernel's best win that can
land is put into a harness cut anew from OLD (the regions that it changes must be to the letter what they were), landed
there, and so accepted into a ledger in DIR, which is then rechecked on NEW. Run again, it goes on where it was. With
--on nothing more is landed, as for another machine that was given DIR after --patches. With
--only, what OUT.json has of other kernels stays as it is. What landed is kept in benchmarks/campaign/NAME/win.patch.
With --keep, on a GPU, what is said of each win lies in FOLDER with the gate's evaluation and its samples. The table has
of a win what the newest benchmarks/results/*-recheck/ says of it where that timed it, by today's rule.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import extract
import reintegrate
from benchmarks.campaign.kernels import HOME, read_entries
from benchmarks.campaign.preparing import cut_operator
from benchmarks.campaign.recorded import Recorded
from benchmarks.campaign.rows import rows
from benchmarks.campaign.table import PATCH
from benchmarks.pages import ROOT, Place
from kmaint import wire, workflow
from kmaint.config import Config, load_config
from kmaint.errors import HarnessError, KmaintError
from kmaint.folder import KERNEL, read_harness, split_regions, write_text
from kmaint.records.evaluation import Evaluation
from kmaint.records.harness import Harness
from kmaint.records.kernel import Scan
from kmaint.records.run import Run
from kmaint.store import Store
from kmaint.workflow.rechecking import VERDICT, meaning_of

RESULTS = Path(__file__).parent / "results"
PLACE = Place("docs/landing.md", "recheck", "benchmarks/recheck.py")
HEAD = (
    "| win | landed on | rechecked on | speedup then | verdict | why |",
    "| --- | --- | --- | --- | --- | --- |",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--pair", type=Path, nargs=2, action="append", default=[], metavar=("OLD", "NEW"))
    parser.add_argument("--on", type=Path, action="append", default=[], metavar="NEW")
    parser.add_argument("--only", nargs="*", default=[""], metavar="TEXT", help="wins whose kernel holds one of them")
    parser.add_argument("--python", type=Path, default=Path(sys.executable))
    parser.add_argument("--patches", action="store_true", help="land them alone, for the patches")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="with the evaluation of each win that is judged")
    parser.add_argument("--check", action="store_true", help="say by the exit status whether the table is up to date")
    options = parser.parse_args()
    if (options.pair or options.on) and options.work is None:
        parser.error("--pair and --on need --work DIR, where the clones and the ledger are")
    if options.pair or options.on:
        again(options)
    return int(PLACE.put(table(options.out), check=options.check) and options.check)


def again(options: argparse.Namespace) -> None:
    """Land what is not landed yet, recheck all, and write OUT.json anew."""
    config = load_config(state=options.work.resolve() / "state", python=options.python)
    found: list[dict[str, Any]] = []
    refused: list[dict[str, str]] = []
    tried: set[str] = set()
    for old, new in options.pair:
        refused += accept_all(cloned(old, options.work), config, options.only, tried)
        if not options.patches:
            found += rechecked(cloned(new, options.work), config, options.keep)
    for new in options.on:
        wins = [win for win in workflow.all_wins(config) if any(text in win.kernel for text in options.only)]
        if ids := [win.id for win in wins if not win.retired]:
            found += rechecked(cloned(new, options.work), config, options.keep, ids)
    if options.patches:
        return
    if options.out.exists():
        kept, anew = json.loads(options.out.read_text()), {one["kernel"] for one in found}
        refused = [*(one for one in kept["not_landed"] if one["kernel"] not in tried), *refused]
        if options.on or options.only != [""]:
            found = [*(one for one in kept["wins"] if one["kernel"] not in anew), *found]
    content = {"schema": "kmaint.recheck/1", "wins": found, "not_landed": refused}
    options.out.write_text(json.dumps(content, indent=1) + "\n")


def table(out: Path) -> str:
    """A row for each win of the file: as it was timed, where it was, and by what the other machine said elsewhere."""
    kept, timed = json.loads(out.read_text()), {found_by(one): one for one in timed_wins()}
    refused = kept["not_landed"]
    left = [f"Not landed: `{one['kernel'].rpartition('::')[2]}` ({one['on']}), {one['reason']}" for one in refused]
    rows = [row(timed.get(found_by(one), one)) for one in kept["wins"]]
    return "\n".join(
        [*HEAD, *rows, *(line for said in left for line in ("", said)), "", f"`{out.resolve().relative_to(ROOT)}`."]
    )


def found_by(one: dict[str, Any]) -> tuple[str, str]:
    """The kernel, and the run that found the win: its own name changes with how a patch is made of it."""
    return one["kernel"], one["run"]


def timed_wins() -> Iterator[dict[str, Any]]:
    """What was said of each win that was timed on a GPU, as today's rule has it; what is newer comes later."""
    for path in sorted(RESULTS.glob("*-recheck/*.json")):
        kept = json.loads(path.read_text())
        evaluation = wire.load(Evaluation, kept["evaluation"]) if kept["evaluation"] else None
        if evaluation is not None:
            applies = kept["win"]["reason"].partition("; right (")[0].partition("; dishonest: ")[0]
            state, said = meaning_of(evaluation, changed="upstream's own changes" in applies)
            yield {**kept["win"], "verdict": state, "reason": f"{applies}; {said}"}


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


def accept_all(tree: Path, config: Config, only: Sequence[str], tried: set[str]) -> list[dict[str, str]]:
    """Land a recorded win of each of the release's kernels, and so accept it; those that were refused, and why.

    The best is taken, and the next where that cannot land. `tried` gets the kernels that were not accepted before.
    """
    scan, known = extract.scan_tree(tree), {win.run for win in workflow.all_wins(config)}
    refused = []
    for wins in recorded_wins(scan.release.framework):
        if any(win.run.id in known for win in wins) or not any(text in wins[0].run.kernel for text in only):
            continue
        tried.add(wins[0].run.kernel)
        for win in wins:
            print(f"{win.run.kernel}: landing what {win.run.provider} won on {tree.name}", flush=True)
            try:
                _land(win, tree, scan, config)
                break
            except KmaintError as error:
                print(f"{win.run.kernel}: {error.message}", flush=True)
                why = f"what {win.run.provider} won, {' '.join(error.message.split())}"
                refused.append({"kernel": win.run.kernel, "on": tree.name, "reason": why})
    return refused


def _land(win: Recorded, tree: Path, scan: Scan, config: Config) -> None:
    anew = carried_over(win.run, win.harness, cut_anew(win.run, win.harness, tree, scan, config))
    with Store(config.state) as store:
        store.begin(anew)
    landing = workflow.land(anew, tree, config, print)
    shutil.copyfile(landing.patch_file, HOME / win.folder / PATCH)


def cut_anew(run: Run, harness: dict[str, Any], tree: Path, scan: Scan, config: Config) -> Harness:
    """The harness of a run's kernel, cut from the tree as it stands."""
    into = config.state / "harnesses"
    if harness["language"] == "cuda":
        entry = next(one for one in read_entries() if (one.id, one.launcher) == (run.kernel, harness["entry"]))
        extraction = cut_operator(entry, tree, scan, into)
    else:
        kernel = extract.find_kernel(scan, run.kernel)
        wanted = extract.Wanted(kernel=kernel, launcher=harness["entry"])
        sources = extract.Sources()
        extraction = workflow.extract_kernel(tree, scan, wanted, into, config, sources=sources, progress=print)
    if extraction.folder is None:
        raise HarnessError(f"{run.kernel}: {extraction.reason}", "look at what the release changed")
    return read_harness(extraction.folder)


def recorded_wins(framework: str) -> Iterator[list[Recorded]]:
    """Of each kernel of the framework the runs that won, first the one that its row in the campaign table is about."""
    for row in rows():
        if row.entry.framework == framework and row.best is not None and row.best.won:
            yield [found for found in row.ranked if found.won]


def carried_over(run: Run, recorded: dict[str, Any], harness: Harness) -> Run:
    """The run with its winner alone, as a candidate for the harness as it is cut today."""
    winner = run.winner
    assert winner is not None
    then = {(one["path"], one["symbol"]): one["sha256"] for one in recorded["regions"]}
    now = {(one.path, one.symbol): one.sha256 for one in harness.regions}
    source, changed = winner.candidate.source, set(now)
    if harness.language == "triton":  # the rest of kernel.py may be cut otherwise today
        text = (harness.folder / KERNEL).read_text()
        before, after = split_regions(text), split_regions(source)
        changed = {key for key, region in after.items() if before.get(key) != region}
        source = reintegrate.with_regions(text, {key: after[key] for key in changed})
    if strange := [symbol for path, symbol in changed if then.get((path, symbol)) != now.get((path, symbol))]:
        raise HarnessError(f"{run.kernel}: {strange[0]} is not the code that it was measured on", "measure it again")
    candidate = replace(winner.candidate, id=wire.digest(source), source=source, parent=None)
    evaluations = (replace(winner, candidate=candidate),)
    return replace(run, harness=str(harness.folder), evaluations=evaluations, best=candidate.id)


def rechecked(tree: Path, config: Config, keep: Path | None, ids: Sequence[str] = ()) -> list[dict[str, Any]]:
    """What the command says of each win, or of those, without the paths of this machine."""
    words = ["recheck", str(tree), "--state", str(config.state), "--python", str(config.python), "--format", "json"]
    words += [word for name in ids for word in ("--win", name)]
    said = subprocess.run([sys.executable, "-m", "kmaint", *words], stdout=subprocess.PIPE, text=True, check=False)
    prefix, wins = f"{config.state}/", json.loads(said.stdout)["wins"]
    found: list[dict[str, Any]] = json.loads(json.dumps(wins).replace(prefix, ""))
    if keep is not None:
        for one in found:
            _keep(one, config, keep)
    return found


def _keep(one: dict[str, Any], config: Config, folder: Path) -> None:
    verdicts = [config.state / path for path in one["written"] if path.endswith(VERDICT)]
    evaluation = json.loads(verdicts[0].read_text()) if verdicts else None
    content = {"schema": "kmaint.recheck/1", "win": one, "evaluation": evaluation}
    write_text(folder / f"{one['win']}.json", json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
