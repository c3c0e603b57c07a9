"""Questions are put to a file once, and again only when it has changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from extract.evidence.chunks import Chunks
from extract.evidence.files import Answers, TreeFiles
from extract.scan.walk import list_files
from extract.tree import locate


class Paper:
    """Puts questions to the files of a folder and writes down which."""

    def __init__(self, root: Path) -> None:
        self.root, self.put_to = root, list[str]()

    def put(self, calls: Sequence[tuple[str, Callable[..., Any], tuple[Any, ...]]]) -> list[Any]:
        self.put_to += (path for path, _, _ in calls)
        return [question(Chunks((self.root / path).read_bytes()), *arguments) for path, question, arguments in calls]

    def files(self, known: Answers | None = None) -> TreeFiles:
        self.put_to.clear()
        return TreeFiles(locate(self.root), list_files(self.root).stamps, self.put, known)


def count(chunks: Chunks, word: bytes) -> int:
    return chunks.content.count(word)


@pytest.fixture
def paper(tmp_path: Path) -> Paper:
    (tmp_path / "vllm").mkdir()
    for name in ("__init__", "a", "b"):
        (tmp_path / f"vllm/{name}.py").write_text(name)
    return Paper(tmp_path)


def test_answers_come_in_the_order_of_the_calls_and_each_is_sought_once(paper: Paper) -> None:
    files = paper.files()
    assert files.ask_all(count, [("vllm/b.py", b"b"), ("vllm/a.py", b"b"), ("vllm/b.py", b"b")]) == [1, 0, 1]
    assert files.ask(count, "vllm/b.py", b"b") == 1
    assert files.ask(count, "vllm/b.py", b"a") == 0
    assert paper.put_to == ["vllm/b.py", "vllm/a.py", "vllm/b.py"]


def test_only_a_file_that_changed_is_asked_again(paper: Paper) -> None:
    before = paper.files()
    assert before.ask_all(count, [("vllm/a.py", b"a"), ("vllm/b.py", b"b")]) == [1, 1]
    (paper.root / "vllm/b.py").write_text("b and b")
    after = paper.files(before.answers)
    assert after.ask_all(count, [("vllm/a.py", b"a"), ("vllm/b.py", b"b")]) == [1, 2]
    assert paper.put_to == ["vllm/b.py"]


def test_what_was_foreseen_is_waited_for_and_not_asked_again(paper: Paper) -> None:
    files = paper.files()
    files.foresee(lambda calls: lambda: paper.put(calls), {count: [("vllm/a.py", b"a"), ("vllm/b.py", b"b")]})
    assert paper.put_to == []
    assert files.ask_all(count, [("vllm/b.py", b"b"), ("vllm/b.py", b"a")]) == [1, 0]
    assert paper.put_to == ["vllm/a.py", "vllm/b.py", "vllm/b.py"]
    assert files.ask(count, "vllm/a.py", b"a") == 1
    assert len(paper.put_to) == 3


def test_what_nobody_asked_this_time_is_forgotten(paper: Paper) -> None:
    before = paper.files()
    before.ask_all(count, [("vllm/a.py", b"a"), ("vllm/b.py", b"b")])
    after = paper.files(before.answers)
    after.ask(count, "vllm/a.py", b"a")
    assert after.answers.keys() == {"vllm/a.py"}
