from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extract.scan.imports import read_imports
from extract.scan.masking import read_source
from extract.scan.outline import read_outline
from extract.scan.python import read_python
from extract.scan.python_file import PythonFile

ROOT = Path(__file__).parents[3]
REAL = sorted((ROOT / "tests" / "extract").rglob("cases/**/*.py")) + sorted((ROOT / "extract").rglob("*.py"))
ROOTS = frozenset({"sglang", "vllm"})

HARD = {
    "a line of a bracket at the margin": "def f(\na,\nb):\n    return [\n1,\n]\n\nx = 1\n",
    "a docstring that defines": 'def f():\n    """\ndef g(): ...\n    """\n    def h(): ...\n',
    "a dedent that is no definition": "def f(): ...\nif f:\n    def g(): ...\n",
    "a product over lines": "x = (1\n@ 2)\n\ndef f(): ...\n",
    "tabs": "class A:\n\tdef f(self):\n\t\tdef g(): ...\n\n\tdef h(self): ...\n",
    "carriage returns": "def f():\r\n    pass\r\n\r\ndef g(): ...\r\n",
    "a continued line": "def f(): \\\n  pass\ndef g(): ...\n",
    "decorators with strings of brackets": '@d("(")\n@e(\n    ")",\n)\nasync def f(): ...\n',
    "type parameters": "def f(x): ...\nclass A(B): x = 1\n",
}


def by_parsing(tree: ast.AST, prefix: str = "") -> Iterator[tuple[int, int | None, str, int]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            name = f"{prefix}{node.name}"
            yield node.lineno, node.end_lineno, name, len(node.decorator_list)
            yield from by_parsing(node, f"{name}." if isinstance(node, ast.ClassDef) else f"{name}.<locals>.")
        else:
            yield from by_parsing(node, prefix)


def by_pattern(content: bytes) -> list[tuple[int, int | None, str, int]]:
    source = read_source(content)
    return sorted(
        (scope.line, source.line(scope.end), scope.qualname, len(scope.decorators)) for scope in read_outline(source)
    )


@pytest.mark.parametrize("path", REAL, ids=lambda path: str(path.relative_to(ROOT)))
def test_real_files_are_outlined_as_the_parser_does(path: Path) -> None:
    content = path.read_bytes()
    assert by_pattern(content) == sorted(by_parsing(ast.parse(content)))
    assert read_source(content).is_whole


@pytest.mark.parametrize("text", HARD.values(), ids=HARD)
def test_hard_layouts_are_outlined_as_the_parser_does(text: str) -> None:
    assert by_pattern(text.encode()) == sorted(by_parsing(ast.parse(text)))


@given(st.data())
def test_a_mutated_file_is_read_as_the_parser_reads_it_or_at_least_read(data: st.DataObject) -> None:
    content = data.draw(st.sampled_from(REAL)).read_bytes()[:6000]
    at = data.draw(st.integers(0, len(content)))
    cut = data.draw(st.integers(0, 40))
    put = data.draw(st.sampled_from([b"", b"\n", b"(", b'"""', b"'", b"#", b"\\\n", b"\t", b"@x\n", b"    ", b"\xff"]))
    mutated = content[:at] + put + content[at + cut :]
    read_python(PythonFile(read_source(mutated), "vllm"), roots=ROOTS, offered=frozenset({"kernel", "host"}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            expected = sorted(by_parsing(ast.parse(mutated)))
        except (SyntaxError, ValueError):
            return
    assert by_pattern(mutated) == expected


@given(st.binary(max_size=2000), st.sets(st.sampled_from(["jit", "kernel", "x", "self"])))
def test_any_bytes_are_read(content: bytes, offered: set[str]) -> None:
    read_python(PythonFile(read_source(content), "vllm"), roots=ROOTS, offered=frozenset(offered))
    read_imports(b"\n" + content, "vllm.a")
