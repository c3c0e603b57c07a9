"""A guarded variant in CUDA C++, on both sides of its guard: outside the shipped code has to run, to the bit."""

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
from kmaint.records.change import Check, Trap
from kmaint.records.evaluation import Crashed, Numerics, TimedOut
from kmaint.records.harness import Harness
from kmaint.records.workload import Binding, Workload

NAME = "outside the guard"


def outside_as_shipped(harness: Harness, trap: Trap, bench: Bench) -> Check:
    """The file as it lands, with a trap for its variant, run beside the shipped one on both sides of the guard.

    `failed` where it does not build, where a call outside comes to the variant or leaves other bits than the shipped
    code does, and where the one inside never comes there; `not_run` where a call did not end as calls do. HarnessError
    or MissingError where the shipped file does not build here.
    """
    with tempfile.TemporaryDirectory(prefix="kmaint-guarded-", ignore_cleanup_errors=True) as name:
        outside = _on(harness, trap.outside, Path(name) / "outside")
        inside = _on(harness, [trap.inside], Path(name) / "inside")
        with laid_out(outside, trap.source) as (scratch, file):
            facts.original_built(outside, bench, scratch)
            (built,) = facts.compile_all(outside, [file], bench, scratch)
            if not isinstance(built, Built):
                return _failed(f"{built.kind}: {built.reason}")
            found, reached = (numerics(one, file, bench, scratch) for one in (outside, inside))
    for one in (found, reached):
        if isinstance(one, Crashed | TimedOut):
            return Check(name=NAME, state="not_run", detail=f"{one.kind}: {one.reason}")
    if not isinstance(found, Numerics):
        return _failed(f"{found.kind}: {found.reason}")
    if found.kind != "bit-exact":
        return _failed(f"results differ from the shipped code's by {found.max_difference:.3g}")
    if isinstance(reached, Numerics) or trap.said not in f"{reached.reason} {reached.log}":
        instead = "" if isinstance(reached, Numerics) else f": {reached.kind}: {reached.reason}"
        return _failed(f"{trap.inside} passes the guard, and never comes to the variant{instead}")
    place = bench.environment.device or "the interpreter"
    detail = (
        f"{len(trap.outside)} cases ran on {place}, bit-identical to the shipped code, and none came to the variant"
    )
    return Check(name=NAME, state="passed", detail=detail)


def _failed(detail: str) -> Check:
    return Check(name=NAME, state="failed", detail=detail)


def _on(harness: Harness, cases: Sequence[Mapping[str, Binding]], folder: Path) -> Harness:
    """A copy of the harness in that folder, whose workloads are the cases."""
    shutil.copytree(harness.folder, folder, symlinks=True)
    workloads = tuple(
        Workload(name=f"{folder.name} {number}", axes=dict(axes), weight=1.0, origin="derived", source="a guard")
        for number, axes in enumerate(cases)
    )
    contract = dataclasses.replace(harness.contract, workloads=workloads)
    found = dataclasses.replace(harness, folder=folder, contract=contract)
    write_manifest(found)
    return found
