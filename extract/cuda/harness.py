"""Cut a CUDA kernel with its host operator out of a tree, into a folder that needs nvcc and torch, no framework."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from extract.cuda import binding
from extract.cuda.contracts import UnknownContractError, contract_of
from extract.cuda.includes import Includes, include_closure
from extract.cuda.jit_ops import JitOp, export_namespace, jit_folder
from extract.cuda.ops import CudaOp, Sources, ops_of, read_ops
from extract.cuda.torch_ops import TorchOp, target_version
from extract.slicing.closure import close
from extract.slicing.modules import Library
from extract.slicing.pieces import Closure, StoppedError
from extract.slicing.placing import copy_runtime, replacing
from extract.slicing.render import kernel_source, regions_of, shims_source, touched
from extract.tree import SourceTree, locate
from extract.trying.everything import Wanted, WriteSuite
from kmaint.child import clean_environment, run_child
from kmaint.errors import UsageError
from kmaint.folder import INCLUDE, KERNEL, REFERENCE, SHIMS, forward, read_harness, sha256, write_manifest
from kmaint.formatting import format_python
from kmaint.records.harness import Extraction, Harness, Provenance, Region, Stub
from kmaint.records.kernel import Kernel, Release, Scan
from kmaint.records.workload import Contract

BUILD_LIMIT_S = 1800.0
CACHE_SETTING = ("KMAINT_CUDA_CACHE", "CUDA_PATH")

BUILD_PROGRAM = """\
import os, runpy, sys
sys.path.insert(0, os.getcwd())
sys.exit(runpy.run_module("runtime.compile")["main"]())
"""

TORCH_FLAGS = (
    *("-std=c++20", "-O2", "-DNDEBUG", "--expt-relaxed-constexpr", "--expt-extended-lambda"),
    *("-DENABLE_FP8", "-DUSE_CUDA"),
)
"""As vLLM's CMakeLists.txt and cmake/utils.cmake come out for CUDA 13 and a release build."""

NOT_BUILT = "not built"
OUTSIDE = {
    "cutlass/": "CUTLASS headers",
    "cute/": "CUTLASS headers",
    "flashinfer/": "FlashInfer headers",
}
"""Includes that no harness brings along: neither the toolkit's, nor torch's, nor tvm-ffi's."""

KEPT = (
    ("torch/", "torch: its headers come with the package"),
    ("ATen/", "torch: its headers come with the package"),
    ("c10/", "torch: its headers come with the package"),
    ("tvm/", "apache-tvm-ffi: its headers come with the package"),
    ("dlpack/", "apache-tvm-ffi: its headers come with the package"),
)


@dataclass(frozen=True)
class _Cut:
    """An operator, the file that its kernel is in, and all that file includes."""

    op: CudaOp
    kernel: Kernel
    includes: Includes
    closure: Closure | None
    library: Library

    @property
    def file(self) -> str:
        return f"kernel{PurePosixPath(self.op.path).suffix}"


def extract_cuda(
    tree: Path, scan: Scan, wanted: Wanted, into: Path, write_suite: WriteSuite, *, python: str = sys.executable
) -> Extraction:
    """Write the harness of the operator that launches a CUDA kernel; the launcher wanted chooses among several."""
    kernel, launcher = wanted.kernel, wanted.launcher
    place = locate(tree)
    found = ops_of(kernel, read_ops(place), Sources(place))
    if not found:
        return _stopped(kernel, f"{kernel.name}: no operator of the tree launches it")
    chosen = next((op for op in found if launcher in (op.name, op.id)), None) if launcher else found[0]
    if chosen is None:
        names = ", ".join(op.name for op in found)
        raise UsageError(f"{launcher!r} is no operator that launches {kernel.name}", f"these do: {names}")
    return extract_op(place, scan.release, chosen, into, write_suite, kernel=kernel, python=python)


def extract_op(
    tree: SourceTree,
    release: Release,
    op: CudaOp,
    into: Path,
    write_suite: WriteSuite,
    *,
    kernel: Kernel | None = None,
    python: str | None = None,
) -> Extraction:
    """Write `into/FRAMEWORK-OPERATOR-cuda`; an old folder is replaced. Without a kernel the operator stands for it.

    Built by `python`'s nvcc where there is one; None leaves it unbuilt. "stopped" where it cannot be cut or built,
    "ready" where it is known how it is called and so there are workloads and a suite, else "imports": neither says that
    it was run, which takes a GPU.
    """
    kernel = kernel or _stand_in(tree, op)
    try:
        cut = _cut(tree, op, kernel)
        folder = into / f"{release.framework}-{op.name.strip('_').replace('_', '-').replace('.', '-')}-cuda"
        with replacing(folder) as scratch:
            unknown = _write(scratch, tree, release, cut)
            if not unknown:
                write_suite(read_harness(scratch))
            reason, tried = _build(scratch, python) if python else (NOT_BUILT, False)
            if reason and tried:
                raise StoppedError(f"{op.name}: {reason}")
            scratch.rename(scratch.with_suffix(".done"))
    except StoppedError as error:
        return _stopped(kernel, str(error))
    if unknown:
        reason = "; ".join(filter(None, [unknown, reason]))
        return Extraction(id=kernel.id, folder=folder, state="imports", reason=reason, level="launcher")
    return Extraction(id=kernel.id, folder=folder, state="ready", level="launcher")


def _stand_in(tree: SourceTree, op: CudaOp) -> Kernel:
    lines = _lines((tree.root / op.path).read_bytes())
    return Kernel(path=op.path, line=1, end_line=lines, name=op.name, qualname=op.name, language="cuda", role="kernel")


def _stopped(kernel: Kernel, reason: str) -> Extraction:
    return Extraction(id=kernel.id, folder=None, state="stopped", reason=reason)


def _cut(tree: SourceTree, op: CudaOp, kernel: Kernel) -> _Cut:
    includes = include_closure(tree.root, op.path, op.folders)
    for name in includes.outside:
        if outside := next((said for start, said in OUTSIDE.items() if name.startswith(start)), None):
            raise StoppedError(f"{name}: {outside} are neither in the tree nor in a harness's environment")
    library = Library(tree)
    if isinstance(op, TorchOp):
        return _Cut(op, kernel, includes, None, library)
    if op.needs:
        raise StoppedError(f"{op.name}: asks load_jit for the headers of {', '.join(op.needs)}")
    return _Cut(op, kernel, includes, close(library, (library.at(op.module), op.name)), library)


def _write(folder: Path, tree: SourceTree, release: Release, cut: _Cut) -> str:
    """All files of the harness but its suite: the kernel's own verbatim at the top, what it includes under its path in
    the tree. Why its workloads are unknown; empty where they are not."""
    (folder / cut.file).write_bytes((tree.root / cut.op.path).read_bytes())
    others = [*cut.includes.files]
    if isinstance(cut.op, JitOp):
        others += _other_files(tree, cut.op, cut.includes)
    for path in others:
        target = folder / INCLUDE / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((tree.root / path).read_bytes())
    forward(folder, cut.op.path, cut.file)
    copy_runtime(folder / "runtime", "extract.runtime", "extract.cuda.runtime")
    version = release.version or release.commit or ""
    title = f"`{cut.op.name}` of {release.framework} {version}".rstrip() + ", standing alone."
    if isinstance(cut.op, TorchOp):
        _write_torch(folder, tree, cut, title)
    else:
        loader = {"folder": f"{INCLUDE}/{jit_folder(tree)}", "namespace": export_namespace(tree)}
        (folder / "loader.json").write_text(json.dumps(loader, indent=1) + "\n")
        _write_jit(folder, cut, title, release.framework)
    harness, unknown = _harness(folder, tree, release, cut, others), ""
    try:
        stated = binding.written(cut.op.schema) if isinstance(cut.op, TorchOp) else None
        source = (folder / KERNEL).read_text()
        known = contract_of(release.framework, cut.op.id, source, harness.entry, written=stated)
    except UnknownContractError as error:
        unknown = str(error)
    else:
        assert known.reference is not None
        (folder / REFERENCE).write_text(known.reference)
        harness = replace(harness, contract=known.contract, compute=known.compute, oracle=True)
    write_manifest(harness)
    (folder / "README.md").write_text(_readme(harness, cut))
    return unknown


def _other_files(tree: SourceTree, op: JitOp, includes: Includes) -> list[str]:
    """Further files that the operator's loaders name, with what those include."""
    found: dict[str, None] = {}
    for path in op.files[1:]:
        found |= dict.fromkeys((path, *include_closure(tree.root, path, op.folders).files))
    return [path for path in found if path not in includes.files and path != op.path]


def _write_torch(folder: Path, tree: SourceTree, cut: _Cut, title: str) -> None:
    assert isinstance(cut.op, TorchOp)
    version = target_version(tree.root)
    flags = (*TORCH_FLAGS, *((f"-DTORCH_TARGET_VERSION={version}",) if version else ()))
    folders = tuple(f"{INCLUDE}/{path}" for path in cut.op.folders)
    try:
        source = binding.kernel_source(cut.op, title, flags, folders)
    except binding.UnknownSchemaError as error:
        raise StoppedError(str(error)) from error
    (folder / KERNEL).write_text(format_python(source, columns=120))
    (folder / "binding.cu").write_text(binding.binding_source(cut.op, f"{INCLUDE}/{cut.op.path}"))


def _write_jit(folder: Path, cut: _Cut, title: str, framework: str) -> None:
    assert cut.closure is not None
    (folder / KERNEL).write_text(kernel_source(cut.closure, title))
    (folder / SHIMS).write_text(shims_source(cut.closure, cut.library, framework))


def _harness(folder: Path, tree: SourceTree, release: Release, cut: _Cut, others: list[str]) -> Harness:
    text = (tree.root / cut.op.path).read_bytes()
    files = {path: sha256((tree.root / path).read_bytes()) for path in (cut.op.path, *others)}
    regions = [Region(path=cut.op.path, symbol=cut.kernel.name, line=1, end_line=_lines(text), sha256=sha256(text))]
    stubs = [
        Stub(symbol=name, reason=said)
        for name in cut.includes.outside
        for start, said in KEPT
        if name.startswith(start)
    ]
    if cut.closure is not None:
        regions += [region for region, _ in regions_of(cut.closure)]
        stubs += [cut.closure.stubs[symbol] for symbol in sorted(cut.closure.stubs)]
        files |= {piece.module.relative: sha256(piece.module.source) for piece in touched(cut.closure)}
    return Harness(
        folder=folder,
        kernel=cut.kernel.name,
        entry=binding.python_name(cut.op) if isinstance(cut.op, TorchOp) else cut.op.name,
        language="cuda",
        op=cut.op.id,
        compute="kernel",
        provenance=Provenance(
            framework=release.framework,
            version=release.version,
            commit=release.commit,
            path=cut.kernel.path,
            symbol=cut.kernel.qualname,
            line=cut.kernel.line,
            end_line=cut.kernel.end_line,
            licence=release.licence,
            files=files,
        ),
        regions=tuple(regions),
        stubs=tuple(stubs),
        contract=Contract(axes=(), arguments=()),
        oracle=False,
        requires=("nvcc",) if isinstance(cut.op, TorchOp) else ("nvcc", "apache-tvm-ffi"),
    )


def _lines(text: bytes) -> int:
    return len(text.splitlines())


def _readme(harness: Harness, cut: _Cut) -> str:
    origin = harness.provenance
    release = f"{origin.framework} {origin.version or origin.commit or '(no version stated)'}"
    return (
        f"# {cut.op.name}\n\n"
        f"The operator `{harness.op}` with its CUDA source, cut out to stand alone: `{cut.file}` is, verbatim,\n"
        f"`{cut.op.path}` of {release}; {origin.licence}.\n"
        f"What it includes of the tree lies in `{INCLUDE}/`, at its own path; `harness.toml` has the sha256 of each.\n"
        f"Needs torch, {' and '.join(harness.requires)}; `python -m runtime.compile` builds it, also without a GPU.\n"
    )


def _build(folder: Path, python: str) -> tuple[str, bool]:
    """Why it does not build, and whether the compiler was there to say so; empty where it builds."""
    done = run_child(
        [python, "-c", BUILD_PROGRAM],
        timeout_s=BUILD_LIMIT_S,
        env=clean_environment({name: os.environ[name] for name in CACHE_SETTING if name in os.environ}),
        cwd=folder,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    problems = [line["error"] for line in lines if "error" in line]
    problems += [f"{line['missing'][0]}: defined in another file" for line in lines if line.get("missing")]
    if problems:
        return str(problems[0]), not str(problems[0]).startswith("no ")
    if done.code:
        last = (done.stderr.strip().splitlines() or [done.signal or f"exit status {done.code}"])[-1]
        return last, not last.startswith("ModuleNotFoundError: No module named 'torch'")
    return "", True
