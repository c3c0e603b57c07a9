"""What a name of a module means: a statement of the tree, an import that stays, a stand-in, or a module as a value."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable

from extract.slicing.binding import Imported
from extract.slicing.modules import Library, Module, Statement
from extract.slicing.pieces import Found, KeptImport, ModuleReference, Piece, StoppedError
from extract.slicing.shims import REAL, SHIMS
from extract.slicing.truth import Truth

KEPT_PACKAGES = frozenset(sys.stdlib_module_names) | {"torch", "triton", "numpy"}
FRAMEWORKS = frozenset({"sglang", "vllm"})
MODULE_NAMES = frozenset({"__name__", "__file__", "__doc__", "__annotations__", "__spec__"})


class Resolver:
    """Follows names through the modules of a tree, and the packages that hand them on; `stub` is told what is left out.

    StoppedError, naming the symbol, where a name leads nowhere that a harness may go.
    """

    def __init__(self, library: Library, truth: Truth, stub: Callable[[str, str], None]) -> None:
        self._library, self._truth, self._stub = library, truth, stub
        self._visiting: set[str] = set()

    def find(self, module: Module, name: str) -> Found | None:
        """What a name used in a module is; None where it is Python's own, or reached on another platform only."""
        if statements := module.bindings.get(name):
            return SHIMS.get(f"{module.name}.{name}") or self._live_piece(module, name, statements)
        if candidates := module.imports.get(name):
            return self._from_import(module, candidates)
        if name in module.local:
            raise StoppedError(f"{name}: a local name of the function around it, known only when that runs")
        if module.outer is not None:
            return self.find(module.outer, name)
        for star in module.stars:
            found = self.absolute(f"{star}.{name}", optional=True)
            if found is not None:
                return found
        if hasattr(builtins, name) or name in MODULE_NAMES or name in module.declared:
            return None
        raise StoppedError(f"{name}: not bound at module level in {module.relative}")

    def _live_piece(self, module: Module, name: str, statements: list[Statement]) -> Found | None:
        live = [one for one in statements if self._truth.of_branch(module, one, name) is not False]
        imported = [
            one for one in module.imports.get(name, ()) if self._truth.of_conditions(module, one.conditions) is True
        ]
        if imported and not live:
            found = self._from_import(module, imported)
            if found is not None:
                return found
        if not live:
            self._stub(f"{module.name}.{name}", "defined for another platform only: never reached here")
            return None
        return Piece(module, live[0])

    def _from_import(self, module: Module, candidates: list[Imported]) -> Found | None:
        likely = [one for one in candidates if self._truth.of_conditions(module, one.conditions) is not False]
        if not likely:
            self._stub(candidates[0].target, "bound only on another platform or for type checkers: never reached here")
            return None
        problem: StoppedError | None = None
        for one in likely:
            try:
                return self._imported(one)
            except StoppedError as error:
                problem = problem or error
        assert problem is not None
        raise problem

    def _imported(self, one: Imported) -> Found | None:
        root = one.target.partition(".")[0]
        if one.target in REAL:
            return _real(one.target)
        if root in KEPT_PACKAGES:
            return KeptImport(one.target if one.whole or "." in one.target else root, one.text)
        if root not in FRAMEWORKS and one.target not in SHIMS:
            raise StoppedError(f"{one.target}: from a package that a harness may not need")
        return self.absolute(one.target)

    def absolute(self, target: str, *, optional: bool = False) -> Found | None:
        """What a dotted name of the framework is, through the packages that hand it on."""
        if target in REAL:
            return _real(target)
        if target in SHIMS:
            return SHIMS[target]
        owner, _, name = target.rpartition(".")
        module = self._library.module(owner) if owner else None
        if module is not None and target not in self._visiting:
            self._visiting.add(target)
            try:
                if name in module.bindings or name in module.imports or module.stars:
                    return self.find(module, name)
            except StoppedError:
                if not optional and self._library.module(target) is None:
                    raise
            finally:
                self._visiting.discard(target)
        if self._library.module(target) is not None:
            return ModuleReference(target)
        if optional:
            return None
        raise StoppedError(f"{target}: not found in the tree, and no stand-in for it")


def _real(target: str) -> KeptImport:
    """The import behind a name that a framework hands on, as whoever imports it directly has it."""
    words = REAL[target].split()
    return KeptImport(".".join(words[1::2][:2]) if words[0] == "from" else words[1], REAL[target])
