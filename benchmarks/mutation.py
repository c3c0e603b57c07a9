"""Score the suites of harnesses by planted defects, beside what the framework's own tests of the same op notice.

    python -m benchmarks.mutation HARNESS... --tree TREE... [-o FILE] [--most N]

writes the FILE (benchmarks/results/DATE-mutation.json) as it goes, and its table in docs/suites.md. A harness that an
earlier call measured into the same file is replaced, others are kept. The framework's tests are those that the scan of
the tree names for the kernel. They count where some of their cases pass on the shipped kernel here, without a GPU and
without the framework (benchmarks/framework_test.py says how), and fail on a kernel that stores nothing.
"""

from __future__ import annotations

import argparse
import ast
import datetime
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.pages import Place
from kmaint.folder import KERNEL, read_harness
from kmaint.forking.warm import Beforehand, Zygote, warm_interpreter
from kmaint.records.harness import Harness
from kmaint.spans import Source, replaced, tl_name
from reintegrate.patch import patch_of, splice
from testgen.mutation import mutants

HERE = Path(__file__).parent
PLACE = Place("docs/suites.md", "mutation", "benchmarks/mutation.py")
HEAD = (
    "| harness | mutants | change behaviour | killed by our suite | killed by the framework's own test |",
    "| --- | ---: | ---: | ---: | --- |",
)
PROGRAM = HERE / "framework_test.py"
EACH_S, BASELINE_S, CASES_S = 5.0, 60.0, 12.0
"""Of one case, of all cases on the shipped kernel, and of those that each mutant is then given."""


def main() -> None:
    today = datetime.datetime.now(tz=datetime.UTC).date()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("harnesses", type=Path, nargs="+", metavar="HARNESS", help="a folder with its suite")
    parser.add_argument("--tree", type=Path, action="append", default=[], help="a released tree, for its tests")
    parser.add_argument("--most", type=int, default=60, help="mutants of each harness")
    parser.add_argument("-o", "--output", type=Path, default=HERE / "results" / f"{today}-mutation.json")
    given = parser.parse_args()
    known = json.loads(given.output.read_text())["harnesses"] if given.output.is_file() else []
    for folder in given.harnesses:
        one = measured(read_harness(folder), given.tree, given.most)
        known = [other for other in known if other["harness"] != one["harness"] or other["release"] != one["release"]]
        known = sorted([*known, one], key=lambda other: (other["release"], other["harness"]))
        given.output.write_text(json.dumps({"harnesses": known}, indent=1) + "\n")
        PLACE.put(table(known))


def measured(harness: Harness, trees: list[Path], most: int) -> dict[str, Any]:
    """What kmaint mutate says of a harness, and what the framework's tests say of the same mutants."""
    command = [sys.executable, "-m", "kmaint", "mutate", str(harness.folder), "--most", str(most), "--format", "json"]
    said = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=False).stdout)
    if "error" in said:
        raise SystemExit(said["error"]["message"])
    every = [*said.pop("survivors"), *said.pop("rounding"), *said.pop("unchanged"), *said.pop("mutants")]
    release = f"{harness.provenance.framework} {harness.provenance.version}"
    return {
        **{key: value for key, value in said.items() if key != "schema"},
        "release": release,
        "date": str(datetime.datetime.now(tz=datetime.UTC).date()),
        "load": os.getloadavg()[0],
        "level": harness.level,
        "oracle": harness.oracle,
        "framework": framework_of(harness, trees, [one for one in every if one["state"] in ("killed", "survived")]),
        "mutants": sorted(every, key=lambda one: (one["line"], one["id"])),
    }


def framework_of(harness: Harness, trees: list[Path], changing: list[dict[str, Any]]) -> dict[str, Any]:
    """How many of the mutants that change behaviour the framework's own tests notice, or why they cannot be run."""
    release = f"{harness.provenance.framework}-{harness.provenance.version}"
    tree = next((tree for tree in trees if tree.name == release), None)
    tests = tests_of(tree, harness.id) if tree else []
    if tree is None or not tests:
        return {"ran": False, "why": "no test of it in the release" if tree else "no tree of this release was given"}
    with warm_interpreter(sys.executable, Beforehand(path=HERE, programs=(PROGRAM,))) as zygote:
        bench = FrameworkTests(harness, tree, zygote)
        return {"tests": tests, **bench.judge(tests, changing)}


def tests_of(tree: Path, kernel: str) -> list[str]:
    """The tests that the scan names for a kernel, as pytest takes them."""
    command = [sys.executable, "-m", "kmaint", "scan", str(tree), "--format", "json"]
    scan = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    named: list[str] = next((one["tests"] for one in scan["kernels"] if one["id"] == kernel), [])
    split = (test.partition("::") for test in named)
    return [f"{file}::{name.replace('.', '::')}" for file, _, name in split]


class FrameworkTests:
    """The framework's tests of one kernel, run on the tree's file with a candidate's edits made."""

    def __init__(self, harness: Harness, tree: Path, zygote: Zygote) -> None:
        self._harness, self._tree, self._zygote = harness, tree.resolve(), zygote
        self._original = (harness.folder / KERNEL).read_text()

    def judge(self, tests: list[str], changing: list[dict[str, Any]]) -> dict[str, Any]:
        """What can be run, and how many of the mutants it notices."""
        found = self._run(None, tests, total_s=BASELINE_S, first=False)
        cases, passed = len(found), [one for one in found if one["outcome"] == "passed"]
        others = Counter(_short(one["why"]) for one in found if one["outcome"] != "passed")
        told = {"cases": cases, "pass_on_the_original": len(passed), "others": others.most_common(4)}
        chosen = list(_chosen(passed))
        if not chosen:
            why = others.most_common(1)[0][0] if others else "no case is collected"
            return {"ran": False, "why": why, **told}
        if self._passes(storing_nothing(self._original), chosen):
            return {"ran": False, "why": "its cases that run here pass on a kernel that stores nothing", **told}
        sources = {one.id: one.source for one in mutants(self._original, self._harness.entry)[0]}
        killed = [one["id"] for one in changing if not self._passes(sources[one["id"]], chosen)]
        return {"ran": True, **told, "chosen": chosen, "killed": len(killed), "of": len(changing), "killed_ids": killed}

    def _passes(self, source: str, chosen: list[str]) -> bool:
        found = self._run(source, chosen, total_s=8 * CASES_S, first=True)
        return bool(found) and all(one["outcome"] == "passed" for one in found)

    def _run(self, source: str | None, tests: list[str], *, total_s: float, first: bool) -> list[dict[str, Any]]:
        with tempfile.TemporaryDirectory(prefix="kmaint-framework-") as name:
            patched = Path(name)
            if source is not None:
                self._patch(source, patched)
            answer = self._zygote.ask(
                PROGRAM,
                "run",
                patched,
                limit_s=total_s + 60,
                tree=str(self._tree),
                framework=self._harness.provenance.framework,
                patched=name,
                tests=tests,
                each_s=EACH_S if source is None else 4 * EACH_S,
                total_s=total_s,
                first=first,
            )
        if answer.error:
            return [{"test": "", "outcome": "failed", "why": answer.error, "seconds": 0.0}]
        assert isinstance(answer.value, list)
        return answer.value

    def _patch(self, source: str, into: Path) -> None:
        """The tree's files that the source changes, with its edits made, in a folder of their own."""
        patch = patch_of(self._harness, source)
        for path in {edit.path for edit in patch.edits}:
            text = (self._tree / path).read_text()
            file = into / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(splice(text, tuple(edit for edit in patch.edits if edit.path == path)))


def storing_nothing(text: str) -> str:
    """The kernel.py with every store left out."""
    source = Source(text)
    statements = [node for node in ast.walk(source.tree) if isinstance(node, ast.Expr)]
    stores = [node for node in statements if tl_name(node.value) == "store" or tl_name(node.value)[:7] == "atomic_"]
    return replaced(text, [source.replace(node, "pass") for node in stores])


def _chosen(passed: list[dict[str, Any]]) -> Iterator[str]:
    """Cases that together take a few seconds, each test's quickest first."""
    turns: Counter[str] = Counter()
    ranked = []
    for one in sorted(passed, key=lambda one: float(one["seconds"])):
        test = str(one["test"]).partition("[")[0]
        turns[test] += 1
        ranked.append((turns[test], float(one["seconds"]), str(one["test"])))
    spent = 0.0
    for _, seconds, test in sorted(ranked):
        spent += seconds
        if spent > CASES_S:
            return
        yield test


def _short(why: str) -> str:
    return "too slow under the interpreter" if "under the interpreter" in why or why == "no time left" else why[:160]


def table(known: list[dict[str, Any]]) -> str:
    """A row a harness, and the sums."""
    lines = [*HEAD, *map(_row, known)]
    changing, killed = (sum(one_of(one, key) for one in known) for key in ("changing", "killed"))
    rounding = sum(one_of(one, "rounding") for one in known)
    tried = sum(one_of(one, "tried") for one in known)
    ran = [one["framework"] for one in known if one["framework"]["ran"]]
    theirs = f"{sum(one['killed'] for one in ran)} of {sum(one['of'] for one in ran)} in {len(ran)} harnesses"
    share = f"{killed} ({killed / changing:.1%})" if changing else "0"
    lines.append(f"| **all {len(known)}** | {tried} | {changing} | {share} | {theirs} |")
    same = [one for one in known if one["framework"]["ran"]]
    ours = sum(one_of(one, "killed") for one in same), sum(one_of(one, "changing") for one in same)
    dates = sorted({one["date"] for one in known})
    lines.append(
        f"\n{dates[-1]}, no GPU. {rounding} more mutants change bits within the stated tolerance only. "
        f"Where the framework's test runs, our suite kills {ours[0]} of {ours[1]}. "
        "Every survivor stands with its reason in the results file."
    )
    return "\n".join(lines)


def one_of(one: dict[str, Any], key: str) -> int:
    return int(one["changing"] if key == "changing" else one["counts"][key])


def _row(one: dict[str, Any]) -> str:
    kernel, counts, theirs = one["harness"].partition("::")[2], one["counts"], one["framework"]
    killed = f"{counts['killed']} ({one['score']:.0%})" if one["score"] is not None else "0"
    told = (
        f"{theirs['killed']} of {theirs['of']}, by {len(theirs['chosen'])} of its {theirs['cases']} cases"
        if theirs["ran"]
        else f"not run: {theirs['why']}".replace("|", "\\|")
    )
    return f"| `{kernel}` ({one['release']}) | {counts['tried']} | {one['changing']} | {killed} | {told} |"


if __name__ == "__main__":
    main()
