"""vLLM's operators: what csrc registers with torch for CUDA, its schema, and the file that defines it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from extract.cuda.text import closing, cuda_side, definitions, without_comments
from extract.tree import SourceTree

SOURCES = "csrc"
OTHER_PLATFORMS = frozenset({"rocm", "cpu"})
"""Folders of csrc that are not built for CUDA."""

LIBRARY = re.compile(r"\bSTABLE_TORCH_LIBRARY(?P<kind>_FRAGMENT|_IMPL)?\s*\(\s*(?P<arguments>[^)]*)\)\s*\{")
CALL = re.compile(r"\b\w+\s*\.\s*(?P<method>def|impl)\s*\(")
LITERAL = re.compile(r'"((?:\\.|[^"\\])*)"')
FUNCTION = re.compile(r"&\s*([\w:]+)")
MIGRATED = re.compile(r"TORCH_TARGET_VERSION=(\w+)")


@dataclass(frozen=True, kw_only=True)
class TorchOp:
    """An operator `namespace::name` with its schema. `path` defines `function`, which implements it on CUDA.

    `declared` and `registered` say whether that file itself gives torch the schema and the implementation.
    """

    name: str
    namespace: str
    schema: str
    function: str
    path: str
    declared: bool = False
    registered: bool = False
    folders: tuple[str, ...] = (SOURCES,)

    @property
    def symbols(self) -> frozenset[str]:
        return frozenset({self.function.rpartition("::")[2]})

    @property
    def id(self) -> str:
        return f"{self.namespace}::{self.name}"


def read(tree: SourceTree) -> Iterator[TorchOp]:
    """Operators of the stable ABI that have both a schema and an implementation for CUDA in csrc."""
    folder = tree.root / SOURCES
    texts = {path: _text(path) for path in sorted(folder.rglob("*")) if _is_source(path, folder)}
    schemas: dict[tuple[str, str], tuple[str, Path]] = {}
    functions: dict[tuple[str, str], tuple[str, Path]] = {}
    for path, text in texts.items():
        for namespace, device, method, arguments in _calls(text):
            literals = "".join(LITERAL.findall(arguments)).replace('\\"', '"')
            name = re.split(r"[\s(]", literals.strip(), maxsplit=1)[0]
            if method == "def":
                schemas[namespace, name] = (" ".join(literals.split()), path)
            elif device == "CUDA" and (found := FUNCTION.search(arguments)):
                functions[namespace, name] = (found[1], path)
    definers = _definers(texts, {name.rpartition("::")[2] for name, _ in functions.values()})
    for key, (function, registered_in) in sorted(functions.items()):
        definer = definers.get(function.rpartition("::")[2])
        if key in schemas and definer is not None:
            yield TorchOp(
                name=key[1],
                namespace=key[0],
                schema=schemas[key][0],
                function=function,
                path=definer.relative_to(tree.root).as_posix(),
                declared=definer == schemas[key][1],
                registered=definer == registered_in,
            )


def target_version(root: Path) -> str | None:
    """The release of torch whose stable ABI the tree builds against, as its CMakeLists.txt spells it."""
    path = root / "CMakeLists.txt"
    found = MIGRATED.search(path.read_text(errors="replace")) if path.is_file() else None
    return found[1] if found else None


def _is_source(path: Path, folder: Path) -> bool:
    return path.suffix in (".cu", ".cpp") and OTHER_PLATFORMS.isdisjoint(path.relative_to(folder).parts)


def _text(path: Path) -> str:
    return cuda_side(without_comments(path.read_text(errors="replace")))


def _calls(text: str) -> Iterator[tuple[str, str, str, str]]:
    """Namespace, device, `def` or `impl`, and the arguments' text of each registration."""
    for library in LIBRARY.finditer(text):
        words = [word.strip() for word in library["arguments"].split(",")]
        device = words[1] if library["kind"] == "_IMPL" else ""
        end = closing(text, library.end() - 1)
        for call in CALL.finditer(text, library.end(), end):
            yield words[0], device, call["method"], text[call.end() : closing(text, call.end() - 1, "()") - 1]


def _definers(texts: dict[Path, str], wanted: set[str]) -> dict[str, Path]:
    """The .cu file that defines each function; none where several do."""
    found: dict[str, set[Path]] = {}
    for path, text in texts.items():
        if path.suffix == ".cu" and any(name in text for name in wanted):
            for one in definitions(text):
                if one.name in wanted:
                    found.setdefault(one.name, set()).add(path)
    return {name: next(iter(paths)) for name, paths in found.items() if len(paths) == 1}
