"""A framework's source tree: which framework, which release, and which file a module lives in."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from kmaint.errors import UsageError
from kmaint.records.kernel import Release

RELEASE_FILE = ".kmaint-release.json"
"""Written by fetch: an unpacked wheel says nowhere in its sources which release it is."""

PACKAGE_PLACES = {"sglang": ("python/sglang", "sglang"), "vllm": ("vllm",)}
"""Where each framework's package stands in its repository and in what the package index holds."""

FRAMEWORKS = tuple(PACKAGE_PLACES)

VERSION = re.compile(r"""^(?:__version__\s*=\s*)?(?:version\s*=\s*)+['"](?P<version>\d[^'"]*)['"]""", re.MULTILINE)
PLAIN_VERSION = re.compile(r"""^__version__\s*=\s*['"](?P<version>\d[^'"]*)['"]""", re.MULTILINE)
METADATA_VERSION = re.compile(r"^Version: (?P<version>\S+)$", re.MULTILINE)

COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

LICENCES = (
    ("Apache License", "Version 2.0", "Apache-2.0"),
    ("MIT License", "Permission is hereby granted", "MIT"),
    ("Redistribution and use in source and binary forms", "Neither the name", "BSD-3-Clause"),
)


@dataclass(frozen=True, kw_only=True)
class SourceTree:
    """A tree and where its framework's package stands; `package_root` is the folder that would be on sys.path."""

    root: Path
    framework: str
    package_root: Path

    def file_of(self, module: str) -> Path | None:
        """The file that defines a dotted module of the framework, or None where there is none."""
        stem = self.package_root.joinpath(*module.split("."))
        package = stem / "__init__.py"
        plain = stem.with_name(f"{stem.name}.py")
        return next((path for path in (package, plain) if path.is_file()), None)

    def module_of(self, path: Path) -> str:
        """Dotted name of a file, relative to the package root where it is under it, else to the tree."""
        base = self.package_root if path.is_relative_to(self.package_root) else self.root
        parts = path.relative_to(base).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


def locate(path: Path) -> SourceTree:
    """The framework's package in a folder. UsageError where there is none."""
    root = Path(os.path.realpath(path))  # unlike Path.resolve, lets a loop of links be no folder
    for framework, places in PACKAGE_PLACES.items():
        for place in places:
            if (root / place / "__init__.py").is_file():
                return SourceTree(root=root, framework=framework, package_root=(root / place).parent)
    looked = ", ".join(f"{place}/__init__.py" for places in PACKAGE_PLACES.values() for place in places)
    what = "no such folder" if not root.is_dir() else f"holds none of {looked}"
    raise UsageError(
        f"{path}: not a tree of SGLang or vLLM: {what}", "get a released one with 'kmaint fetch sglang==0.5.17 -o DIR'"
    )


def open_tree(path: Path) -> Release:
    """Which release a folder holds. UsageError, with what was looked for, where it holds neither framework."""
    tree = locate(path)
    return Release(
        framework=tree.framework,
        version=_stated_version(tree) or _tagged_version(tree.root),
        commit=_commit(tree.root),
        licence=_licence(tree),
    )


def _commit(root: Path) -> str | None:
    """The commit that a repository stands at, from its files where they say; an enclosing repository says nothing."""
    git = root / ".git"
    head = _text(git / "HEAD")
    if head.startswith("ref: "):
        name = head.removeprefix("ref: ")
        packed = (line.partition(" ") for line in _text(git / "packed-refs").splitlines())
        head = _text(git / name) or next((commit for commit, _, ref in packed if ref == name), "")
    return head if COMMIT.fullmatch(head) else _head(root)[0]


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return ""


def _tagged_version(root: Path) -> str | None:
    commit, tags = _head(root)
    return tags[0].removeprefix("v") if commit and tags else None


def _head(root: Path) -> tuple[str | None, list[str]]:
    """The commit that a repository stands at, and its tags."""
    if not (root / ".git").exists():
        return None, []
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")  # reading needs no git program, which its import asks for
    import git  # a tenth of a second, and a tree that states its version needs none of it

    try:
        head = git.Repo(root).head.commit
    except (git.InvalidGitRepositoryError, ValueError):  # ValueError: a repository without a commit
        return None, []
    return head.hexsha, [tag.name for tag in git.Repo(root).tags if tag.commit == head]


def _stated_version(tree: SourceTree) -> str | None:
    package = tree.package_root / tree.framework
    for path, pattern in (
        (package / "_version.py", VERSION),
        (package / "version.py", PLAIN_VERSION),
        (tree.root / "PKG-INFO", METADATA_VERSION),
        *((path, METADATA_VERSION) for path in sorted(tree.root.glob(f"{tree.framework}-*.dist-info/METADATA"))),
    ):
        if path.is_file() and (found := pattern.search(path.read_text(errors="replace"))):
            return found["version"]
    return _release_file(tree.root)


def _release_file(root: Path) -> str | None:
    path = root / RELEASE_FILE
    return str(json.loads(path.read_text())["version"]) if path.is_file() else None


def _licence(tree: SourceTree) -> str:
    """SPDX identifier of the LICENSE file; a released wheel keeps it beside its metadata."""
    places = [tree.root, tree.package_root, *sorted(tree.root.glob("*.dist-info/licenses"))]
    for path in (place / name for place in places for name in ("LICENSE", "LICENSE.txt", "LICENCE")):
        if path.is_file():
            text = path.read_text(errors="replace")
            return next((spdx for *words, spdx in LICENCES if all(word in text for word in words)), "LicenseRef-other")
    return "NOASSERTION"
