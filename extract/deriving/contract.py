"""The contract of a launcher: written down in the catalogue where somebody has read the kernel, derived otherwise."""

from __future__ import annotations

import ast
import functools
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from extract.calls.dimensions import dimension_names
from extract.calls.solve import solve
from extract.derived import Derived, NotDerivable, Subject
from extract.deriving.alone.derive import derive_direct
from extract.deriving.launchers.derive import derive
from extract.deriving.prober import Answer, Effort, Prober, Request, WarmProber
from extract.models import COUNTS, admitted, counts, dimension_of, elements, model_workloads
from kmaint import wire
from kmaint.forking.warm import Zygote
from kmaint.records.call import Call
from kmaint.records.kernel import Kernel
from kmaint.records.workload import Contract, Workload

__all__ = ["Derived", "Entry", "NotDerivable", "Subject", "catalogue", "contract_for", "is_catalogued", "read_entry"]

CATALOGUE = Path(__file__).parent / "catalogue"
MODEL_TRIAL_S = 1.0
"""CPU seconds to find that an entry refuses a model's sizes; what takes longer is at work, not refusing."""

Progress = Callable[[str], None]


def silent(_line: str) -> None:
    """Progress that nobody wants to see."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One folder of the catalogue: the launcher it describes, and `kernels`, any of which it may be asked for by."""

    framework: str
    entry: str
    kernels: tuple[str, ...]
    derived: Derived


def contract_for(
    subject: Subject, folder: Path, warm: Zygote, *, effort: Effort | None = None, progress: Progress = silent
) -> Derived:
    """How to call the subject's entry; NotDerivable where that cannot be found out.

    Calls that were seen come first, then the catalogue, then the calls of tests and benchmarks; calls are believed
    where the smallest of them runs. Else it is derived. `folder` holds the harness's code and runtime, to be tried in
    forks of `warm`.
    """
    prober, effort = WarmProber(warm, folder, subject.entry), effort or Effort()
    if (found := seen(subject, subject.calls)) is not None and not _trouble(found.contract, prober, effort):
        return found
    if (known := written_down(subject)) is not None:
        return known
    if subject.examples is not None:
        why = f"none of {len(subject.examples)} calls is one that a harness can make" if subject.examples else "no call"
        if (found := seen(subject, subject.examples)) is not None:
            contract = _in_memory(found.contract)
            why = _trouble(contract, prober, effort)
            if not why:
                return _weighed(replace(found, contract=with_models(contract, prober)))
        progress(f"{subject.entry}: not from the framework's tests and benchmarks ({why}), so derived")
    if subject.level == "kernel":
        found = _at_models(derive_direct(subject, prober, effort), prober, effort)
    else:
        found = derive(subject.source, subject.entry, subject.framework, prober, effort)
    return _weighed(found)


def seen(subject: Subject, calls: Sequence[Call]) -> Derived | None:
    """What calls of the subject say, with the catalogue's reference; None without calls that a harness can make."""
    definitions = ast.walk(ast.parse(subject.source)) if calls else ()
    for node in definitions:
        if isinstance(node, ast.FunctionDef) and node.name == subject.entry:
            names = [one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
            try:
                contract = solve(calls, names, names=dimension_names(node))
            except NotDerivable:
                return None
            op = f"{subject.framework}.{subject.entry.lstrip('_')}"
            plain = Derived(contract=contract, op=op, compute="kernel", reference=None)
            return _weighed(replace(written_down(subject) or plain, contract=contract))
    return None


def _trouble(contract: Contract, prober: Prober, effort: Effort) -> str:
    """Why the smallest workload does not run under the interpreter; empty where it does, or is too large for it."""
    full = _full(contract)
    if not full:
        return "no call is of tensors that have elements and fit in memory"
    least = min(full, key=lambda workload: elements(contract, workload.axes))
    (answer,) = prober.ask([_request(contract, least, limit_s=effort.trial_s)])
    return _refusal(answer)


def _in_memory(contract: Contract) -> Contract:
    """Without the workloads that take more than a suite may."""
    kept = tuple(one for one in contract.workloads if admitted(contract, one.axes))
    return replace(contract, workloads=kept)


def _at_models(found: Derived, prober: Prober, effort: Effort) -> Derived:
    """The same with the sizes of models for its workloads, where it has such sizes and the smallest of them runs."""
    modelled = replace(found.contract, workloads=tuple(model_workloads(found.contract)))
    wanted = bool(modelled.workloads) and not _trouble(modelled, prober, effort)
    return replace(found, contract=modelled) if wanted else found


def _full(contract: Contract) -> list[Workload]:
    """The workloads all of whose tensors have elements: without, there may be nothing to run and nothing to time."""
    return [one for one in contract.workloads if all(counts(contract, one.axes))]


def _request(contract: Contract, workload: Workload, *, limit_s: float) -> Request:
    return {"contract": wire.dump(contract), "case": {"seed": 1, **workload.axes}, "limit_s": limit_s}


def _refusal(answer: Answer) -> str:
    if answer["error"].startswith("OverrunError"):  # sizes of a served model: right, but not for an interpreter
        return ""
    outside = f"outside of {', '.join(answer['outside'])}" if answer["outside"] else ""
    return str(answer["error"]) or outside


def with_models(contract: Contract, prober: Prober) -> Contract:
    """The contract timed at the sizes of models, where those run, and the calls of tests kept as examples.

    A test's sizes are chosen to be quick or odd, so they stand for traffic only where no model's fit.
    """
    cases: dict[str, list[Workload]] = {}
    for one in model_workloads(contract) if _has_models_sizes(contract) else ():
        if one.origin == "model config":
            cases.setdefault(one.source.partition(",")[0], []).append(one)
    least = [min(of_model, key=lambda one: elements(contract, one.axes)) for of_model in cases.values()]
    answers = prober.ask([_request(contract, one, limit_s=MODEL_TRIAL_S) for one in least])
    timed = [
        one
        for of_model, answer in zip(cases.values(), answers, strict=True)
        if not _refusal(answer)
        for one in of_model
    ]
    if not timed:
        full = _full(contract)
        weighed = (replace(one, weight=float(one in full)) for one in contract.workloads)
        return replace(contract, workloads=tuple(weighed))
    at_models = [one.axes for one in timed]
    names = {one.name for one in timed}
    examples = (
        replace(one, weight=0.0, name=f"{one.name}-example" if one.name in names else one.name)
        for one in contract.workloads
        if one.axes not in at_models
    )
    return replace(contract, workloads=(*timed, *examples))


def _has_models_sizes(contract: Contract) -> bool:
    """Whether every size that varies is one of a model, and one at least a width: counts alone are no model's."""
    free = [one for one in contract.axes if not one.choices or len({c for c in one.choices if type(c) is int}) > 1]
    # `hidden_states_0` is what solve calls a size that nobody names, and is no hidden size
    unnamed = {f"{one.name}_{part}{i}" for one in contract.arguments for part in ("", "stride_") for i in range(8)}
    kinds = {None if axis.name in unnamed else dimension_of(axis.name) for axis in free}
    return None not in kinds and bool(kinds - COUNTS)


def written_down(subject: Subject) -> Derived | None:
    """What the catalogue has for the subject, if it has anything."""
    for known in catalogue():
        if (known.framework, known.entry) == (subject.framework, subject.entry) and subject.kernel in known.kernels:
            return _weighed(known.derived)
    return None


def _weighed(derived: Derived) -> Derived:
    """The same with weights that add up to 1, so that each is a share."""
    total = sum(workload.weight for workload in derived.contract.workloads)
    workloads = tuple(replace(one, weight=one.weight / total) for one in derived.contract.workloads)
    return replace(derived, contract=replace(derived.contract, workloads=workloads))


def is_catalogued(kernel: Kernel, framework: str) -> bool:
    """Whether somebody wrote down how to call the launcher of a kernel of that name."""
    return any(known.framework == framework and kernel.name in known.kernels for known in catalogue())


@functools.cache
def catalogue() -> tuple[Entry, ...]:
    """Every entry, in order of its folder's name."""
    return tuple(read_entry(path.parent) for path in sorted(CATALOGUE.glob("*/contract.toml")))


def read_entry(folder: Path) -> Entry:
    """contract.toml and reference.py of one folder; ValueError where a key is unknown or a value malformed."""
    data = tomllib.loads((folder / "contract.toml").read_text())
    manifest = {name: data.pop(name) for name in ("framework", "entry", "kernels")}
    described = {name: data.pop(name) for name in ("op", "compute")}
    reference = (folder / "reference.py").read_text()
    derived = Derived(contract=wire.load(Contract, data), reference=reference, **described)
    return Entry(**{**manifest, "kernels": tuple(manifest["kernels"])}, derived=derived)
