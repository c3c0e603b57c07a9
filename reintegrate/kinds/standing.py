"""A variant that stands beside the original, the guard that says which calls are its own, and what both are worth.

The guard is held against every workload and the sizes next to it; code outside it runs, and is compared bit for bit.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from kmaint.child import clean_environment
from kmaint.errors import UsageError
from kmaint.folder import KERNEL, split_regions
from kmaint.forking.stem import run_with_torch
from kmaint.formatting import format_python
from kmaint.records.change import Check, Edit
from kmaint.records.workload import Binding
from reintegrate.imports import COLUMNS
from reintegrate.kinds.added import Added, added_by
from reintegrate.kinds.guard import Guard, guard_of, outside
from reintegrate.kinds.predicate import Predicate, predicate
from reintegrate.kinds.variant import Variant, variant_of
from reintegrate.kinds.win import Declined, Win

WORKER = Path(__file__).with_name("guard_worker.py")
LIMIT_S = 300.0
MOST_WORK = 1 << 14
"""Elements of a case that the interpreter goes through: it takes a millisecond or two a program."""
MOST_CASES = 4


@dataclass(frozen=True)
class DeviceTest:
    """How a framework asks for an architecture: an expression, and the import that it needs, if any."""

    expression: str
    module: str = ""
    name: str = ""


# ROCm has capabilities too: gfx90a is (9, 0).
TORCH = DeviceTest(
    "{{tensor}}.is_cuda\n        and torch.version.hip is None"
    "\n        and torch.cuda.get_device_capability({{tensor}}.device) == ({major}, {minor})"
)
DEVICE_TESTS = {
    "vllm": DeviceTest(
        "current_platform.is_cuda()\n        and current_platform.is_device_capability(({major}, {minor}))",
        "vllm.platforms",
        "current_platform",
    )
}


@dataclass(frozen=True, kw_only=True)
class Beside:
    """A variant with its guard. `edit` puts both above the launcher and a branch into it."""

    guard: Guard
    variant: Variant
    test: Predicate
    device: DeviceTest
    edit: Edit


def suffix_of(win: Win) -> str:
    """What names of a variant end in: the architecture that it was measured on; empty where it was on none."""
    return f"sm{win.capability[0]}{win.capability[1]}" if win.capability else ""


def stand_beside(win: Win, name: str, *, whole: bool = False) -> Beside | Declined:
    """The winner as a variant, behind a guard of that name: what it adds, where that is all; else, or where a `whole`
    launcher is asked for, a copy."""
    guard = guard_of(win)
    if isinstance(guard, Declined):
        return guard
    variant = (None if whole else added_by(win)) or variant_of(win, suffix_of(win))
    if isinstance(variant, Declined):
        return variant
    device = DEVICE_TESTS.get(win.harness.provenance.framework, TORCH)
    asked = device.expression.format(major=guard.capability[0], minor=guard.capability[1])
    test = predicate(win, guard, name, device_test=asked)
    if isinstance(test, Declined):
        return test
    return Beside(guard=guard, variant=variant, test=test, device=device, edit=_edit(variant, test))


def _edit(variant: Variant, test: Predicate) -> Edit:
    region = variant.region
    branched = variant.branched(f"{test.name}({', '.join(test.parameters)})")
    shown = format_python(test.source, columns=COLUMNS)
    return Edit(
        path=region.path,
        symbol=region.symbol,
        line=region.line,
        end_line=region.end_line,
        before_sha256=region.sha256,
        after=f"{shown}\n\n{variant.source}\n\n{branched}",
        adds=(test.name, *variant.names),
    )


class NeverTakenError(Exception):
    """A call that the guard admits was not seen to come to the variant."""


def outside_as_shipped(win: Win, found: Beside) -> Check:
    """The guard held against every workload and the sizes next to it; small cases outside it run, and are compared.

    NeverTakenError where the variant stands behind a test of its own, and no call inside the guard came by it here.
    """
    name = "outside the guard"
    if win.python is None:
        return Check(name=name, state="not_run", detail="no interpreter was given")
    cases = [{"axes": one.axes, "inside": found.guard.admits(one.axes)} for one in win.harness.contract.workloads]
    around = outside(win.harness, found.guard)
    cases += [{"axes": axes, "inside": False} for axes in around]
    admitted = sorted((one.axes for one in win.harness.contract.timed if found.guard.admits(one.axes)), key=_work)
    asked = {
        "entry": win.harness.entry,
        "predicate": found.test.name,
        "variant": found.variant.launcher,
        "capability": found.guard.capability,
        "cases": cases,
        "taken": admitted[:1] if isinstance(found.variant, Added) else [],
        "run": sorted((one for one in around if _work(one) <= MOST_WORK), key=_work)[:MOST_CASES],
    }
    with tempfile.TemporaryDirectory(prefix="kmaint-guard-") as scratch:
        patched = Path(scratch) / "patched.py"
        patched.write_text(_in_harness(win, found.edit))
        ended = run_with_torch(
            [win.python, WORKER, win.harness.folder, patched],
            timeout_s=LIMIT_S,
            env=clean_environment({"TRITON_INTERPRET": "1"}),
            stdin=json.dumps(asked),
        )
    if ended.code:
        said = next(iter(ended.stderr.strip().splitlines()[-1:]), "it ran too long")
        raise UsageError(f"the guard of {win.harness.entry} does not hold: {said}", "land it by hand")
    told = json.loads(ended.stdout.splitlines()[-1])
    if told["not_taken"]:
        raise NeverTakenError(told["not_taken"])
    ran = told["ran"]
    if not ran:
        why = f"the shipped code does not run here ({told['cannot']})" if told["cannot"] else "none is small enough"
        return Check(name=name, state="not_run", detail=f"{len(cases)} cases go where they should; {why}")
    return Check(
        name=name,
        state="passed",
        detail=f"{len(cases)} cases go where they should; {ran} of them outside the guard ran under the interpreter, "
        "bit-identical to the shipped code"
        + (f"; others did not run, as the shipped code did not ({told['cannot']})" if told["cannot"] else ""),
    )


def _work(axes: dict[str, Binding]) -> int:
    work = 1
    for value in axes.values():
        work *= value if isinstance(value, int) and not isinstance(value, bool) and value else 1
    return work


def _in_harness(win: Win, edit: Edit) -> str:
    """kernel.py with the launcher's region as the patch has it."""
    original = (win.harness.folder / KERNEL).read_text()
    return original.replace(split_regions(original)[edit.path, edit.symbol], edit.after, 1)
