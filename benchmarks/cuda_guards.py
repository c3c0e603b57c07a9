"""Guarded variants in CUDA C++ of the campaign's wins, on a GPU: do they leave to the shipped code what is not theirs?

    python -m benchmarks.cuda_guards prepare DIR --state STATE --tree TREE    where `benchmarks.recheck` landed the wins
    python -m benchmarks.cuda_guards run DIR OUT.json [--only TEXT]           on a GPU; OUT gets what came of each

Each win in CUDA C++ is made a guarded variant, whether or not it would land as one. The whole file, as that would leave
it but with a trap for the variant, runs on the workloads and sizes that the guard turns away, beside the shipped file,
and on one that it admits; so is the same with the guard's conditions taken out, which has to be found; and the file
itself climbs the gate as a candidate, which has to win by what runs inside the guard.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import reintegrate
from kmaint import evaluate, wire, workflow
from kmaint.config import load_config
from kmaint.console import Progress
from kmaint.folder import read_harness
from kmaint.records.change import Trap
from kmaint.records.evaluation import Candidate, Passed, Plan
from reintegrate.kinds.cuda.edit import shipped
from reintegrate.kinds.cuda.guarded import guarded_patch
from reintegrate.kinds.win import Declined, Win
from reintegrate.patch import splice

CONDITIONS = re.compile(r"(bool use_\w+\([^{]*\) \{\n  if \()!\(", re.DOTALL)
"""How a guard's function begins: what follows is true of the calls that are the variant's."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    preparing = commands.add_parser("prepare")
    preparing.add_argument("folder", type=Path)
    preparing.add_argument("--state", type=Path, required=True)
    preparing.add_argument("--tree", type=Path, required=True)
    running = commands.add_parser("run")
    running.add_argument("folder", type=Path)
    running.add_argument("out", type=Path)
    running.add_argument("--only", default="", help="harnesses whose names hold this text")
    options = parser.parse_args()
    return prepare(options) if options.command == "prepare" else run(options)


def prepare(options: argparse.Namespace) -> int:
    """A folder for each win: its harness, and the file as a guarded variant would leave it."""
    config = load_config(state=options.state)
    for known in workflow.all_wins(config):
        found = workflow.find_run(known.run, config)
        harness = read_harness(Path(found.harness))
        if harness.language != "cuda" or found.winner is None:
            continue
        if not (options.tree / harness.provenance.path).is_file():
            continue
        win = Win(harness=harness, evaluation=found.winner)
        patch = guarded_patch(win, options.tree)
        if isinstance(patch, Declined):
            sys.stdout.write(f"{harness.id}: {patch.reason}\n")
            continue
        trap, place = reintegrate.trap(win, patch), options.folder / harness.folder.name
        content = {"reason": patch.reason, "text": splice(shipped(win), patch.edits), "trap": wire.dump(trap)}
        shutil.copytree(harness.folder, place / "harness", symlinks=True, dirs_exist_ok=True)
        (place / "landed.json").write_text(json.dumps(content, indent=1))
        sys.stdout.write(f"{harness.id}: {len(trap.outside)} cases outside; {patch.reason}\n")
    return 0


def run(options: argparse.Namespace) -> int:
    """Exit status 1 unless each guard holds, is found missing where it is taken out, and its file wins."""
    config, found = load_config(device="cuda"), list[dict[str, Any]]()
    with evaluate.warmed(evaluate.open_bench(config.python, device="cuda", progress=Progress())) as bench:
        for place in sorted(options.folder.glob(f"*{options.only}*")):
            found.append(held(place, bench))
            sys.stdout.write(f"{json.dumps(found[-1]['said'])}\n")
            sys.stdout.flush()
    content = {"schema": "kmaint.cuda-guards/1", "environment": wire.dump(bench.environment), "guards": found}
    options.out.write_text(json.dumps(content, indent=1) + "\n")
    return int(not all(one["said"]["holds"] for one in found))


def held(place: Path, bench: evaluate.Bench) -> dict[str, Any]:
    harness, landed = read_harness(place / "harness"), json.loads((place / "landed.json").read_text())
    text, trap = landed["text"], wire.load(Trap, landed["trap"])
    open_, changed = CONDITIONS.subn(r"\1false && !(", trap.source)
    assert changed == 1, f"{place}: no guard in it"
    outside = evaluate.outside_as_shipped(harness, trap, bench)
    without = evaluate.outside_as_shipped(harness, replace(trap, source=open_), bench)
    plan = Plan(bottleneck="unknown", edit="given", why="the file as a guarded variant leaves it")
    candidate = Candidate(id=wire.digest(text), source=text, parent=None, plan=plan, provider="given")
    judged = evaluate.check(harness, candidate, bench)
    verdict = judged.verdict
    timing = verdict.timing if isinstance(verdict, Passed) and verdict.win else None
    said = {
        "harness": place.name,
        "reason": landed["reason"],
        "outside": f"{outside.state}: {outside.detail}",
        "without its conditions": f"{without.state}: {without.detail}",
        "gate": f"a win of {timing.speedup.ratio:.3f}x" if timing else f"{verdict.kind}, and no win",
        "holds": outside.state == "passed" and without.state == "failed" and timing is not None,
    }
    return {"said": said, "outside": trap.outside, "inside": trap.inside, "evaluation": wire.dump(judged)}


if __name__ == "__main__":
    sys.exit(main())
