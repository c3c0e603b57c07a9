"""Which names of which files may be kernels, or launch one, as far as imports and what files make of them tell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from extract.scan.facts import PythonFacts
from extract.scan.imports import Imports


class Reach:
    """Grows as facts come in. Names are as bound in their module.

    `kernels` may be one or lead to one: a file that binds one is read for what it does with it. `launchers` may launch
    one: a file that binds one is read for who calls it.
    """

    def __init__(self, imports: Mapping[str, Imports]) -> None:
        self.kernels: dict[str, set[str]] = defaultdict(set)
        self.launchers: dict[str, set[str]] = defaultdict(set)
        self._importers: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self._takers_of_all: dict[str, list[str]] = defaultdict(list)
        for module, imported in imports.items():
            for name, origin in imported.names.items():
                self._importers[origin].append((module, name))
            for origin in imported.modules:
                self._importers[origin].append((module, origin.partition(".")[0]))
            for origin in imported.stars:
                self._takers_of_all[origin].append(module)

    def add(self, module: str, facts: PythonFacts) -> None:
        """Offer what a file says to those that import it.

        What a call returns is a kernel only where a function is known to return one by name: most return tensors.
        """
        own = {kernel.qualname for kernel in facts.kernels} | {found.kernel.qualname for found in facts.decorated}
        own |= facts.compilers.keys() | {name for name in facts.aliases if "." not in name}
        own |= {name for name, found in facts.returns.items() if any("(" not in reference for reference in found)}
        known = self.kernels[module] | set(map(_root, own))
        own |= {name for name, bases in facts.classes.items() if not known.isdisjoint(map(_root, bases))}
        hosts = facts.launches.keys() | facts.passed.keys()
        hosts |= {host for host, called in facts.calls.items() if not known.isdisjoint(map(_root, called))}
        self.offer(self.kernels, module, set(map(_root, own)))
        self.offer(self.launchers, module, set(map(_root, hosts)) - {"<module>"})

    def offer(self, table: dict[str, set[str]], module: str, names: set[str]) -> None:
        """Bind some names of a module wherever they are imported, through any number of packages that hand them on."""
        pending = [(module, name) for name in names]
        while pending:
            for found in self._bound(*pending.pop()):
                if found[1] not in table[found[0]]:
                    table[found[0]].add(found[1])
                    pending.append(found)

    def _bound(self, module: str, name: str) -> Iterator[tuple[str, str]]:
        yield from self._importers.get(f"{module}.{name}", ())
        yield from self._importers.get(module, ())
        yield from ((taker, name) for taker in self._takers_of_all.get(module, ()))


def _root(qualname: str) -> str:
    return qualname.partition(".")[0].partition("#")[0]
