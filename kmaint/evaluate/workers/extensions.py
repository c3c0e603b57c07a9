"""Builds every library that a CUDA harness's calls ask for, for a target, and reads what the compiler made of it.

Nothing is loaded, so no code of a candidate's runs here. The entry is called on CPU tensors with a stand-in for what it
would load, which says what the calls ask for; then all of it is built.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import hashlib
import importlib
import itertools
import math
import os
import re
import shutil
import subprocess  # noqa: TID251 - standalone: kmaint.child is not there
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from . import sass
from .calls import building, cases, interpreter_sized, performing, subject
from .compiling import lean_contents
from .walls import shut_in

MOST_CALLS = 64
"""Of the choices that a contract has: each may ask for a library of its own."""
USAGE = re.compile(r"^\s*Function (?P<name>\S+?):\s*\n\s*(?P<usage>.*REG:.*)$", re.MULTILINE)


def prepare(shared: dict[str, Any]) -> dict[str, Any]:
    """`shared`: folder, entry, arch (sm_90), scratch; `walls`: how this process shuts itself in, or None."""
    folder = Path(shared["folder"])
    os.environ["TMPDIR"] = shared["scratch"]  # nvcc's own files, which may lie nowhere else behind walls
    nvcc = importlib.import_module("runtime.nvcc")
    with contextlib.suppress(nvcc.BuildError):  # what is not there is said of the first item
        nvcc.compiler_version()
    if shared["walls"] and shared["walls"]["words"]:
        # Not watched: all of the Python is ours, and starts the compiler.
        shut_in(shared["walls"], folder, watching=False)
    return {**shared, "contract": cases.Contract.read(folder)}


def handle(state: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
    """`item`: path of a kernel.py, or of a candidate that was laid out. The kernels with what each takes, and symbols.

    `unbuilt` is the compiler's word where it refused; the symbols are those that no built library defines itself.
    """
    name = "kernel_" + hashlib.sha256(item["path"].encode()).hexdigest()[:8]
    nvcc = importlib.import_module("runtime.nvcc")
    with _as_on(state["arch"]):
        asked = _asked(state, subject.load(Path(item["path"]), name))
        try:
            with concurrent.futures.ThreadPoolExecutor(max(1, min(len(asked), os.cpu_count() or 1))) as pool:
                libraries = list(pool.map(nvcc.build, asked))
        except nvcc.BuildError as error:
            # The file as the harness has it: where the copy lay is nothing to anybody.
            first, _, log = str(error).replace(f"{Path(item['path']).with_suffix('.source')}/", "").partition("\n")
            return {"unbuilt": first, "log": log}
    return {
        "libraries": len(libraries),
        "kernels": [kernel for library in libraries for kernel in kernels_of(library)],
        "symbols": sorted({name for library in libraries for name in undefined(library)}),
    }


@contextlib.contextmanager
def _as_on(arch: str) -> Iterator[None]:
    """torch answers as on a machine with that GPU: kernels ask it which of their variants to build."""
    capability = divmod(int(arch.removeprefix("sm_")), 10)
    with (
        mock.patch.object(torch.cuda, "is_available", return_value=True),
        mock.patch.object(torch.cuda, "get_device_capability", return_value=capability),
        mock.patch.object(torch.cuda, "current_device", return_value=0),
    ):
        yield


def _asked(state: dict[str, Any], kernel: Any) -> list[Any]:
    """What the calls of all workloads, and of every choice that the contract has, would build."""
    if hasattr(kernel, "OPERATOR"):
        library = importlib.import_module("runtime.torch_library")
        place = getattr(kernel, "PLACE", importlib.import_module("runtime.nvcc").HARNESS)
        return [library.wanted(kernel.FLAGS, kernel.FOLDERS, place)]
    asked: dict[tuple[str, ...], Any] = {}

    def note(wanted: Any) -> Path:
        asked.setdefault((wanted.name, wanted.source, *wanted.flags), wanted)
        return Path(wanted.name)

    jit, nvcc, entry = importlib.import_module("runtime.jit"), importlib.import_module("runtime.nvcc"), state["entry"]
    with mock.patch.object(nvcc, "build", note), mock.patch.object(jit, "loaded", return_value=Idle()):
        for case in _cases(state["contract"]):
            with lean_contents(), contextlib.suppress(*performing.raised()):  # a call that is refused builds nothing
                getattr(kernel, entry)(**building.build(state["contract"], case, "cpu").arguments)
    if not asked:
        raise RuntimeError("asks for no library on any workload")
    return list(asked.values())


class Idle:
    """A module that was not built yet: whatever is called of it does nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_arguments: None


def _cases(contract: Any) -> Iterator[Any]:
    """The workloads with few rows, then each combination of the choices, as far as the contract has it."""
    workloads = [interpreter_sized(contract, case) for _workload, case in contract.cases()]
    yield from workloads
    chosen = {name: axis["choices"] for name, axis in contract.axes.items() if axis["choices"]}
    if not workloads or math.prod(map(len, chosen.values())) > MOST_CALLS:
        combinations = ({name: choice} for name, choices in chosen.items() for choice in choices)
    else:
        combinations = (dict(zip(chosen, one, strict=True)) for one in itertools.product(*chosen.values()))
    for combination in combinations:
        for case in workloads[:1]:
            changed = case.but(**combination)
            if contract.admits(changed):
                yield changed


def kernels_of(library: Path) -> list[dict[str, Any]]:
    """Registers a thread, static shared memory and stack a kernel, by its mangled name."""
    listed = _run(sass.tool("cuobjdump"), "--dump-resource-usage", library)
    found = []
    for kernel in USAGE.finditer(listed):
        usage = {name: int(size) for name, size in sass.USAGE.findall(kernel["usage"])}
        found.append(
            {
                "kernel": kernel["name"],
                "registers": usage["REG"],
                "shared_bytes": usage.get("SHARED", 0),
                "stack_bytes": usage.get("STACK", 0) + usage.get("LOCAL", 0),
            }
        )
    return found


def undefined(library: Path) -> list[str]:
    """What the library takes from others, by unmangled name without its version; nothing where there is no nm."""
    if (nm := shutil.which("nm")) is None:
        return []
    return [line.split(None, 1)[-1].partition("@")[0] for line in _run(nm, "-DCu", library).splitlines()]


def _run(program: str, *arguments: Any) -> str:
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=120, check=True)  # noqa: S603
    return done.stdout
