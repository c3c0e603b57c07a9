"""What a test comes out as on the platform that is sliced for: CUDA, with Triton, outside a type checker."""

from __future__ import annotations

import ast

from extract.names import dotted
from extract.slicing.binding import Condition, bound_names
from extract.slicing.modules import Library, Module, Statement
from extract.slicing.shims import SHIMS

KNOWN = {
    "typing.TYPE_CHECKING": False,
    "TYPE_CHECKING": False,
    "torch.version.hip": False,
    "triton.runtime.driver.active.get_current_target": None,
}
MAX_HOPS = 16


class Truth:
    """Follows the names of a test to the stand-ins, whose answers are fixed."""

    def __init__(self, library: Library) -> None:
        self.library = library

    def of_conditions(self, module: Module, conditions: tuple[Condition, ...]) -> bool | None:
        """Whether all conditions hold; None where one is unknown and none fails."""
        answers = [None if (known := self.of(module, test)) is None else known == wanted for test, wanted in conditions]
        return False if False in answers else None if None in answers else True

    def of_branch(self, module: Module, statement: Statement, name: str) -> bool | None:
        """Whether a statement binds the name at all: an `if` may do so only in an arm that is never taken."""
        return self._binds(module, [statement.node], name)

    def _binds(self, module: Module, body: list[ast.stmt], name: str) -> bool | None:
        for node in body:
            if name not in set(bound_names(node)):
                continue
            if not isinstance(node, ast.If):
                return True
            known = self.of(module, node.test)
            arms = [node.body] if known is True else [node.orelse] if known is False else [node.body, node.orelse]
            if any(self._binds(module, arm, name) is not False for arm in arms):
                return True
        return False

    def of(self, module: Module, test: ast.expr, hops: int = 0) -> bool | None:
        """What the test comes out as, seen from inside a module."""
        if hops > MAX_HOPS:
            return None
        match test:
            case ast.Constant(value=value):
                return bool(value)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                known = self.of(module, operand, hops + 1)
                return None if known is None else not known
            case ast.BoolOp(op=op, values=values):
                answers = [self.of(module, value, hops + 1) for value in values]
                decisive = isinstance(op, ast.Or)
                return decisive if decisive in answers else None if None in answers else not decisive
            case ast.Call(func=func, args=args):
                name = dotted(func)
                if name in ("bool", "any", "all") and len(args) == 1:
                    return self.of(module, args[0], hops + 1)
                return self._of_name(module, name, hops, called=True) if name else None
            case ast.Name() | ast.Attribute() if name := dotted(test):
                return self._of_name(module, name, hops, called=False)
            case _:
                return None

    def _of_name(self, module: Module, name: str, hops: int, *, called: bool) -> bool | None:
        if hops > MAX_HOPS:
            return None
        root, _, rest = name.partition(".")
        bound = module.bindings.get(root, ())
        if bound and not rest:
            return self._of_binding(module, bound[0], hops, called=called) if len(bound) == 1 else None
        for one in module.imports.get(root, ()):
            target = f"{one.target}.{rest}" if rest else one.target
            return self._of_absolute(target, hops + 1, called=called)
        for star in module.stars:
            if (known := self._of_absolute(f"{star}.{name}", hops + 1, called=called)) is not None:
                return known
        return None

    def _of_binding(self, module: Module, statement: Statement, hops: int, *, called: bool) -> bool | None:
        if not called and isinstance(statement.node, (ast.Assign, ast.AnnAssign)) and statement.node.value is not None:
            return self.of(module, statement.node.value, hops + 1)
        return None

    def _of_absolute(self, target: str, hops: int, *, called: bool) -> bool | None:
        if target in KNOWN:
            return KNOWN[target]
        owner, _, name = target.rpartition(".")
        if target in SHIMS:
            return SHIMS[target].truth
        if owner in SHIMS:
            return SHIMS[owner].answers.get(name)
        found = self.library.module(owner) if owner else None
        return self._of_name(found, name, hops + 1, called=called) if found is not None else None
