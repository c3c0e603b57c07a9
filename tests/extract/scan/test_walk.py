"""What a maintainer's folder may hold besides sources: `kmaint scan` reports it, and neither fails nor hangs."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

WriteTree = Callable[[dict[str, str]], Path]

KERNEL = "import triton\n\n@triton.jit\ndef good(x):\n    pass\n\ndef host(x):\n    good[(1,)](x)\n"
CUDA = "__global__ void good_cuda(int* x) {}\nvoid host() { good_cuda<<<1, 2>>>(0); }\n"
SUFFIXES = (".py", ".cu", ".cuh", ".hip", ".h", ".hpp", ".cpp", ".cc", ".inl")
JUNK = random.Random(1).randbytes(20_000)


def scan(tree: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    ended = subprocess.run(
        [sys.executable, "-m", "kmaint", "scan", str(tree), *options],
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "120", **environment},
        capture_output=True,
        text=True,
        errors="surrogateescape",  # a file name need not be UTF-8
        check=False,
        timeout=120,
    )
    assert "Traceback" not in ended.stderr + ended.stdout
    return ended


def found(tree: Path, **environment: str) -> tuple[set[str], dict[str, str]]:
    """Names of the kernels, and the problems by path, of a scan that ends well."""
    ended = scan(tree, "--format", "json", **environment)
    assert ended.returncode == 0, ended.stderr
    listed = json.loads(ended.stdout)
    return (
        {kernel["name"] for kernel in listed["kernels"]},
        {problem["path"]: problem["reason"] for problem in listed["problems"]},
    )


@pytest.fixture
def tree(write_tree: WriteTree) -> Path:
    return write_tree({"vllm/good.py": KERNEL, "csrc/good.cu": CUDA})


def test_junk_under_every_suffix_is_a_problem_only_where_it_should_be_python(tree: Path) -> None:
    for suffix in SUFFIXES:
        (tree / f"vllm/junk{suffix}").write_bytes(JUNK + b" import triton @triton.jit __global__ <<< ")
        (tree / f"vllm/latin{suffix}").write_bytes(b"# caf\xe9\nimport triton\n__global__ void f() {}\n")
    (tree / "vllm/bom.py").write_bytes(b"\xef\xbb\xbf" + KERNEL.replace("good", "marked").encode())
    (tree / "vllm/newer.py").write_text(
        "import triton\n@triton.jit\ndef newer(x):\n    pass\n\nselect x in y:\n    '\n"
    )
    (tree / "vllm/empty.py").write_bytes(b"")
    names, problems = found(tree)
    assert names >= {"good", "good_cuda", "marked", "newer"}
    assert set(problems) == {"vllm/junk.py", "vllm/latin.py", "vllm/newer.py"}
    assert all(reason.startswith("not Python: ") for reason in problems.values())


def test_what_is_no_file_or_too_large_is_reported_and_never_waited_for(tree: Path) -> None:
    with (tree / "vllm/huge.py").open("wb") as file:
        file.truncate(100 << 20)
    with (tree / "csrc/huge.cu").open("wb") as file:
        file.truncate(100 << 20)
    os.mkfifo(tree / "vllm/pipe.py")
    (tree / "vllm/dangling.py").symlink_to("nowhere.py")
    (tree / "vllm/loop.py").symlink_to("loop.py")
    (tree / "vllm/up").symlink_to(tree, target_is_directory=True)
    (tree / "vllm/folder.py").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(tree / "vllm/socket.py"))
        names, problems = found(tree)
    assert names == {"good", "good_cuda"}
    assert problems == {
        "csrc/huge.cu": "larger than 8 MB, so not read",
        "vllm/dangling.py": "No such file or directory",
        "vllm/huge.py": "larger than 8 MB, so not read",
        "vllm/loop.py": "Too many levels of symbolic links",
        "vllm/pipe.py": "no regular file, so not read",
        "vllm/socket.py": "No such device or address",
    }


def test_repositories_and_environments_inside_the_tree_are_not_its_sources(tree: Path) -> None:
    for folder in (".git", ".venv", "env", "node_modules", "vllm/__pycache__", "lib/site-packages"):
        (tree / folder).mkdir(parents=True)
        (tree / folder / "other.py").write_text(KERNEL.replace("good", "other"))
    (tree / "env/pyvenv.cfg").write_text("home = /usr/bin\n")
    assert found(tree) == ({"good", "good_cuda"}, {})


@pytest.mark.parametrize("git", ["a file of junk", "a folder without a head"])
def test_a_broken_repository_says_no_commit(git: str, tree: Path) -> None:
    if git == "a file of junk":
        (tree / ".git").write_bytes(JUNK)
    else:
        (tree / ".git/objects").mkdir(parents=True)
        (tree / ".git/refs").mkdir()
        (tree / ".git/HEAD").write_text("nonsense\n")
    assert found(tree) == ({"good", "good_cuda"}, {})


def test_names_that_are_no_text_and_folders_without_end_are_listed(tree: Path) -> None:
    (tree / "vllm/good.py").rename(Path(os.fsdecode(os.fsencode(tree) + b"/vllm/caf\xe9\n.py")))
    with deep_folder(tree):
        for output in ("json", "table"):
            ended = scan(tree, "--format", output)
            assert ended.returncode == 0, ended.stderr
            assert "good_cuda" in ended.stdout


@contextmanager
def deep_folder(tree: Path) -> Iterator[None]:
    """Deeper than Python recurses: also than pytest can remove, so it is gone afterwards."""
    inner = os.open(tree, os.O_RDONLY)
    for _ in range(1_050):
        outer = inner
        os.mkdir("d", dir_fd=outer)
        inner = os.open("d", os.O_RDONLY, dir_fd=outer)
        os.close(outer)
    os.close(inner)
    try:
        yield
    finally:
        subprocess.run(["rm", "-rf", str(tree / "d")], check=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_reported(tree: Path) -> None:
    (tree / "vllm/secret.py").write_text(KERNEL)
    (tree / "vllm/secret.py").chmod(0)
    (tree / "closed").mkdir(mode=0)
    try:
        names, problems = found(tree)
    finally:
        (tree / "closed").chmod(0o700)
    assert names == {"good", "good_cuda"}
    assert problems == {"closed": "Permission denied", "vllm/secret.py": "Permission denied"}


def test_a_tree_and_a_cache_that_nobody_may_write(tree: Path) -> None:
    for folder in (tree / "vllm", tree / "csrc", tree):
        folder.chmod(0o500)
    try:
        assert found(tree, XDG_CACHE_HOME="/dev/null/cache") == ({"good", "good_cuda"}, {})
        assert found(tree, XDG_CACHE_HOME="/dev/null/cache") == ({"good", "good_cuda"}, {})
    finally:
        for folder in (tree, tree / "vllm", tree / "csrc"):
            folder.chmod(0o700)


def test_files_that_come_and_go_during_a_scan(tree: Path) -> None:
    """Some vanish before they are read: each is then a problem, and all others are found."""
    for index in range(300):
        (tree / f"vllm/many_{index}.py").write_text(KERNEL.replace("good", f"many_{index}"))
        (tree / f"csrc/many_{index}.cu").write_text(CUDA.replace("good", f"many_{index}"))
    ended = threading.Event()

    def change() -> None:
        index = 0
        while not ended.wait(0.0005):
            (tree / f"vllm/many_{index % 300}.py").unlink(missing_ok=True)
            (tree / f"csrc/many_{index % 300}.cu").write_bytes(JUNK[: index % 9_000])
            (tree / f"vllm/late_{index}.py").write_text(KERNEL)
            index += 1

    changing = threading.Thread(target=change)
    changing.start()
    try:
        names, problems = found(tree)
    finally:
        ended.set()
        changing.join()
    assert names >= {"good", "good_cuda"}
    assert set(problems.values()) <= {"No such file or directory"}


@pytest.mark.parametrize("what", ["no such folder", "a file", "an empty folder", "a loop"])
def test_what_is_no_tree_is_refused_in_one_line(what: str, tmp_path: Path) -> None:
    place = tmp_path / "place"
    if what == "a file":
        place.write_text(KERNEL)
    elif what == "an empty folder":
        place.mkdir()
    elif what == "a loop":
        place.symlink_to(place)
    ended = scan(place)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "not a tree of SGLang or vLLM" in ended.stderr
