"""What every mutation operator shares: the function that it looks at, and how it says what it plants."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeVar

from kmaint.spans import Function, Node, Replacement, Source, calls, names

Found = TypeVar("Found", bound=ast.AST)

ACCESSES = ("load", "store", "atomic_add", "atomic_max", "atomic_min", "atomic_cas", "atomic_xchg", "atomic_or")
"""What takes an address as its first argument."""


@dataclass(frozen=True, kw_only=True)
class Planted:
    """One defect: the edits that make it, at which line, and what it is in words."""

    edits: tuple[Replacement, ...]
    line: int
    sentence: str


class Scope:
    """One function of a kernel.py: a kernel (or what one calls), or the host's code around it."""

    def __init__(self, source: Source, function: Function) -> None:
        self.source, self.function = source, function
        self.device = any("jit" in ast.unparse(decorator) for decorator in function.decorator_list)

    def all(self, kind: type[Found]) -> Iterator[Found]:
        """Every node of a kind in the body, in the order of the text."""
        found = [node for statement in self.function.body for node in ast.walk(statement) if isinstance(node, kind)]
        yield from sorted(found, key=lambda node: (getattr(node, "lineno", 0), getattr(node, "col_offset", 0)))

    def of(self, node: Node) -> str:
        return self.source.of(node)

    def put(self, node: ast.expr | ast.stmt, text: str, sentence: str) -> Planted:
        """The node replaced."""
        return Planted(edits=(self.source.replace(node, text),), line=node.lineno, sentence=sentence)

    def swap(self, first: ast.expr, second: ast.expr, sentence: str) -> Planted:
        """Two expressions, each in the other's place and in brackets."""
        edits = self.source.replace(first, f"({self.of(second)})"), self.source.replace(second, f"({self.of(first)})")
        return Planted(edits=edits, line=first.lineno, sentence=sentence)

    def indexing(self, node: ast.AST) -> bool:
        """Whether a node is part of an address, a mask or a loop's bounds, rather than of what is computed."""
        return id(node) in self._index_nodes

    @functools.cached_property
    def _index_nodes(self) -> set[int]:
        seeds: list[ast.AST] = []
        for call in calls(self.function, *ACCESSES):
            seeds += call.args[:1] + [word.value for word in call.keywords if word.arg in ("pointer", "mask")]
            seeds += call.args[2:3] if call.func.attr == "store" else call.args[1:2]  # type: ignore[attr-defined]
        ranges = (node for node in self.all(ast.Call) if ast.unparse(node.func).endswith("range"))
        seeds += [argument for call in ranges for argument in call.args]
        return {id(inner) for seed in self._feeding(seeds) for inner in ast.walk(seed)}

    def _feeding(self, seeds: list[ast.AST]) -> list[ast.AST]:
        """The seeds, and what is bound to a name that one of them mentions, directly or not."""
        found, known = list(seeds), set[str]()
        bindings = [node for node in ast.walk(self.function) if isinstance(node, ast.Assign | ast.AugAssign)]
        while True:
            wanted = {name for seed in found for name in names(seed)} - known
            if not wanted:
                return found
            known |= wanted
            for node in bindings:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                bound = {name for target in targets for name in names(target)}
                if bound & wanted and not _accesses(node.value):
                    found.append(node.value)


def _accesses(node: ast.AST) -> bool:
    """Whether a value comes out of memory: a loaded index is data."""
    return any(True for _ in calls(node, *ACCESSES))


@dataclass(frozen=True, kw_only=True)
class Operator:
    """A kind of slip. `before` is the body of a kernel or of a launcher, and `after` each mutant of it, in order."""

    name: str
    why: str
    """Whose slip it stands for, in a sentence."""
    where: Literal["kernel", "host"]
    before: str
    after: tuple[str, ...]
    plant: Callable[[Scope], Iterator[Planted]]
