"""Parity: is a harness the op it was cut from? The same bits on every workload, and on a GPU within 3 % of its speed.

The shipped launcher takes the candidate's place on two of the gate's rungs, numerics and time; both sides run in
processes of the target's interpreter, on the same inputs, paired.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kmaint.errors import UsageError
from kmaint.evaluate.bench import Bench, scratch_with
from kmaint.evaluate.rungs.numerics import numerics
from kmaint.evaluate.timing.measuring import Measured, measure
from kmaint.folder import harness_digest, split_regions
from kmaint.records.evaluation import Numerics, Rejection
from kmaint.records.harness import Harness
from kmaint.records.parity import Pace, Parity, ParityState
from kmaint.records.timing import Timing
from kmaint.sandbox import NO_WALLS

CLOSE = 0.03
"""A slower extraction is a straw baseline, a faster one is not the shipped op: 3 % either way."""
LIMITS_S = {"time": 180.0, "numerics": 600.0, "call": 180.0}
"""Importing a framework takes half a minute."""

IMPORTED = """\
import hashlib
import importlib
import sys
import types
from pathlib import Path

sys.path[:0] = {folders!r}
for name, folder in {parents!r}.items():
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [folder]
shipped = importlib.import_module({module!r})
found = hashlib.sha256(Path(shipped.__file__).read_bytes()).hexdigest()
if found != {sha256!r}:
    raise ImportError(f"{{shipped.__file__}} is not the file the harness was cut from")
globals().update({{name: value for name, value in vars(shipped).items() if not name.startswith("__")}})
"""
"""Every name of the module, private ones too: the entry of a harness at a kernel's own level calls the kernel.

`parents` are packages whose __init__ is not run: it imports the whole framework, which the module may not need.
"""


@dataclass(frozen=True)
class Shipped:
    """One way to the shipped op: a file that gives it the harness's entry name, and what it is called."""

    name: str
    source: str


def hold(harness: Harness, bench: Bench, *, paths: Sequence[Path] = (), tree: Path | None = None) -> Parity:
    """Compare with the first shipped op that can be imported: from `paths` or the interpreter, else from `tree`.

    A framework needs its compiled parts and dependencies to import; a module of a tree only what it names itself. Of
    CUDA C++ there is no module to import: its harness builds the very files of the release.
    """
    if harness.language == "cuda":
        return _parity(harness, bench, "not_run", "CUDA C++ is no module that could be imported")
    if tree is not None and not (tree / harness.provenance.path).is_file():
        origin = harness.provenance
        raise UsageError(
            f"{tree}: no {origin.path} in it", f"give a tree of {origin.framework} {origin.version}, as it was cut from"
        )
    bench = dataclasses.replace(bench, limits_s={**bench.limits_s, **LIMITS_S})
    failed: list[str] = []
    for shipped in ways_to(harness, paths, tree):
        bench.progress(f"parity with {shipped.name}")
        found = _compare(harness, shipped, bench)
        if found.state != "not_run":
            return found
        failed.append(f"{shipped.name}: {found.reason.rpartition('}: ')[2].rpartition('): ')[2]}")
    return _parity(harness, bench, "not_run", "; ".join(failed) or "no shipped op to compare with")


def ways_to(harness: Harness, paths: Sequence[Path], tree: Path | None) -> Iterator[Shipped]:
    """The module as the framework installs it, then the one in the tree without the __init__ of its packages."""
    path = harness.provenance.path
    module = module_of(path)
    yield _shipped(harness, module, folders=[str(path.resolve()) for path in paths])
    if tree is not None:
        root = (tree / path).resolve().parents[module.count(".") + path.endswith("/__init__.py")]
        packages = module.split(".")[:-1]
        parents = {".".join(packages[: n + 1]): str(root.joinpath(*packages[: n + 1])) for n in range(len(packages))}
        yield _shipped(harness, path, folders=[str(root)], parents=parents)


def _shipped(harness: Harness, name: str, *, folders: list[str], parents: dict[str, str] | None = None) -> Shipped:
    origin = harness.provenance
    source = IMPORTED.format(
        folders=folders, parents=parents or {}, module=module_of(origin.path), sha256=origin.files[origin.path]
    )
    return Shipped(name, source + own_entry(harness))


def module_of(path: str) -> str:
    """Dotted name of a file of the tree; SGLang's repository keeps its package under python/."""
    return path.removeprefix("python/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def own_entry(harness: Harness) -> str:
    """What kernel.py itself adds as the entry, where the harness is cut at the kernel's own level."""
    source = (harness.folder / "kernel.py").read_text()
    if any(harness.entry in symbol.split(",") for _, symbol in split_regions(source)):
        return ""
    return source[source.rindex("# endregion\n") + len("# endregion\n") :]


def _compare(harness: Harness, shipped: Shipped, bench: Bench) -> Parity:
    with scratch_with(shipped.source) as (scratch, file):
        found = numerics(harness, file, bench, scratch, trusted=True)
        if not isinstance(found, Numerics):
            return _parity(harness, bench, _state_of(found), found.reason, shipped=shipped.name)
        if found.kind != "bit-exact":
            reason = f"results differ by up to {found.max_difference:.3g}"
            return _parity(harness, bench, "differs", reason, shipped=shipped.name)
        if bench.device == "none":
            return _parity(harness, bench, "holds", "", shipped=shipped.name)
        # The framework's own code, which imports all of the framework, wherever that lies.
        measured = measure(harness, file, dataclasses.replace(bench, walls=NO_WALLS), scratch)
        if not isinstance(measured, Measured):
            return _parity(harness, bench, _state_of(measured), measured.reason, shipped=shipped.name)
        return _paced(_parity(harness, bench, "holds", "", shipped=shipped.name), measured.timing)


def _state_of(rejection: Rejection) -> ParityState:
    """An op that cannot be imported says nothing of the harness; one that gives other results does."""
    return "differs" if rejection.kind == "wrong" and "exception" not in rejection.codes else "not_run"


def _paced(parity: Parity, timing: Timing) -> Parity:
    paces = tuple(Pace(workload=one.workload, ratio=one.speedup) for one in timing.workloads)
    far = [pace for pace in paces if abs(pace.ratio.ratio - 1.0) > CLOSE]
    if not far:
        return dataclasses.replace(parity, paces=paces)
    worst = max(far, key=lambda pace: abs(pace.ratio.ratio - 1.0))
    reason = f"{worst.workload}: the harness takes {worst.ratio.ratio:.2f} times as long as the shipped op"
    return dataclasses.replace(parity, state="unlike_speed", reason=reason, paces=paces)


def _parity(harness: Harness, bench: Bench, state: ParityState, reason: str, *, shipped: str = "") -> Parity:
    return Parity(
        state=state,
        reason=reason,
        shipped=shipped,
        harness_sha256=harness_digest(harness.folder),
        environment=bench.environment,
    )
