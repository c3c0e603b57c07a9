"""The files of a tree that evidence is read from, and what they answered: tests, benchmarks, tables, bindings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar, TypeVarTuple

from extract.evidence.chunks import Chunks
from extract.tree import SourceTree
from kmaint.layout import Use, use_of

CPP = (".cpp", ".cu", ".cc", ".cuh", ".hip", ".h")

Arguments = TypeVarTuple("Arguments")
Answer = TypeVar("Answer")
Asked = list[tuple[str, Callable[..., Any], tuple[Any, ...]]]
"""Questions, one of each path with its arguments."""
Put = Callable[[Asked], Sequence[Any]]
"""Puts questions to files; a file that cannot be read is empty to it."""
Begin = Callable[[Asked], Callable[[], Sequence[Any]]]
"""As Put, but others look for the answers until these are asked for."""
Answers = dict[str, tuple[object, dict[tuple[Any, ...], Any]]]
"""By path: the file's stamp, and what it answered by the question's name and arguments."""


@dataclass(slots=True)
class Listing:
    """Paths relative to the tree, in order."""

    python: list[str] = field(default_factory=list)
    cpp: list[str] = field(default_factory=list)
    tables: dict[str, list[str]] = field(default_factory=dict)
    """Names of JSON files by folder, of folders whose name or whose parents' says `configs`."""


class TreeFiles:
    """What a tree's files say to evidence: each answers a question once, and not again while it stays as it is.

    A question is a function of one file and of some arguments that can be hashed, and of nothing else.
    """

    def __init__(self, tree: SourceTree, stamps: Mapping[str, object], put: Put, known: Answers | None = None) -> None:
        """`stamps` tell whether a file has changed, for all files of the tree by relative path, in order."""
        self.tree, self._stamps, self._put, self._known = tree, stamps, put, known or {}
        self.answers: Answers = {}
        """Of this time's questions alone, for the next time."""
        self._coming: tuple[Asked, Callable[[], Sequence[Any]]] | None = None

    @cached_property
    def listing(self) -> Listing:
        found = Listing()
        for path in self._stamps:
            folder, _, name = path.rpartition("/")
            if name.endswith(".py"):
                found.python.append(path)
            elif name.endswith(CPP):
                found.cpp.append(path)
            elif name.endswith(".json") and "configs/" in path:
                found.tables.setdefault(folder, []).append(name)
        return found

    @cached_property
    def users(self) -> dict[str, Use]:
        """Tests and benchmarks, and which of both each is."""
        return {path: use for path in self.listing.python if (use := use_of(path))}

    @cached_property
    def modules(self) -> dict[str, str]:
        """Path by dotted module, as it is imported: of the framework's package, else relative to the tree."""
        package = self.tree.package_root.relative_to(self.tree.root).as_posix()
        prefix = "" if package == "." else f"{package}/"
        names = ((path.removeprefix(prefix).removesuffix(".py"), path) for path in self.listing.python)
        return {name.removesuffix("/__init__").replace("/", "."): path for name, path in names}

    @cached_property
    def module_of(self) -> dict[str, str]:
        return {path: module for module, path in self.modules.items()}

    @cached_property
    def module_folders(self) -> set[str]:
        """Dotted folders that hold modules."""
        return {module.rpartition(".")[0] for module in self.modules}

    def ask(self, question: Callable[[Chunks, *Arguments], Answer], path: str, *arguments: *Arguments) -> Answer:
        """The answer of one file."""
        return self.ask_all(question, [(path, *arguments)])[0]

    def ask_all(
        self, question: Callable[[Chunks, *Arguments], Answer], calls: Sequence[tuple[str, *Arguments]]
    ) -> list[Answer]:
        """The answers of many files in the order of the calls, over all cores: a path each, and the arguments."""
        if self._coming:
            asked, answers = self._coming
            self._note(asked, answers())
            self._coming = None
        if new := self._new(question, calls):
            self._note(new, self._put(new))
        return [self.answers[path][1][question.__qualname__, *arguments] for path, *arguments in calls]

    def foresee(self, begin: Begin, asked: Mapping[Callable[..., Any], Sequence[tuple[Any, ...]]]) -> None:
        """Have questions answered that will be asked, while this process does something else; it may do so once."""
        new = [one for question, calls in asked.items() for one in self._new(question, calls)]
        self._coming = new, begin(new)

    def _new(self, question: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> Asked:
        """The calls that no answer is known to."""
        name = question.__qualname__
        return [
            (path, question, tuple(arguments))
            for path, *arguments in dict.fromkeys(calls)
            if not self._recall(path, (name, *arguments))
        ]

    def _note(self, asked: Asked, answers: Sequence[Any]) -> None:
        for (path, question, arguments), answer in zip(asked, answers, strict=True):
            self.answers[path][1][question.__qualname__, *arguments] = answer

    def _recall(self, path: str, key: tuple[Any, ...]) -> bool:
        """Whether a question was answered, now or when the file was as it is now."""
        if path not in self.answers:
            self.answers[path] = (self._stamps[path], {})
        stamp, now = self.answers[path]
        if key not in now and path in self._known:
            known_for, before = self._known[path]
            if known_for == stamp and key in before:
                now[key] = before[key]
        return key in now
