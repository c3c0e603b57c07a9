"""The static closure of a launcher: every module-level statement it needs, from whatever module of the tree.

A name leads to a statement (taken whole), to an import that stays (standard library, torch, triton, numpy), to an entry
of the catalogue of stand-ins, or nowhere, which stops the extraction with one line that names the symbol.
"""

from __future__ import annotations

import ast
import builtins

from extract.names import Names
from extract.slicing.modules import Library, Module, Statement
from extract.slicing.pieces import Closure, Found, KeptImport, ModuleReference, Piece, StoppedError
from extract.slicing.resolving import KEPT_PACKAGES, Resolver
from extract.slicing.shims import REAL, TORCH_SHIMS, Shim
from extract.slicing.truth import Truth
from kmaint.records.harness import Stub

MOST_LINES = 100
"""For one name that a function imports when it is called: more of them are an engine's configuration."""


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
        self.resolver = Resolver(library, self.truth, self._stub)
        self.closure = Closure()
        self._owners: dict[str, object] = {}
        self._holders: dict[str, Module] = {}

    def start(self, module: Module, name: str) -> None:
        """Take a definition that the slice is made for."""
        found = self.resolver.find(module, name)
        if not isinstance(found, Piece):
            raise StoppedError(f"{name}: {module.relative} defines it for another platform only")
        self._take(found, name, module)

    def need(self, module: Module, name: str) -> None:
        """Take whatever a name of a module means into the closure."""
        found = self.resolver.find(module, name)
        if found is not None:
            self._take(found, name, module)

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
            self._settings(name, names)
        for name in piece.statement.names:  # a name may be bound by several statements: all of them, in their order
            for other in module.bindings.get(name, ()):
                if other is not piece.statement and self.truth.of_branch(module, other, name) is not False:
                    self._take_rebinding(Piece(module, other))
        for name in sorted(names.dead - names.runtime):
            if name in module.imports and module.imports[name][0].target.partition(".")[0] not in KEPT_PACKAGES:
                self._stub(module.imports[name][0].target, "named only in a branch that another platform takes")
        self._lazy(module, names)
        for chain in names.chains & TORCH_SHIMS.keys():
            self.closure.torch_shims[chain] = TORCH_SHIMS[chain]
            self._stub(chain, TORCH_SHIMS[chain].reason)
        self._annotations(module, names)

    def _settings(self, name: str, names: Names, known_as: str = "") -> None:
        """What is read of a table of settings, by the name that the statement has for it."""
        if name in self.closure.shims and self.closure.shims[name].fields:
            prefix = f"{known_as or name}."
            read = {chain.split(".")[1] for chain in names.chains if chain.startswith(prefix)}
            self.closure.settings.setdefault(name, set()).update(read)

    def _lazy(self, module: Module, names: Names) -> None:
        """What is imported inside functions: taken along where that is sure to run, else left out."""
        for target, known_as in sorted(names.certain):
            if target.partition(".")[0] not in KEPT_PACKAGES and self._provide(target, module):
                self._settings(target.rpartition(".")[2], names, known_as)
        for target in sorted(names.lazy):
            owner, _, name = target.rpartition(".")
            if target.partition(".")[0] not in KEPT_PACKAGES and name not in self.closure.provided.get(owner, ()):
                self._stub(target, "lazy import, branch not available")

    def _provide(self, target: str, user: Module) -> bool:
        """Take what a function imports when it is called; False, and nothing taken, where that leads too far."""
        owner, _, name = target.rpartition(".")
        before = self.closure.copy(), self._owners.copy(), self._holders.copy()
        self.closure.stubs.pop(target, None)  # where another function imports it on one arm
        try:
            found = self.resolver.absolute(target)
            if found is None or isinstance(found, ModuleReference):
                return False
            home = found.module if isinstance(found, Piece) else user
            self._take(found, name, home)
            new = [piece.statement for key, piece in self.closure.pieces.items() if key not in before[0].pieces]
            if sum(one.end_line - one.line + 1 for one in new) > MOST_LINES:
                raise StoppedError(f"{target}: needs more than {MOST_LINES} lines")
        except StoppedError:
            self.closure, self._owners, self._holders = before
            return False
        if not self._leads(home, user):  # else the import stands in the function to break a cycle
            self.closure.needs.setdefault(user, []).append(home)
        self.closure.provided.setdefault(owner, set()).add(name)
        return True

    def _leads(self, start: Module, goal: Module) -> bool:
        """Whether a module uses another, at whatever remove."""
        pending, seen = [start], set[Module]()
        while pending:
            module = pending.pop()
            if module is goal:
                return True
            if module not in seen:
                seen.add(module)
                pending += self.closure.needs.get(module, [])
        return False

    def _take_rebinding(self, piece: Piece) -> None:
        key = (piece.module.name, piece.statement.line)
        if key not in self.closure.pieces:
            self.closure.pieces[key] = piece
            self._follow(piece, self._names(piece))

    def _attributes(self, name: str, module: Module, names: Names) -> None:
        found = self.resolver.find(module, name)
        assert isinstance(found, ModuleReference)
        for chain in sorted(names.chains):
            root, _, rest = chain.partition(".")
            attribute = rest.partition(".")[0]
            if root == name and attribute and attribute not in self.closure.namespaces[name]:
                target = self.resolver.absolute(f"{found.module}.{attribute}")
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
