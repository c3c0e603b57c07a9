"""Cut one kernel out of a tree, with its launcher or at its own level, and write it to a harness folder.

The folder needs neither framework nor kmaint. Nothing is run here: extract.trying.everything tries out what is written.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from extract.derived import Derived
from extract.slicing.closure import close
from extract.slicing.direct_entry import entry_name
from extract.slicing.modules import Library, Module
from extract.slicing.pieces import Closure, StoppedError
from extract.slicing.render import kernel_source, regions_of, shims_source, touched, with_shims
from kmaint.errors import UsageError
from kmaint.folder import KERNEL, REFERENCE, SHIMS, sha256, write_manifest
from kmaint.records.harness import Harness, Level, Provenance
from kmaint.records.kernel import HostFunction, Kernel, Scan
from kmaint.records.workload import Contract


@dataclass(frozen=True, kw_only=True)
class Slice:
    """A closure with what it was cut for."""

    kernel: Kernel
    entry: str
    called: str
    """Id of what the entry stands for: the launcher's, or the kernel's own."""
    level: Level
    no_launcher: str
    """Why it is not cut at its launcher; empty at that level."""
    closure: Closure
    library: Library

    @property
    def name(self) -> str:
        """What kernel.py calls the kernel."""
        return bare_name(self.kernel)


def slugs(scan: Scan) -> dict[str, str]:
    """Folder name of each kernel's harness by its id: as short as it can be and be one kernel's only."""
    found: dict[str, str] = {}
    left = {kernel.id: kernel for kernel in scan.kernels}
    for depth in range(max((len(Path(kernel.path).parts) for kernel in scan.kernels), default=0) + 1):
        names = {one: _slug(scan.release.framework, kernel, depth) for one, kernel in left.items()}
        # a bare name that another kernel has is not given to either, so that both are told by their files
        often = Counter(names.values())
        found |= {one: name for one, name in names.items() if often[name] == 1 and name not in found.values()}
        left = {one: kernel for one, kernel in left.items() if one not in found}
    # names that only `_` and `-` tell apart
    return found | {one: f"{_slug(scan.release.framework, kernel, 0)}-{kernel.line}" for one, kernel in left.items()}


def _slug(framework: str, kernel: Kernel, depth: int) -> str:
    words = kernel.qualname.replace(".<locals>", "").replace("#", "-").replace(".", "-")
    path = Path(kernel.path).with_suffix("").parts
    return re.sub("[_-]+", "-", "-".join([framework, *path[len(path) - depth :], words.strip("_-")]))


def bare_name(kernel: Kernel) -> str:
    """A kernel's own name, without what it is defined in and without the count of its definitions."""
    return kernel.qualname.rpartition(".")[2].partition("#")[0]


def cut_with_launcher(library: Library, kernel: Kernel, wanted: str | None = None) -> Slice:
    """The kernel with a host function that launches it; StoppedError, naming the symbol, where that does not close."""
    host = choose_launcher(kernel, wanted)
    starts = [(library.at(host.path), host.qualname), _start(library, kernel)]
    closure = close(library, *starts)
    return Slice(
        kernel=kernel,
        entry=host.qualname,
        called=host.id,
        level="launcher",
        no_launcher="",
        closure=closure,
        library=library,
    )


def cut_alone(library: Library, kernel: Kernel, no_launcher: str) -> Slice:
    """The kernel at its own level, with a generated entry, for the reason given; StoppedError as above."""
    closure = close(library, _start(library, kernel))
    return Slice(
        kernel=kernel,
        entry=entry_name(bare_name(kernel)),
        called=kernel.id,
        level="kernel",
        no_launcher=no_launcher,
        closure=closure,
        library=library,
    )


def _start(library: Library, kernel: Kernel) -> tuple[Module, str]:
    try:
        return library.scope(library.at(kernel.path), kernel.qualname.partition("#")[0])
    except LookupError as error:
        raise StoppedError(str(error.args[0])) from error


def definition(cut: Slice) -> ast.FunctionDef:
    """The function that the kernel is made of, as the slice holds it."""
    for piece in cut.closure.pieces.values():
        if piece.module.relative == cut.kernel.path:
            for node in ast.walk(piece.statement.node):
                if isinstance(node, ast.FunctionDef) and node.lineno == cut.kernel.line:
                    return node
    raise StoppedError(f"{cut.name}: its definition at line {cut.kernel.line} is not what {cut.kernel.path} binds")


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
    own = [host for host in plain if _is_test(kernel.path) or not _is_test(host.path)]
    if own:
        return min(own, key=lambda host: (host.path != kernel.path, host.path, host.line))
    if plain:
        raise StoppedError(f"{plain[0].qualname}: {kernel.name} is launched only by this test")
    if kernel.launchers:
        method = kernel.launchers[0]
        raise StoppedError(f"{method.qualname}: {kernel.name} is launched only by this method, which needs its object")
    raise StoppedError(f"{kernel.name}: no host function launches it")


def _is_test(path: str) -> bool:
    return any(part in ("test", "tests", "benchmark", "benchmarks", "examples") for part in Path(path).parts)


def write_code(folder: Path, scan: Scan, cut: Slice, entry: str) -> str:
    """kernel.py, with the generated `entry` last where there is one, and shims.py; their text as that of one file."""
    release = scan.release
    of = f"{release.framework} {release.version or release.commit or ''}".rstrip()
    source = kernel_source(cut.closure, f"`{cut.kernel.name}` of {of}, standing alone.")
    if entry:
        source += f"\n\n# The harness's own: {cut.no_launcher or 'it is wanted at the level of the kernel'}\n{entry}"
    (folder / KERNEL).write_text(source)
    shims = shims_source(cut.closure, cut.library, release.framework)
    if shims:
        (folder / SHIMS).write_text(shims)
    return with_shims(source, shims) if shims else source


def write_description(folder: Path, scan: Scan, cut: Slice, derived: Derived | None) -> Harness:
    """The rest of the harness: its manifest and contract, README.md, and reference.py where there is one."""
    if derived is not None and derived.reference is not None:
        (folder / REFERENCE).write_text(derived.reference)
    harness = _harness(folder, scan, cut, derived)
    write_manifest(harness)
    (folder / "README.md").write_text(_readme(harness))
    return harness


def _harness(folder: Path, scan: Scan, cut: Slice, derived: Derived | None) -> Harness:
    release, kernel = scan.release, cut.kernel
    return Harness(
        folder=folder,
        kernel=cut.name,
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
        level=cut.level,
        no_launcher=cut.no_launcher,
    )


def _readme(harness: Harness) -> str:
    origin = harness.provenance
    release = origin.version or origin.commit or "(no version stated)"
    return (
        f"# {harness.kernel}\n\n"
        f"The Triton kernel `{harness.kernel}` {_with(harness)}, cut out verbatim to stand alone.\n"
        f"From {origin.framework} {release}, `{origin.path}:{origin.line}-{origin.end_line}`; {origin.licence}.\n"
        f"What stands in for the framework, and why, is in `shims.py` and `harness.toml`.\n"
        f"Needs torch, triton, hypothesis and pytest: run `pytest` in this folder.\n"
    )


def _with(harness: Harness) -> str:
    launcher = harness.level == "launcher"
    return f"and its launcher `{harness.entry}`" if launcher else f"alone, launched by the generated `{harness.entry}`"
