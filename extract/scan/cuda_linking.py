"""From the facts of every CUDA file to kernels with the host functions that launch them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from extract.scan.cuda import CudaFacts, CudaKernel
from extract.scan.cuda_hosts import CudaHost
from kmaint.records.kernel import HostFunction, Kernel

Key = tuple[str, int]
"""A kernel's path, and its place among those of its file."""


def link_cuda(files: Mapping[str, CudaFacts]) -> list[Kernel]:
    """The kernels of all files in path and line order; a name is looked up in its file and in what that includes."""
    return _CudaLinker(files).kernels()


class _CudaLinker:
    def __init__(self, files: Mapping[str, CudaFacts]) -> None:
        self.files = files
        self.named: dict[str, list[Key]] = defaultdict(list)
        for path, facts in files.items():
            for place, kernel in enumerate(facts.kernels):
                for name in kernel.names:
                    self.named[name].append((path, place))
        self.by_name: dict[str, list[str]] = defaultdict(list)
        for path in files:
            self.by_name[path.rpartition("/")[2]].append(path)
        self._includes: dict[str, list[str]] = {}

    def kernels(self) -> list[Kernel]:
        hosts: dict[Key, list[tuple[str, CudaHost]]] = defaultdict(list)
        for path, facts in sorted(self.files.items()):
            visible = self._visible(path) if facts.hosts else set()
            for host in facts.hosts:
                for name in self.named.keys() & host.mentions:
                    for key in self._defined(name, path, visible):
                        hosts[key].append((path, host))
        return [
            _record(path, facts, kernel, self._launching(hosts[path, place]))
            for path, facts in sorted(self.files.items())
            for place, kernel in enumerate(facts.kernels)
        ]

    def _launching(self, hosts: list[tuple[str, CudaHost]]) -> list[tuple[str, CudaHost]]:
        """The hosts that launch; where none does, their callers that do, who are handed the kernel; or else all."""
        asking = [
            (path, other)
            for path, host in hosts
            for other in self.files[path].hosts
            if other.qualname in host.callers and other.launches
        ]
        chosen = [(path, host) for path, host in hosts if host.launches] or asking or hosts
        return list({(path, host.qualname): (path, host) for path, host in chosen}.values())

    def _defined(self, name: str, path: str, visible: set[str]) -> list[Key]:
        """The kernels that a name means in a file; one that is only declared there is defined in another."""
        keys = self.named.get(name, [])
        found = [key for key in keys if key[0] == path] or [key for key in keys if key[0] in visible]
        qualnames = {self._kernel(key).qualname for key in found if self._kernel(key).role == "declaration"}
        return found + [key for key in keys if key not in found and self._kernel(key).qualname in qualnames]

    def _kernel(self, key: Key) -> CudaKernel:
        return self.files[key[0]].kernels[key[1]]

    def _visible(self, path: str) -> set[str]:
        """The files that a file includes, directly or through others."""
        seen = {path}
        pending = [path]
        while pending:
            for included in self._included(pending.pop()):
                if included not in seen:
                    seen.add(included)
                    pending.append(included)
        return seen

    def _included(self, path: str) -> list[str]:
        """The files that one names in its own text."""
        if path not in self._includes:
            spelled = dict.fromkeys(self.files[path].includes)
            self._includes[path] = [found for one in spelled for found in self._meant(path, one)]
        return self._includes[path]

    def _meant(self, path: str, spelled: str) -> Iterator[str]:
        """Files whose path ends as an `#include` spells it: the search path of the compiler is not known."""
        candidates = self.by_name.get(spelled.rpartition("/")[2])
        if not candidates:
            return
        parts = [part for part in spelled.split("/") if part not in (".", "")]
        near = path[: path.rfind("/") + 1] + "/".join(parts)
        if near in candidates:
            yield near
            return
        end = "/" + "/".join(part for part in parts if part != "..")
        yield from (found for found in candidates if f"/{found}".endswith(end))


def _record(path: str, facts: CudaFacts, kernel: CudaKernel, hosts: list[tuple[str, CudaHost]]) -> Kernel:
    return Kernel(
        path=path,
        line=kernel.line,
        end_line=kernel.end_line,
        name=kernel.name,
        qualname=kernel.qualname,
        language=facts.language,
        role=kernel.role,
        launchers=tuple(
            HostFunction(
                path=where,
                qualname=host.qualname,
                line=host.line,
                callers=tuple(f"{where}::{caller}" for caller in host.callers),
            )
            for where, host in hosts
        ),
    )
