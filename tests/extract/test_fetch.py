"""Against a package index that stands on this machine: real HTTP, real archives, real git."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
from git import Repo

from extract.fetch import fetch_release, newest_release
from extract.tree import open_tree
from kmaint.errors import MissingError, UsageError


class Publish(Protocol):
    def __call__(self, name: str, content: bytes, sha256: str = "") -> None: ...


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        return None


@pytest.fixture
def publish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publish]:
    """Puts an archive on the index; the text after `#` in its link is the hash that the index states."""
    root = tmp_path / "index"
    for project in ("sglang", "vllm"):
        (root / project).mkdir(parents=True)
        (root / project / "index.html").write_text("")

    def put(name: str, content: bytes, sha256: str = "") -> None:
        project = name.partition("-")[0]
        (root / project / name).write_bytes(content)
        stated = sha256 or hashlib.sha256(content).hexdigest()
        with (root / project / "index.html").open("a") as page:
            page.write(f'<a href="{name}#sha256={stated}">{name}</a>\n')

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(root))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield put
        server.shutdown()
        thread.join()


def sdist(files: dict[str, bytes], top: str = "vllm-0.26.0") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"{top}/{name}")
            entry.size, entry.mtime = len(content), 1_780_000_000
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def wheel(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 6, 1, 0, 0, 0)), content)
    return packed.getvalue()


VLLM = {
    "vllm/__init__.py": b"",
    "vllm/_C.abi3.so": b"\x7fELF",
    "vllm/logo": b"\x89PNG\0",
    ".gitignore": b"vllm/_version.py\n",
    "vllm/_version.py": b"__version__ = version = '0.26.0'\n",
}


def test_a_source_distribution_becomes_a_repository_with_one_tagged_commit(publish: Publish, tmp_path: Path) -> None:
    publish("vllm-0.26.0.tar.gz", sdist(VLLM))
    publish("vllm-0.26.0-cp38-abi3-manylinux_2_28_x86_64.whl", wheel({"vllm/wrong.py": b""}))
    said: list[str] = []
    tree = fetch_release("vllm==0.26.0", tmp_path / "vllm", progress=said.append)
    with Repo(tree) as repository:
        (commit,) = repository.iter_commits()
        assert (commit.message, commit.author.name, commit.committed_date) == (
            "vllm 0.26.0\n",
            "kmaint",
            1_780_000_000,
        )
        assert [tag.name for tag in repository.tags] == ["0.26.0"]
        assert not repository.is_dirty(untracked_files=True)
        assert repository.git.ls_files().split() == [
            ".gitignore",
            ".kmaint-release.json",
            "vllm/__init__.py",
            "vllm/_version.py",
        ]
        assert open_tree(tree).commit == commit.hexsha
    assert said[-1] == f"{tree}: vllm 0.26.0, one commit"


def test_fetching_twice_gives_the_same_commit_and_a_second_call_changes_nothing(
    publish: Publish, tmp_path: Path
) -> None:
    publish("sglang-0.5.17-cp312-cp312-manylinux_2_34_x86_64.whl", wheel({"sglang/__init__.py": b""}))
    said: list[str] = []
    first = fetch_release("sglang==0.5.17", tmp_path / "one", progress=said.append)
    second = fetch_release("sglang==0.5.17", tmp_path / "two", progress=said.append)
    assert open_tree(first) == open_tree(second)
    assert open_tree(first).version == "0.5.17"
    said.clear()
    fetch_release("sglang==0.5.17", first, progress=said.append)
    assert said == [f"{first}: already there"]


def test_a_wrong_version_is_answered_with_the_nearest(publish: Publish, tmp_path: Path) -> None:
    for version in ("0.24.0", "0.25.1", "0.26.0", "0.27.0"):
        publish(f"vllm-{version}.tar.gz", sdist(VLLM))
    with pytest.raises(UsageError) as caught:
        fetch_release("vllm==0.26.9", tmp_path / "vllm", progress=print)
    assert str(caught.value) == "vllm==0.26.9: no such release; nearest: 0.24.0, 0.25.1, 0.26.0, 0.27.0"


def test_the_newest_release_is_the_last_final_one(publish: Publish) -> None:
    with pytest.raises(MissingError) as caught:
        newest_release("vllm")
    assert str(caught.value) == "vllm: the package index has no final release of it; see PIP_INDEX_URL"
    for version in ("0.9.2", "0.26.0", "0.33.0rc1", "0.4.1"):
        publish(f"vllm-{version}.tar.gz", sdist(VLLM, f"vllm-{version}"))
    assert newest_release("vllm") == "vllm==0.26.0"


def test_what_is_not_what_the_index_says_leaves_nothing_behind(publish: Publish, tmp_path: Path) -> None:
    publish("vllm-0.26.0.tar.gz", sdist(VLLM), sha256="0" * 64)
    with pytest.raises(MissingError) as caught:
        fetch_release("vllm==0.26.0", tmp_path / "vllm", progress=lambda _: None)
    assert str(caught.value) == "vllm-0.26.0.tar.gz: not what the package index says: its sha256 differs; try again"
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_an_archive_that_would_leave_the_tree_is_refused(publish: Publish, tmp_path: Path) -> None:
    publish("vllm-0.26.0.tar.gz", sdist({"../../evil.py": b"x"}))
    with pytest.raises(MissingError) as caught:
        fetch_release("vllm==0.26.0", tmp_path / "vllm", progress=lambda _: None)
    assert str(caught.value) == (
        "the archive holds 'vllm-0.26.0/../../evil.py', which would leave the tree; report it to the package index"
    )


@pytest.mark.parametrize("requirement", ["sglang", "torch==2.11.0", "vllm>=0.26"])
def test_what_is_no_release_of_either_framework_is_refused(requirement: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        fetch_release(requirement, tmp_path / "tree", progress=print)
    assert str(caught.value) == (
        f"{requirement!r} is no release that can be fetched; ask for sglang==VERSION or vllm==VERSION"
    )


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError) as caught:
        fetch_release("vllm==0.26.0", tmp_path, progress=print)
    assert str(caught.value) == f"{tmp_path}: holds something else; name a folder that is not there yet"


def test_an_index_that_does_not_answer_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9")
    with pytest.raises(MissingError) as caught:
        fetch_release("vllm==0.26.0", tmp_path / "vllm", progress=print)
    assert str(caught.value) == (
        "vllm: the package index cannot be read (ConnectionError); see the network and PIP_INDEX_URL"
    )
