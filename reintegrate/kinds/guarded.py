"""A guarded variant beside the original: the launcher gets a branch, and all outside the guard runs as before."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from kmaint.child import clean_environment, run_child
from kmaint.errors import UsageError
from kmaint.folder import KERNEL, split_regions
from kmaint.formatting import format_python
from kmaint.records.change import Check, Edit, Patch
from kmaint.records.workload import Binding
from reintegrate.kinds.guard import Guard, Predicate, guard_of, outside, predicate
from reintegrate.kinds.imports import COLUMNS, with_import
from reintegrate.kinds.variant import Variant, beside, handed_on, variant_of, with_branch
from reintegrate.kinds.win import Declined, Win
from reintegrate.names import bound_names

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


def guarded_patch(win: Win, tree: Path) -> Patch | Declined:
    """The variant, its guard and the branch, as one edit of the launcher's lines; checked under the interpreter."""
    if win.evaluation.environment.device is None or not win.timed():
        return Declined("a guard names what was measured, and nothing was timed")
    guard = guard_of(win)
    if isinstance(guard, Declined):
        return guard
    suffix = f"sm{guard.capability[0]}{guard.capability[1]}"
    variant = variant_of(win, suffix)
    if isinstance(variant, Declined):
        return variant
    test = DEVICE_TESTS.get(win.harness.provenance.framework, TORCH)
    found = predicate(win, guard, f"_use{beside(win.harness.entry, suffix)}", device_test=exact(test, guard))
    if isinstance(found, Declined):
        return found
    return _patch(win, tree, guard, variant, found, test)


def exact(test: DeviceTest, guard: Guard) -> str:
    """The test for the guard's architecture; the tensor whose device is meant is still to be filled in."""
    return test.expression.format(major=guard.capability[0], minor=guard.capability[1])


def _patch(
    win: Win, tree: Path, guard: Guard, variant: Variant, test: Predicate, device: DeviceTest
) -> Patch | Declined:
    region, entry = variant.region, win.harness.entry
    launcher = split_regions((win.harness.folder / KERNEL).read_text())[region.path, region.symbol]
    call = f"{variant.launcher}({handed_on(launcher, entry)})"
    branched = with_branch(launcher, entry, f"{test.name}({', '.join(test.parameters)})", call)
    shown = format_python(test.source, columns=COLUMNS)
    edit = Edit(
        path=region.path,
        symbol=region.symbol,
        line=region.line,
        end_line=region.end_line,
        before_sha256=region.sha256,
        after=f"{shown}\n\n{variant.source}\n\n{branched}",
        adds=(test.name, *variant.names),
    )
    file = (tree / region.path).read_text()
    if taken := sorted(set(edit.adds) & bound_names(file)):
        raise UsageError(
            f"{region.path}: {taken[0]!r} stands in it already", "an earlier variant is there: revise that"
        )
    if "torch" not in bound_names(file):
        return Declined(f"{region.path} does not import torch, which a guard asks for dtypes")
    edits = [edit]
    if device.name and device.name not in bound_names(file):
        edits.insert(0, with_import(region.path, file, device.module, device.name))
    return Patch(
        edits=tuple(edits),
        files={region.path: win.harness.provenance.files[region.path]},
        kind="guarded",
        reason=_why(win, guard),
        shown=(outside_as_shipped(win, guard, edit, test, variant),),
    )


def _why(win: Win, guard: Guard) -> str:
    where = ", ".join(guard.inside)
    if lost := win.lost():
        return f"it wins on {where} and loses on {', '.join(one.name for one in lost)}"
    return f"the code that wins on {where} takes less than the original does"


def outside_as_shipped(win: Win, guard: Guard, edit: Edit, test: Predicate, variant: Variant) -> Check:
    """The guard held against every workload and the sizes next to it; small cases outside it run, and are compared."""
    name = "outside the guard"
    if win.python is None:
        return Check(name=name, state="not_run", detail="no interpreter was given")
    cases = [{"axes": one.axes, "inside": guard.admits(one.axes)} for one in win.harness.contract.workloads]
    around = outside(win.harness, guard)
    cases += [{"axes": axes, "inside": False} for axes in around]
    asked = {
        "entry": win.harness.entry,
        "predicate": test.name,
        "variant": variant.launcher,
        "capability": guard.capability,
        "cases": cases,
        "run": sorted((one for one in around if _work(one) <= MOST_WORK), key=_work)[:MOST_CASES],
    }
    with tempfile.TemporaryDirectory(prefix="kmaint-guard-") as scratch:
        patched = Path(scratch) / "patched.py"
        patched.write_text(_in_harness(win, edit))
        ended = run_child(
            [win.python, WORKER, win.harness.folder, patched],
            timeout_s=LIMIT_S,
            env=clean_environment({"TRITON_INTERPRET": "1"}),
            stdin=json.dumps(asked),
        )
    if ended.code:
        said = next(iter(ended.stderr.strip().splitlines()[-1:]), "it ran too long")
        raise UsageError(f"the guard of {win.harness.entry} does not hold: {said}", "land it by hand")
    ran = json.loads(ended.stdout.splitlines()[-1])["ran"]
    if not ran:
        return Check(
            name=name, state="not_run", detail=f"{len(cases)} cases go where they should; none is small enough"
        )
    return Check(
        name=name,
        state="passed",
        detail=f"{len(cases)} cases go where they should; {ran} of them outside the guard ran under the interpreter, "
        "bit-identical to the shipped code",
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
