"""A guarded variant in CUDA C++, on calls that its guard turns away: the shipped code has to run there, to the bit."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from kmaint.evaluate.bench import Bench, laid_out
from kmaint.evaluate.rungs import facts
from kmaint.evaluate.rungs.facts import Built
from kmaint.evaluate.rungs.numerics import numerics
from kmaint.folder import write_manifest
from kmaint.records.change import Check
from kmaint.records.evaluation import Numerics
from kmaint.records.harness import Harness
from kmaint.records.workload import Binding, Workload

NAME = "outside the guard"


def outside_as_shipped(harness: Harness, source: str, cases: Sequence[Mapping[str, Binding]], bench: Bench) -> Check:
    """The kernel's file with the variant in it, run on cases that the guard turns away, beside the shipped file.

    `failed` where it does not build, or leaves other bits than the shipped code does on one of them.
    """
    place = bench.environment.device or "the interpreter"
    with tempfile.TemporaryDirectory(prefix="kmaint-guarded-", ignore_cleanup_errors=True) as name:
        outside = _on(harness, cases, Path(name) / harness.folder.name)
        with laid_out(outside, source) as (scratch, file):
            (built,) = facts.compile_all(outside, [file], bench, scratch)
            found = numerics(outside, file, bench, scratch) if isinstance(built, Built) else built
    if not isinstance(found, Numerics):
        return Check(name=NAME, state="failed", detail=f"{found.kind}: {found.reason}")
    if found.kind != "bit-exact":
        return Check(
            name=NAME, state="failed", detail=f"results differ from the shipped code's by {found.max_difference:.3g}"
        )
    return Check(
        name=NAME, state="passed", detail=f"{len(cases)} cases ran on {place}, bit-identical to the shipped code"
    )


def _on(harness: Harness, cases: Sequence[Mapping[str, Binding]], folder: Path) -> Harness:
    """A copy of the harness in that folder, whose workloads are the cases."""
    shutil.copytree(harness.folder, folder, symlinks=True)
    workloads = tuple(
        Workload(name=f"outside {number}", axes=dict(axes), weight=1.0, origin="derived", source="outside the guard")
        for number, axes in enumerate(cases)
    )
    contract = dataclasses.replace(harness.contract, workloads=workloads)
    found = dataclasses.replace(harness, folder=folder, contract=contract)
    write_manifest(found)
    return found
