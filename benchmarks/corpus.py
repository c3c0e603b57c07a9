"""Take every candidate of the project's corpus through the gate, and keep what became of each.

    python -m benchmarks.corpus OUT.json [--tree DIR] [--only TEXT]

The harnesses are cut from the released tree, or else from the files of it that the tests keep. A bad candidate names in
its source, in a line `# expect: CODE, CODE`, the codes that say what is wrong with it; any other rejection is one for
the wrong reason. An honest one names none, and has to pass. No GPU is needed.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import extract
from kmaint import evaluate, wire, workflow
from kmaint.config import load_config
from kmaint.errors import KmaintError
from kmaint.evaluate import Bench
from kmaint.folder import read_harness, write_manifest
from kmaint.records.evaluation import Candidate, Plan
from kmaint.records.harness import Harness

ROOT = Path(__file__).parents[1]
CORPUS = ROOT / "tests" / "evaluate" / "corpus"
TREE = ROOT / "tests" / "extract" / "cases" / "sglang"
MORE = ROOT / "tests" / "extract" / "cases" / "catalogue" / "sglang_silu_and_mul.py"
"""More functions of the released elementwise.py, with what they need."""
KERNELS = {
    "fused_rmsnorm": "fused_rmsnorm_kernel",
    "merge_state": "merge_state_kernel",
    "silu_and_mul": "silu_and_mul_kernel",
}
EXPECT = re.compile(r"^# expect: (.*)$", re.MULTILINE)
LIMITS_S = {"call": 20.0, "compile": 90.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--tree", type=Path)
    parser.add_argument("--only", default="", help="candidates whose path has this in it")
    options = parser.parse_args()
    cold = dataclasses.replace(evaluate.open_bench(device="none", limits_s=LIMITS_S), threads=1)
    found: list[dict[str, Any]] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        evaluate.warmed(cold) as bench,
        ThreadPoolExecutor(evaluate.cores()) as pool,
    ):
        for op in KERNELS:
            chosen = [path for path in candidates(op) if options.only in str(path)]
            if not chosen:
                continue
            judge = partial(judged, harness_of(op, Path(folder), options.tree), bench)
            for path, one in zip(chosen, pool.map(judge, chosen), strict=True):
                found.append(one)
                write(options.out, found, bench)
                print(f"{one['as_expected']!s:5} {path.relative_to(CORPUS)}: {one['said']}", flush=True)
    print(json.dumps(counts(found), indent=1))


def write(out: Path, found: list[dict[str, Any]], bench: Bench) -> None:
    """All that was judged so far."""
    content = {"environment": wire.dump(bench.environment), "counts": counts(found), "candidates": found}
    out.write_text(json.dumps(content, indent=1) + "\n")


def counts(found: list[dict[str, Any]]) -> dict[str, int]:
    """How many of each kind ended how."""
    ended = Counter((str(one["kind"]), str(one["outcome"])) for one in found)
    return {f"{kind}: {outcome}": count for (kind, outcome), count in sorted(ended.items())}


def candidates(op: str) -> Iterator[Path]:
    """The corpus files of one operator, honest ones last."""
    for kind in ("bad", "honest"):
        yield from sorted((CORPUS / op / kind).glob("*.py"))


def expected(path: Path) -> tuple[str, ...]:
    """The codes of which a bad candidate has to earn one; none for an honest one."""
    found = EXPECT.search(path.read_text())
    return tuple(code.strip() for code in found[1].split(",")) if found else ()


def harness_of(op: str, into: Path, tree: Path | None = None) -> Harness:
    """The operator's harness with its suite, in which torch may do all the work."""
    tree = tree or tree_of(op, into)
    scan = extract.scan_tree(tree)
    kernel = extract.find_kernel(scan, KERNELS[op])
    ended = workflow.extract_kernel(
        *(tree, scan, extract.Wanted(kernel=kernel), into, load_config()), sources=extract.Sources(), progress=print
    )
    if ended.folder is None or ended.state != "ready":
        raise SystemExit(f"{kernel.id}: {ended.state}: {ended.reason}")
    harness = dataclasses.replace(read_harness(ended.folder), compute="any")
    write_manifest(harness)
    return harness


def tree_of(op: str, into: Path) -> Path:
    """A tree of the kept files that has the operator; of silu_and_mul they stand in a file of their own."""
    if op != "silu_and_mul":
        return TREE
    tree = Path(shutil.copytree(TREE, into / "tree"))
    shutil.copy(MORE, tree / "sglang" / "kernels" / "ops" / "elementwise" / "elementwise.py")
    return tree


def proposed(path: Path) -> Candidate:
    """A corpus file as a candidate."""
    source = path.read_text()
    plan = Plan(bottleneck="unknown", edit="corpus", why=path.stem)
    return Candidate(id=wire.digest(source), source=source, parent=None, plan=plan, provider="corpus")


def judged(harness: Harness, bench: Bench, path: Path) -> dict[str, Any]:
    """What the gate said of one candidate, and whether that is what is wrong with it."""
    started, wanted = time.monotonic(), expected(path)
    common = {"op": path.parents[1].name, "kind": path.parent.name, "name": path.stem, "expected": wanted}
    try:
        evaluation = evaluate.check(harness, proposed(path), bench)
    except KmaintError as error:
        return {**common, "outcome": "no verdict", "as_expected": False, "said": str(error)}
    verdict = evaluation.verdict
    codes, reason = getattr(verdict, "codes", ()), getattr(verdict, "reason", "")
    right = set(codes) & set(wanted) if wanted else verdict.kind == "passed"
    rejected = "rejected for the right reason" if right else "rejected for another reason"
    return {
        **common,
        "outcome": "accepted" if verdict.kind == "passed" else rejected,
        "as_expected": bool(right),
        "verdict": verdict.kind,
        "codes": codes,
        "rung": evaluation.rungs[-1].name,
        "seconds": round(time.monotonic() - started, 1),
        "said": f"{verdict.kind} {', '.join(codes)} {reason}".strip(),
    }


if __name__ == "__main__":
    main()
