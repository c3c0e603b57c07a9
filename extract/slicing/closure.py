"""The static closure of a launcher: every module-level statement it needs, from whatever module of the tree.

A name leads to a statement (taken whole), to an import that stays (standard library, torch, triton, numpy), to an entry
of the catalogue of stand-ins, or nowhere, which stops the extraction with one line that names the symbol.
"""

from __future__ import annotations

import ast
import builtins
import sys

from extract.names import Names
from extract.slicing.binding import Imported
from extract.slicing.modules import Library, Module, Statement
from extract.slicing.pieces import Closure, Found, KeptImport, ModuleReference, Piece, StoppedError
from extract.slicing.shims import REAL, SHIMS, TORCH_SHIMS, Shim
from extract.slicing.truth import Truth
from kmaint.records.harness import Stub

KEPT_PACKAGES = frozenset(sys.stdlib_module_names) | {"torch", "triton", "numpy"}
FRAMEWORKS = frozenset({"sglang", "vllm"})
MODULE_NAMES = frozenset({"__name__", "__file__", "__doc__", "__annotations__", "__spec__"})


def close(library: Library, *starts: tuple[Module, str]) -> Closure:
    """The closure of these definitions. StoppedError, naming the symbol, where something cannot be followed."""
    walker = _Walker(library)
    for module, name in starts:
        walker.start(module, name)
    return walker.closure


class _Walker:
    def __init__(self, library: Library) -> None:
        self.library = library
        self.truth = Truth(library)
        self.closure = Closure()
        self._owners: dict[str, object] = {}
        self._holders: dict[str, Module] = {}
        self._visiting: set[str] = set()

    def start(self, module: Module, name: str) -> None:
        """Take a definition that the slice is made for."""
        found = self._find(module, name)
        if not isinstance(found, Piece):
            raise StoppedError(f"{name}: {module.relative} defines it for another platform only")
        self._take(found, name, module)

    def need(self, module: Module, name: str) -> None:
        """Take whatever a name of a module means into the closure."""
        found = self._find(module, name)
        if found is not None:
            self._take(found, name, module)

    def _find(self, module: Module, name: str) -> Found | None:
        if statements := module.bindings.get(name):
            return SHIMS.get(f"{module.name}.{name}") or self._live_piece(module, name, statements)
        if candidates := module.imports.get(name):
            return self._from_import(module, candidates)
        if name in module.local:
            raise StoppedError(f"{name}: a local name of the function around it, known only when that runs")
        if module.outer is not None:
            return self._find(module.outer, name)
        for star in module.stars:
            found = self._absolute(f"{star}.{name}", optional=True)
            if found is not None:
                return found
        if hasattr(builtins, name) or name in MODULE_NAMES or name in module.declared:
            return None
        raise StoppedError(f"{name}: not bound at module level in {module.relative}")

    def _live_piece(self, module: Module, name: str, statements: list[Statement]) -> Found | None:
        live = [one for one in statements if self.truth.of_branch(module, one, name) is not False]
        imported = [
            one for one in module.imports.get(name, ()) if self.truth.of_conditions(module, one.conditions) is True
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
        likely = [one for one in candidates if self.truth.of_conditions(module, one.conditions) is not False]
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
        return self._absolute(one.target)

    def _absolute(self, target: str, *, optional: bool = False) -> Found | None:
        """What a dotted name of the framework is, through the packages that hand it on."""
        if target in REAL:
            return _real(target)
        if target in SHIMS:
            return SHIMS[target]
        owner, _, name = target.rpartition(".")
        module = self.library.module(owner) if owner else None
        if module is not None and target not in self._visiting:
            self._visiting.add(target)
            try:
                if name in module.bindings or name in module.imports or module.stars:
                    return self._find(module, name)
            except StoppedError:
                if not optional and self.library.module(target) is None:
                    raise
            finally:
                self._visiting.discard(target)
        if self.library.module(target) is not None:
            return ModuleReference(target)
        if optional:
            return None
        raise StoppedError(f"{target}: not found in the tree, and no stand-in for it")

    def _take(self, found: Found, name: str, user: Module) -> None:
        match found:
            case Piece(module=owner):
                self.closure.needs.setdefault(user, []).append(owner)
                defined = self._defined_name(found, name)
                self._take_piece(found)
                if defined != name:
                    self._claim(name, ("alias", found.module.name, defined), user)
                    self.closure.aliases[name] = defined
            case KeptImport(target=target):
                self._claim(name, ("import", target), user)
                self.closure.imports[name] = _bound_as(found, name)
            case Shim(symbol=symbol):
                self._claim(name, ("shim", symbol), user)
                self.closure.shims[name] = found
                self._stub(symbol, found.reason)
            case ModuleReference(module=target):
                self._claim(name, ("module", target), user)
                self.closure.namespaces.setdefault(name, {})

    @staticmethod
    def _defined_name(piece: Piece, name: str) -> str:
        if name in piece.statement.names:
            return name
        return piece.statement.names[0] if len(piece.statement.names) == 1 else name

    def _take_piece(self, piece: Piece) -> None:
        key = (piece.module.name, piece.statement.line)
        if key in self.closure.pieces:
            return
        text = _text(piece)
        owner = ("text", text, piece.module.name if _is_table(piece.statement) else "")
        if all(self._owners.get(name) == owner for name in piece.statement.names) and not _is_value(piece.statement):
            # another module says the same in the same words
            self.closure.needs.setdefault(piece.module, []).append(self._holders[piece.statement.names[0]])
            return
        for name in piece.statement.names:
            self._claim(name, owner, piece.module)
            self._holders[name] = piece.module
        self.closure.pieces[key] = piece
        names = self._names(piece)
        self._follow(piece, names)
        self._guarded_imports(piece)

    def _names(self, piece: Piece) -> Names:
        return self.library.names_of(piece.statement, lambda test: self.truth.of(piece.module, test))

    def _follow(self, piece: Piece, names: Names) -> None:
        module = piece.module
        for name in sorted(names.runtime - set(piece.statement.names)):
            self.need(module, name)
            if name in self.closure.namespaces:
                self._attributes(name, module, names)
            if name in self.closure.shims and self.closure.shims[name].fields:
                read = {chain.split(".")[1] for chain in names.chains if chain.startswith(f"{name}.")}
                self.closure.settings.setdefault(name, set()).update(read)
        for name in piece.statement.names:  # a name may be bound by several statements: all of them, in their order
            for other in module.bindings.get(name, ()):
                if other is not piece.statement and self.truth.of_branch(module, other, name) is not False:
                    self._take_rebinding(Piece(module, other))
        for name in sorted(names.dead - names.runtime):
            if name in module.imports and module.imports[name][0].target.partition(".")[0] not in KEPT_PACKAGES:
                self._stub(module.imports[name][0].target, "named only in a branch that another platform takes")
        for target in names.lazy:
            if target.partition(".")[0] not in KEPT_PACKAGES:
                self._stub(target, "lazy import, branch not available")
        for chain in names.chains & TORCH_SHIMS.keys():
            self.closure.torch_shims[chain] = TORCH_SHIMS[chain]
            self._stub(chain, TORCH_SHIMS[chain].reason)
        self._annotations(module, names)

    def _take_rebinding(self, piece: Piece) -> None:
        key = (piece.module.name, piece.statement.line)
        if key not in self.closure.pieces:
            self.closure.pieces[key] = piece
            self._follow(piece, self._names(piece))

    def _attributes(self, name: str, module: Module, names: Names) -> None:
        found = self._find(module, name)
        assert isinstance(found, ModuleReference)
        for chain in sorted(names.chains):
            root, _, rest = chain.partition(".")
            attribute = rest.partition(".")[0]
            if root == name and attribute and attribute not in self.closure.namespaces[name]:
                target = self._absolute(f"{found.module}.{attribute}")
                if target is not None:
                    self.closure.namespaces[name][attribute] = attribute
                    self._take(target, attribute, module)

    def _annotations(self, module: Module, names: Names) -> None:
        """Annotations are never evaluated in a slice that needs it so: they may not drag classes in."""
        self.closure.future = self.closure.future or module.future
        for name in sorted(names.annotations - names.runtime):
            candidates = module.imports.get(name, [])
            kept = next((one for one in candidates if one.target.partition(".")[0] in KEPT_PACKAGES), None)
            if kept is not None and name not in module.bindings and self._owners.get(name) is None:
                self._take(KeptImport(kept.target, kept.text), name, module)
            elif kept is None and not hasattr(builtins, name):
                self.closure.future = True

    def _guarded_imports(self, piece: Piece) -> None:
        """Imports inside a statement taken whole: they run as they stand, so they must not be the framework's."""
        for one in piece.module.inner_imports(piece.statement):
            if one.target.partition(".")[0] in KEPT_PACKAGES:
                continue
            if self.truth.of_conditions(piece.module, one.conditions) is False:
                self._stub(one.target, "imported only on another platform")
            elif one.guarded:
                self._stub(one.target, "optional import: the branch for its absence is taken")
            else:
                raise StoppedError(
                    f"{one.target}: imported at module level by {piece.module.relative}:{piece.statement.line}"
                )

    def _claim(self, name: str, owner: object, user: Module) -> None:
        """One namespace, one meaning: StoppedError where the name already has another."""
        if self._owners.setdefault(name, owner) == owner:
            return
        raise StoppedError(f"{name}: two different definitions in one slice, the second in {user.relative}")

    def _stub(self, symbol: str, reason: str) -> None:
        self.closure.stubs.setdefault(symbol, Stub(symbol=symbol, reason=reason))


def _real(target: str) -> KeptImport:
    """The import behind a name that a framework hands on, as whoever imports it directly has it."""
    words = REAL[target].split()
    return KeptImport(".".join(words[1::2][:2]) if words[0] == "from" else words[1], REAL[target])


def _bound_as(kept: KeptImport, name: str) -> KeptImport:
    """The import under the name that its user has for it: `from vllm.triton_utils import tldevice as libdevice`."""
    line, _, alias = kept.text.partition(" as ")
    handed_on = kept.text in REAL.values() and name != (alias or line.split()[-1])
    return KeptImport(kept.target, f"{line} as {name}") if handed_on else kept


def _text(piece: Piece) -> str:
    try:
        return piece.module.text(piece.statement)
    except ValueError as error:
        raise StoppedError(f"{piece.statement.names[0]}: {error}") from error


def _is_value(statement: Statement) -> bool:
    """`_is_hip = is_hip()`: said again by another module, it may run again, and its place in each stays right."""
    return isinstance(statement.node, (ast.Assign, ast.AnnAssign))


def _is_table(statement: Statement) -> bool:
    """A container that functions fill: one each, even where two modules say the same."""
    return isinstance(statement.node, (ast.Assign, ast.AnnAssign)) and isinstance(
        statement.node.value, (ast.Dict, ast.List, ast.Set)
    )
