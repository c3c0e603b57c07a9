"""Follow the names of Python files from file to file: who launches each kernel, who calls those, in which role."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from extract.scan.facts import Module, PythonKernel
from kmaint.records.kernel import HostFunction, Kernel, Role

WRAPPED = frozenset({"fn", "run", "warmup", "launch", "kernel_fn"})
"""Attributes of a kernel that are, or launch, that kernel."""

CALLED = frozenset({"numba", "helion", "tilelang", "cute", "flydsl"})
"""Languages whose kernels are called, where Triton's are subscripted with a grid first."""

ENTRIES = frozenset({"helion", "tilelang"})
"""Languages in which everything that is compiled is for the host to launch."""

WITH_HOST_CODE = frozenset({"cute", "flydsl"})
"""Languages in which host code is compiled as well, by the same decorator as device code."""

MAX_HOPS = 12
"""Imports that hand a name on: the longest chain in both frameworks is four."""

MAX_CALLS = 3
"""Factories of factories."""

Entity = tuple[str, str]
"""A module and a qualified name in it."""


class _Links:
    """What the launches and uses of all files say of one kernel."""

    def __init__(self) -> None:
        self.launchers: dict[str, HostFunction] = {}
        self.used_by: set[str] = set()
        self.users: set[Entity] = set()
        self.callers: set[Entity] = set()
        """Those of the users that call it by its name: a method of that name may be another's."""


def link(modules: Iterable[Module]) -> list[Kernel]:
    """The kernels of a tree's Python files."""
    return _Linker({module.name: module for module in modules}).kernels()


class _Linker:
    """Names lead to entities: functions, classes and kernels of the tree."""

    def __init__(self, index: Mapping[str, Module]) -> None:
        self.index = index
        self._memory: dict[Entity, frozenset[Entity]] = {}
        self.defined: dict[Entity, PythonKernel] = {}
        self._define()
        self.links = {key: _Links() for key in self.defined}
        self.inlined: dict[Entity, set[Entity]] = defaultdict(set)
        """Functions that nothing compiles and kernels call, by which: their code becomes part of those."""

    def _define(self) -> None:
        """Kernels as their decorators say, and those under a decorator of the framework's own that compiles."""
        self.kernels_of = {name: list(module.facts.kernels) for name, module in self.index.items()}
        for name, module in self.index.items():
            for kernel in module.facts.kernels:
                self.defined.setdefault((name, kernel.qualname.partition("#")[0]), kernel)
        for name, module in self.index.items():
            for decorated in module.facts.decorated:
                for reference in decorated.names:
                    languages = [
                        language
                        for owner, function in self.resolve(name, reference)
                        if (language := self.index[owner].facts.compilers.get(function))
                    ]
                    if languages:
                        kernel = decorated.kernel._replace(language=languages[0], is_entry=languages[0] in ENTRIES)
                        self.kernels_of[name].append(kernel)
                        self.defined.setdefault((name, kernel.qualname), kernel)
                        break
        self._memory.clear()

    def kernels(self) -> list[Kernel]:
        callers = self._callers()
        methods = self._methods()
        for name in self.index:
            for kernel in self.kernels_of[name]:
                self._link_uses(name, kernel, methods)
        for name in self.index:
            self._link_launches(name, callers)
            self._link_bound(name, callers)
        self._link_entries(callers)
        self._link_launcher_classes(callers)
        self._unlink_device_code()
        return [self._record(name, kernel) for name in self.index for kernel in self.kernels_of[name]]

    def _methods(self) -> dict[str, list[Entity]]:
        """Kernels that are methods, by name: values of unknown type are called by it."""
        found: dict[str, list[Entity]] = defaultdict(list)
        for key in self.defined:
            owner, _, method = key[1].rpartition(".")
            if owner and "<locals>" not in owner and not method.startswith("__"):
                found[f".{method}"].append(key)
        return found

    def _callers(self) -> dict[Entity, set[str]]:
        callers: dict[Entity, set[str]] = defaultdict(set)
        for name, module in self.index.items():
            for host, called in (*module.facts.calls.items(), *module.callers.items()):
                caller = f"{module.path}::{host}"
                for reference in called:
                    for key in self.resolve(name, reference):
                        if key != (name, host):
                            callers[key].add(caller)
        for (owner, name), made_by in list(callers.items()):
            if name in self.index[owner].facts.classes:
                callers[owner, f"{name}.__call__"] |= made_by
        return callers

    def _link_uses(self, name: str, kernel: PythonKernel, methods: Mapping[str, list[Entity]]) -> None:
        own = (name, kernel.qualname.partition("#")[0])
        user = f"{self.index[name].path}::{kernel.qualname}"
        for reference in kernel.uses:
            used: Iterable[Entity] = self.resolve(name, reference)
            if reference.startswith("."):
                used = [key for key in methods.get(reference, ()) if self.defined[key].language == kernel.language]
            for key in used:
                links = self.links.get(key) or self.links.get((key[0], f"{key[1]}.__call__"))
                if links is None:
                    self.inlined[key].add(own)
                elif key != own:
                    links.used_by.add(user)
                    links.users.add(own)
                    if not reference.startswith("."):
                        links.callers.add(own)

    def _link_launches(self, name: str, callers: Mapping[Entity, set[str]]) -> None:
        facts = self.index[name].facts
        for host in facts.launches.keys() | facts.passed.keys() | facts.calls.keys():
            launched = self._all(name, facts.launches.get(host, ()))
            found = launched if host == "<module>" else launched | self._all(name, facts.passed.get(host, ()))
            called = self._all(name, facts.calls.get(host, ()))
            found |= {key for key in called if self.defined[key].language in CALLED}
            within = () if callers.get((name, host)) else self.inlined.get((name, host), ())
            for key in found - {(name, host)}:
                if within and self.defined[key].language in WITH_HOST_CODE and not self.defined[key].is_entry:
                    self.links[key].users |= within
                    self.links[key].used_by |= {self._id(user) for user in within}
                else:
                    self._launcher(key, name, host, callers)

    def _link_bound(self, name: str, callers: Mapping[Entity, set[str]]) -> None:
        """A kernel that a function is given for good is launched by that function, where it launches its parameter."""
        for function, parameter, given in self.index[name].facts.bound:
            for owner, host in self.resolve(name, function):
                if parameter in self.index[owner].facts.launches.get(host, ()):
                    for key in self._all(name, [given]):
                        self._launcher(key, owner, host, callers)

    def _id(self, key: Entity) -> str:
        return f"{self.index[key[0]].path}::{self.defined[key].qualname}"

    def _all(self, name: str, references: Iterable[str]) -> set[Entity]:
        """The kernels among what some references mean; a class stands for calling its objects."""
        found = {key for reference in references for key in self.resolve(name, reference)}
        called = {(module, f"{qualname}.__call__") for module, qualname in found}
        return (found | called) & self.defined.keys()

    def _launcher(self, key: Entity, name: str, host: str, callers: Mapping[Entity, set[str]]) -> None:
        path = self.index[name].path
        self.links[key].launchers[f"{path}::{host}"] = HostFunction(
            path=path,
            qualname=host,
            line=self.index[name].facts.functions.get(host) or self._kernel_line(name, host),
            callers=tuple(sorted(callers.get((name, host), ()))),
        )

    def _kernel_line(self, name: str, host: str) -> int:
        kernel = self.defined.get((name, host))
        return kernel.line if kernel else 1

    def _link_entries(self, callers: Mapping[Entity, set[str]]) -> None:
        """An entry that compiled host code calls is launched by that code."""
        for key, kernel in self.defined.items():
            if kernel.is_entry:
                for user in self.links[key].users:
                    if not self.defined[user].is_entry:
                        self._launcher(key, *user, callers)

    def _link_launcher_classes(self, callers: Mapping[Entity, set[str]]) -> None:
        """A kernel that a class holds and nothing names is launched by its base, for whoever calls an object of it."""
        for (name, qualname), links in self.links.items():
            owner = qualname.rpartition(".")[0]
            facts = self.index[name].facts
            is_named = links.launchers or links.used_by or qualname.endswith(".__call__")
            if not is_named and facts.classes.get(owner) and f"{owner}.__call__" in facts.functions:
                self._launcher((name, qualname), name, f"{owner}.__call__", callers)

    def _unlink_device_code(self) -> None:
        """What a kernel calls is on the device, so no host launches it: what seemed to is part of kernels as well."""
        called: dict[Entity, list[Entity]] = defaultdict(list)
        for key, links in self.links.items():
            if not self.defined[key].is_entry and self.defined[key].language in WITH_HOST_CODE:
                for caller in links.callers:
                    called[caller].append(key)
        pending = [key for key in called if self.defined[key].is_entry]
        while pending:
            for key in called.pop(pending.pop(), ()):
                self.links[key].launchers.clear()
                pending.append(key)

    def _record(self, name: str, kernel: PythonKernel) -> Kernel:
        links = self.links[name, kernel.qualname.partition("#")[0]]
        return Kernel(
            path=self.index[name].path,
            line=kernel.line,
            end_line=kernel.end_line,
            name=kernel.qualname.rpartition(".")[2].partition("#")[0],
            qualname=kernel.qualname,
            language=kernel.language,
            role=_role(kernel, links),
            decorators=kernel.decorators,
            launchers=tuple(links.launchers[key] for key in sorted(links.launchers)),
            used_by=tuple(sorted(links.used_by)),
        )

    def resolve(self, module: str, reference: str) -> frozenset[Entity]:
        """The functions, classes and kernels that a reference may mean, seen from inside a module."""
        key = (module, reference)
        if key not in self._memory:
            self._memory[key] = frozenset(self._follow(key))
        return self._memory[key]

    def _follow(self, start: Entity) -> Iterator[Entity]:
        """Names lead to names; each is visited once, so a cycle of aliases, imports or calls ends."""
        pending = [(_step(*start), 0)]
        seen = {pending[0][0]}
        while pending:
            (name, bare, calls), hops = pending.pop()
            module = self.index.get(name)
            if module is None or hops > MAX_HOPS or calls > MAX_CALLS:
                continue
            steps = [_step(owner, reference, calls) for owner, reference in self._steps(module, bare)]
            if (name, bare) in self.defined or bare in module.facts.functions or bare in module.facts.classes:
                if calls <= (bare in module.facts.classes):  # an object stands for its class
                    yield name, bare
                if calls:
                    steps += (_step(name, returned, calls - 1) for returned in module.facts.returns.get(bare, ()))
            for step in steps:
                if step not in seen:
                    seen.add(step)
                    pending.append((step, hops + 1))

    def _steps(self, module: Module, bare: str) -> Iterator[Entity]:
        """What a name stands for one step on: an alias's values, an import's origin, `kernel.fn`'s kernel."""
        facts = module.facts
        if bare in facts.aliases:
            yield from ((module.name, value) for value in facts.aliases[bare])
        head, _, last = bare.rpartition(".")
        if head and last in WRAPPED:
            yield module.name, head
        root, _, rest = bare.partition(".")
        if root in facts.aliases and rest and rest.count(".") < 2:
            yield from ((module.name, f"{value}.{rest}") for value in facts.aliases[root] if "()" not in value)
        if root in facts.imports:
            target = facts.imports[root]
            yield from self._absolute(f"{target}.{rest}" if rest else target)
        elif root not in facts.functions:
            yield from ((star, bare) for star in facts.stars)
        if head in facts.classes:  # what a base defines
            yield from ((module.name, f"{base}.{last}") for base in facts.classes[head])

    def _absolute(self, name: str) -> Iterator[Entity]:
        module, rest = name, ""
        while module:
            if module in self.index and rest:
                yield module, rest
                return
            module, _, last = module.rpartition(".")
            rest = f"{last}.{rest}" if rest else last


def _step(module: str, reference: str, calls: int = 0) -> tuple[str, str, int]:
    """A place to look: a module, a name in it, and how many calls of what it means stand between."""
    bare = reference.removesuffix("()")
    return module, bare, calls + (bare != reference)


def _role(kernel: PythonKernel, links: _Links) -> Role:
    if kernel.is_entry:
        return "kernel"
    if kernel.language in WITH_HOST_CODE:  # compiled host code, if nothing on the device calls it
        return "device" if links.used_by and not links.launchers else "unknown"
    return "kernel" if links.launchers else "device" if links.used_by else "unknown"
