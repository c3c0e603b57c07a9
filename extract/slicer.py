"""Cut one kernel and a launcher out of a tree, into a harness folder that needs neither framework nor kmaint."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from extract.closure import Closure, StoppedError, close
from extract.contract import Derived, NotDerivable, contract_for
from extract.modules import Library
from extract.placing import copy_runtime, replacing
from extract.render import kernel_source, regions_of, shims_source, touched
from extract.tree import locate
from kmaint.child import clean_environment, run_child
from kmaint.errors import UsageError
from kmaint.folder import KERNEL, REFERENCE, SHIMS, sha256, write_manifest
from kmaint.records.harness import Extraction, Harness, Provenance
from kmaint.records.kernel import HostFunction, Kernel, Scan
from kmaint.records.workload import Contract

IMPORT_LIMIT_S = 120.0
CALL_LIMIT_S = 300.0

# Run in the target's interpreter, in the harness folder. Without CUDA the kernels run under Triton's interpreter, which
# has to be chosen before triton is imported.
IMPORT_PROGRAM = """\
import os, sys
sys.path.insert(0, os.getcwd())
import torch
if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"
import kernel
getattr(kernel, sys.argv[1])
"""
CALL_PROGRAM = (
    IMPORT_PROGRAM
    + """\
from pathlib import Path
from runtime.cases import Contract, perform
contract = Contract.read(Path.cwd())
workload, case = next(contract.cases())
device = "cuda" if torch.cuda.is_available() else "cpu"
outcome = perform(getattr(kernel, sys.argv[1]), contract, case, device)
if outcome.error:
    sys.exit(f"{workload['name']}: {outcome.error}")
"""
)


@dataclass(frozen=True)
class _Slice:
    """A closure with what it was cut for."""

    kernel: Kernel
    entry: str
    closure: Closure
    library: Library


def extract_kernel(
    tree: Path, scan: Scan, kernel: Kernel, into: Path, *, launcher: str | None = None, python: str = sys.executable
) -> Extraction:
    """Write `into/FRAMEWORK-KERNEL`, tried out under the interpreter `python`; an old folder there is replaced.

    The state says how far it got: "ready" ran its first workload, "imports" lacks that, "stopped" left nothing behind.
    """
    try:
        cut = _cut(tree, kernel, launcher)
    except StoppedError as error:
        return Extraction(id=kernel.id, folder=None, state="stopped", reason=str(error))
    folder = into / slug(scan, kernel)
    with replacing(folder) as scratch:
        derived, reason = _write(scratch, scan, cut)
        imports = _try_out(scratch, IMPORT_PROGRAM, cut.entry, python, IMPORT_LIMIT_S)
        if imports and not imports.startswith("no torch"):
            return Extraction(id=kernel.id, folder=None, state="stopped", reason=imports)
        if not imports and derived is not None:
            reason = _try_out(scratch, CALL_PROGRAM, cut.entry, python, CALL_LIMIT_S)
        scratch.rename(scratch.with_suffix(".done"))
    reason = imports or reason
    return Extraction(id=kernel.id, folder=folder, state="imports" if reason else "ready", reason=reason)


def slug(scan: Scan, kernel: Kernel) -> str:
    """Folder name of a kernel's harness; its file's name is part of it where the bare name is not unique."""
    words = kernel.qualname.replace(".<locals>", "").replace("#", "-").replace(".", "-").replace("_", "-")
    others = [one for one in scan.kernels if one.name == kernel.name and one.id != kernel.id]
    stem = f"{Path(kernel.path).stem.replace('_', '-')}-" if others else ""
    return f"{scan.release.framework}-{stem}{words.strip('-')}"


def choose_launcher(kernel: Kernel, wanted: str | None = None) -> HostFunction:
    """The host function to slice with: a plain one, of the kernel's own file where there is one.

    UsageError where `wanted` launches no such kernel, StoppedError where only methods or nothing does.
    """
    plain = [host for host in kernel.launchers if "." not in host.qualname and host.qualname != "<module>"]
    if wanted is not None:
        found = next((host for host in plain if wanted in (host.qualname, host.id)), None)
        if found is None:
            names = ", ".join(host.qualname for host in plain) or "none"
            raise UsageError(f"{wanted!r} is no plain function that launches {kernel.name}", f"these do: {names}")
        return found
    if plain:
        return min(plain, key=lambda host: (_is_test(host.path), host.path != kernel.path, host.path, host.line))
    if kernel.launchers:
        method = kernel.launchers[0]
        raise StoppedError(f"{method.qualname}: {kernel.name} is launched only by this method, which needs its object")
    raise StoppedError(f"{kernel.name}: no host function launches it")


def _is_test(path: str) -> bool:
    return any(part in ("test", "tests", "benchmark", "benchmarks", "examples") for part in Path(path).parts)


def _cut(tree: Path, kernel: Kernel, launcher: str | None) -> _Slice:
    if ".<locals>." in kernel.qualname:
        raise StoppedError(f"{kernel.qualname}: defined inside a function")
    if "." in kernel.qualname:
        raise StoppedError(f"{kernel.qualname}: defined inside a class")
    host = choose_launcher(kernel, launcher)
    library = Library(locate(tree))
    entry, own = library.at(host.path), library.at(kernel.path)
    closure = close(library, (entry, host.qualname), (own, kernel.qualname.partition("#")[0]))
    return _Slice(kernel, host.qualname, closure, library)


def _write(folder: Path, scan: Scan, cut: _Slice) -> tuple[Derived | None, str]:
    """All files of the harness; the contract with it, or None and the reason."""
    release, kernel = scan.release, cut.kernel
    title = (
        f"`{kernel.name}` of {release.framework} {release.version or release.commit or ''}".rstrip()
        + ", standing alone."
    )
    source = kernel_source(cut.closure, title)
    shims = shims_source(cut.closure, cut.library, release.framework)
    (folder / KERNEL).write_text(source)
    if shims:
        (folder / SHIMS).write_text(shims)
    copy_runtime(folder / "runtime", "extract.runtime")
    derived, reason = _contract(
        source if not shims else _with_shims(source, shims), kernel.name, cut.entry, release.framework
    )
    if derived is not None and derived.reference is not None:
        (folder / REFERENCE).write_text(derived.reference)
    harness = _harness(folder, scan, cut, derived)
    write_manifest(harness)
    (folder / "README.md").write_text(_readme(harness))
    return derived, reason


def _with_shims(source: str, shims: str) -> str:
    """kernel.py as one file: what it imports from shims stands where it imports it."""
    lines = source.splitlines(keepends=True)
    first = next(i for i, line in enumerate(lines) if line.startswith(("from shims import", "import shims")))
    kept = [line for line in lines[first:] if not line.startswith(("from shims import", "import shims"))]
    renamed = [
        f"{words[-1]} = {words[3]}\n"
        for line in lines
        if line.startswith("from shims import") and len(words := line.split()) > 4
    ]
    return "".join([*lines[:first], shims, *renamed, *kept])


def _contract(source: str, kernel: str, entry: str, framework: str) -> tuple[Derived | None, str]:
    try:
        return contract_for(source, kernel, entry, framework), ""
    except NotDerivable as error:
        return None, str(error)


def _harness(folder: Path, scan: Scan, cut: _Slice, derived: Derived | None) -> Harness:
    release, kernel = scan.release, cut.kernel
    return Harness(
        folder=folder,
        kernel=kernel.name,
        entry=cut.entry,
        language="triton",
        op=derived.op if derived else f"{release.framework}.{cut.entry}",
        compute=derived.compute if derived else "any",
        provenance=Provenance(
            framework=release.framework,
            version=release.version,
            commit=release.commit,
            path=kernel.path,
            symbol=kernel.qualname,
            line=kernel.line,
            end_line=kernel.end_line,
            licence=release.licence,
            files={piece.module.relative: sha256(piece.module.source) for piece in touched(cut.closure)},
        ),
        regions=tuple(region for region, _ in regions_of(cut.closure)),
        stubs=tuple(cut.closure.stubs[symbol] for symbol in sorted(cut.closure.stubs)),
        contract=derived.contract if derived else Contract(axes=(), arguments=()),
        oracle=derived is not None and derived.reference is not None,
    )


def _readme(harness: Harness) -> str:
    origin = harness.provenance
    release = origin.version or origin.commit or "(no version stated)"
    return (
        f"# {harness.kernel}\n\n"
        f"The Triton kernel `{harness.kernel}` and its launcher `{harness.entry}`, cut out verbatim to stand alone.\n"
        f"From {origin.framework} {release}, `{origin.path}:{origin.line}-{origin.end_line}`; {origin.licence}.\n"
        f"What stands in for the framework, and why, is in `shims.py` and `harness.toml`.\n"
        f"Needs torch, triton, hypothesis and pytest: run `pytest` in this folder.\n"
    )


def _try_out(folder: Path, program: str, entry: str, python: str, limit_s: float) -> str:
    """Empty when the program ends well, else its last words; where torch itself is missing they say so."""
    done = run_child([python, "-c", program, entry], timeout_s=limit_s, env=clean_environment(), cwd=folder)
    if done.timed_out:
        return f"{entry}: no answer within {limit_s:.0f} s"
    if done.code == 0:
        return ""
    last = (done.stderr.strip().splitlines() or [done.signal or f"exit status {done.code}"])[-1]
    if last == "ModuleNotFoundError: No module named 'torch'":
        return f"no torch in {python}, so nothing was run"
    return f"{entry}: {last}"
