"""Maps the names of a profile onto the kernels of a tree."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from extract.profiles.traces import GpuWork, read_traces, trace_files
from kmaint.records.kernel import Heat, Kernel, Scan, Trace, Unmatched

SPECIALISED = re.compile(r"(?:_?\d+(?:[dc]e?)*)+\Z|_[0-9a-f]{8,64}\Z")
"""What older Tritons append: `_0d1d2de` for divisible arguments; and a hash."""

CUTE = re.compile(r"\Akernel_(?:cutlass_)?(?P<name>\w+?)_(?:tensor|Tensor|T[A-Z0-9]|object_at)")
PREFIXES = ("_helion_", "kernel_cutlass_", "kernel_")
SUFFIXES = ("_kernel", "_kernel0", "_main_kernel")
ANONYMOUS = "(anonymous namespace)"

COMPILED = frozenset({"cuda", "hip"})


@dataclass(frozen=True, slots=True)
class KernelName:
    """A name of a profile taken apart: `path` holds the namespaces, empty for a plain name."""

    name: str
    path: tuple[str, ...]
    signature: bool
    """Whether it had template arguments or a list of parameters, as C++ has and Triton has not."""


def add_heat(scan: Scan, traces: Sequence[Path]) -> Scan:
    """The scan with each kernel's share of GPU time, and what of the traces no kernel of the tree accounts for."""
    files = trace_files(list(traces))
    work = read_traces(files)
    total_us = sum(one.total_us for one in work)
    by_name = _by_name(scan.kernels)
    heat: dict[str, GpuWork] = {}
    names: dict[str, tuple[str, ...]] = {}
    unmatched: list[Unmatched] = []
    matched_us = 0.0
    for one in work:
        kernels = _kernels_of(one.name, by_name)
        if not kernels:
            share = one.total_us / total_us if total_us else 0.0
            unmatched.append(Unmatched(name=one.name, share=share, launches=one.launches, total_us=one.total_us))
            continue
        matched_us += one.total_us
        ids = tuple(kernel.id for kernel in kernels)
        for kernel in kernels:
            into = heat.setdefault(kernel.id, GpuWork(kernel.name))
            into.launches += one.launches
            into.total_us += one.total_us
            names[kernel.id] = tuple(sorted({*names.get(kernel.id, ()), *ids} - {kernel.id}))
    hot = {
        key: Heat(
            share=one.total_us / total_us if total_us else 0.0,
            launches=one.launches,
            total_us=one.total_us,
            ambiguous=names[key],
        )
        for key, one in heat.items()
    }
    return replace(
        scan,
        kernels=tuple(replace(kernel, heat=hot.get(kernel.id)) for kernel in scan.kernels),
        trace=Trace(
            files=tuple(map(str, files)),
            total_us=total_us,
            matched=matched_us / total_us if total_us else 0.0,
            unmatched=tuple(unmatched),
        ),
    )


def _by_name(kernels: Sequence[Kernel]) -> dict[str, list[Kernel]]:
    """Kernels that a GPU can have run, by bare name."""
    found: dict[str, list[Kernel]] = defaultdict(list)
    for kernel in kernels:
        if kernel.role in ("kernel", "unknown"):
            found[kernel.name].append(kernel)
    return found


def _kernels_of(spelled: str, by_name: dict[str, list[Kernel]]) -> list[Kernel]:
    """The kernels that a name of a profile may be: more than one where several bear it."""
    parsed = parse(spelled)
    for name in _spellings(parsed):
        if found := by_name.get(name):
            return _narrowed(found, parsed)
    return []


def _spellings(parsed: KernelName) -> Iterator[str]:
    """The name as it is, then without what compilers put around it."""
    yield parsed.name
    if parsed.signature:
        return
    bare = SPECIALISED.sub("", parsed.name)
    yield bare
    if found := CUTE.match(parsed.name):
        yield found["name"]
    for prefix in PREFIXES:
        if parsed.name.startswith(prefix):
            yield parsed.name.removeprefix(prefix)
    for suffix in SUFFIXES:
        yield bare.removesuffix(suffix)


def _narrowed(kernels: list[Kernel], parsed: KernelName) -> list[Kernel]:
    """Those of the language that the spelling shows; launched ones before unknown ones; the namespace, if it helps."""
    compiled = [kernel for kernel in kernels if (kernel.language in COMPILED) == parsed.signature]
    kernels = compiled or kernels
    kernels = [kernel for kernel in kernels if kernel.role == "kernel"] or kernels
    for depth in range(len(parsed.path), 0, -1):
        inside = "::".join((*parsed.path[-depth:], parsed.name))
        if found := [k for k in kernels if k.qualname == inside or k.qualname.endswith(f"::{inside}")]:
            return found
    return kernels


def parse(spelled: str) -> KernelName:
    """`void vllm::rms_norm_kernel<c10::Half, 8>(...)` is rms_norm_kernel in vllm; also of names left mangled."""
    if spelled.startswith("_Z"):
        return _demangled(spelled)
    text = spelled.replace(ANONYMOUS, "anonymous").replace("operator()", "operator").strip()
    depth, parentheses, kept, signature = 0, 0, [], False
    for letter in text:
        if depth and letter in "()":  # in the parentheses of a template argument, < and > compare
            parentheses += 1 if letter == "(" else -1
        elif parentheses:
            continue
        elif letter == "<":
            depth += 1
            signature = True
        elif letter == ">":
            depth = max(depth - 1, 0)
        elif depth == 0:
            if letter == "(":
                signature = True
                break
            kept.append(letter)
    words = "".join(kept).split()
    if not signature or not words:
        return KernelName(spelled.strip(), (), signature)
    *path, name = words[-1].split("::")
    return KernelName(name, tuple(part for part in path if part not in ("", "anonymous")), signature)


LENGTH = re.compile(r"\d+")


def _demangled(spelled: str) -> KernelName:
    """The name and namespaces of an Itanium-mangled function: `_ZN4vllm15rms_norm_kernelI...`."""
    place = 3 if spelled.startswith("_ZN") else 2
    parts: list[str] = []
    while found := LENGTH.match(spelled, place):
        end = found.end() + int(found[0])
        parts.append(spelled[found.end() : end])
        place = end
    if not parts:
        return KernelName(spelled, (), True)
    return KernelName(parts[-1], tuple(part for part in parts[:-1] if not part.startswith("_GLOBAL__N")), True)
