"""Fetch a released source tree from the package index, as a git repository with one commit."""

from __future__ import annotations

import bisect
import datetime
import functools
import json
import os
import re
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from packaging.version import InvalidVersion, Version
from pypi_simple import (
    PYPI_SIMPLE_ENDPOINT,
    DigestMismatchError,
    DistributionPackage,
    NoDigestsError,
    NoSuchProjectError,
    PyPISimple,
)
from requests import RequestException

from extract.tree import PACKAGE_PLACES, RELEASE_FILE
from kmaint.child import clean_environment, run_child
from kmaint.errors import MissingError, UsageError

REQUIREMENT = re.compile(r"(?P<name>[A-Za-z][\w.-]*)==(?P<version>[\w.!+-]+)")
COMPILED = frozenset({".so", ".pyd", ".dll", ".dylib", ".a", ".o", ".cubin", ".fatbin", ".whl", ".pyc"})
BOOKKEEPING = frozenset({"RECORD", "WHEEL", "INSTALLER", "REQUESTED", "entry_points.txt", "top_level.txt"})
MAX_SOURCE_BYTES = 32 << 20
SNIFFED_BYTES = 8192
"""A NUL byte within these marks a file as no source, as git does."""

IDENTITY = {"NAME": "kmaint", "EMAIL": "kmaint@localhost"}
NEIGHBOURS = 3
UNREADABLE = Version("0")
"""Stands for a version that is none, before all others."""


@dataclass(frozen=True)
class _Member:
    """One file of an archive; `stamp` is its modification time as seconds since 1970, UTC."""

    name: str
    size: int
    stamp: int
    open: Callable[[], IO[bytes]]


def fetch_release(requirement: str, into: Path, *, progress: Callable[[str], None]) -> Path:
    """Make `into` the source tree of a release such as `sglang==0.5.17`, as one tagged commit; again changes nothing.

    The index is PIP_INDEX_URL where that is set. UsageError for a wrong version, MissingError where the index cannot be
    read or the archive is not what the index says.
    """
    name, version = _parsed(requirement)
    if _already_there(into, name, version):
        progress(f"{into}: already there")
        return into
    package = _package(name, version)
    into.absolute().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{into.name}-", dir=into.absolute().parent) as scratch:
        archive = Path(scratch, package.filename)
        _download(package, archive, progress)
        tree = Path(scratch, "tree")
        newest = _unpack(archive, tree)
        stated = {
            "framework": name,
            "version": version,
            "archive": package.filename,
            "sha256": package.digests["sha256"],
        }
        (tree / RELEASE_FILE).write_text(json.dumps(stated, indent=1) + "\n")
        _commit(tree, f"{name} {version}", version, newest)
        tree.replace(into)
    progress(f"{into}: {name} {version}, one commit")
    return into


def _parsed(requirement: str) -> tuple[str, str]:
    found = REQUIREMENT.fullmatch(requirement.replace(" ", ""))
    known = " or ".join(f"{name}==VERSION" for name in PACKAGE_PLACES)
    if found is None or found["name"].lower() not in PACKAGE_PLACES:
        raise UsageError(f"{requirement!r} is no release that can be fetched", f"ask for {known}")
    return found["name"].lower(), found["version"]


def _already_there(into: Path, name: str, version: str) -> bool:
    if not into.exists() or (into.is_dir() and not any(into.iterdir())):
        return False
    stated = into / RELEASE_FILE
    held = json.loads(stated.read_text()) if stated.is_file() else {}
    if (held.get("framework"), held.get("version")) == (name, version):
        return True
    what = f"{held['framework']} {held['version']}" if held else "something else"
    raise UsageError(f"{into}: holds {what}", "name a folder that is not there yet")


def newest_release(name: str) -> str:
    """The requirement of a framework's newest final release, to be fetched. MissingError where there is none."""
    offered = {package.version for package in _offered(name) if package.version and not package.is_yanked}
    final = [text for text in offered if _version(text) != UNREADABLE and not _version(text).is_prerelease]
    if not final:
        raise MissingError(f"{name}: the package index has no final release of it", "see PIP_INDEX_URL")
    return f"{name}=={max(final, key=_version)}"


def _package(name: str, version: str) -> DistributionPackage:
    """What the index offers for a release: its source distribution, else a wheel."""
    packages = _offered(name)
    offered = [package for package in packages if package.version == version]
    ranked = sorted((package for package in offered if _rank(package) < len(RANKS)), key=_rank)
    if not ranked:
        near = ", ".join(_nearest(version, {p.version for p in packages if p.version}))
        raise UsageError(f"{name}=={version}: no such release", f"nearest: {near}")
    return ranked[0]


def _offered(name: str) -> list[DistributionPackage]:
    """Everything that the index has of a project."""
    endpoint = os.environ.get("PIP_INDEX_URL") or PYPI_SIMPLE_ENDPOINT
    try:
        with PyPISimple(endpoint) as client:
            return client.get_project_page(name, timeout=60).packages
    except NoSuchProjectError as error:
        raise MissingError(f"{name}: the package index has no such project", "see PIP_INDEX_URL") from error
    except RequestException as error:
        raise MissingError(
            f"{name}: the package index cannot be read ({type(error).__name__})", "see the network and PIP_INDEX_URL"
        ) from error


RANKS = (
    re.compile(r"\.tar\.gz$"),
    re.compile(r"-(cp312-cp312|cp3\d+-abi3|py3-none)-(manylinux\S*x86_64|any)\.whl$"),
    re.compile(r"manylinux\S*x86_64\.whl$"),
    re.compile(r"\.whl$"),
)
"""Which archive of a release is taken, best first."""


def _rank(package: DistributionPackage) -> int:
    return next((rank for rank, pattern in enumerate(RANKS) if pattern.search(package.filename)), len(RANKS))


def _nearest(version: str, known: set[str]) -> list[str]:
    """The releases that stand around a version, in order."""
    ordered = sorted(known, key=_version)
    place = bisect.bisect_left(ordered, _version(version), key=_version)
    return ordered[max(0, place - NEIGHBOURS) : place + NEIGHBOURS]


def _version(text: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion:
        return UNREADABLE


class _Tracker:
    """Tells of a download in megabytes, at every tenth of it."""

    def __init__(self, name: str, size: int | None, progress: Callable[[str], None]) -> None:
        self.name, self.size, self.progress, self.done, self.told = name, size, progress, 0, 0

    def __enter__(self) -> _Tracker:
        return self

    def __exit__(self, *_exception: object) -> None:
        return None

    def update(self, received: int) -> None:
        self.done += received
        step = max((self.size or 0) // 10, 1 << 20)
        if self.done // step > self.told or self.done == self.size:
            self.told = self.done // step
            of = f" of {self.size:,}" if self.size else ""
            self.progress(f"{self.name}: {self.done:,}{of} bytes")


def _download(package: DistributionPackage, archive: Path, progress: Callable[[str], None]) -> None:
    """Fetch and verify; the index must state a sha256."""
    if "sha256" not in package.digests:
        raise MissingError(f"{package.filename}: the package index states no sha256", "use an index that does")
    try:
        with PyPISimple() as client:
            client.download_package(
                package,
                archive,
                timeout=120,
                progress=lambda size: _Tracker(package.filename, size, progress),
            )
    except (DigestMismatchError, NoDigestsError) as error:
        raise MissingError(
            f"{package.filename}: not what the package index says: its sha256 differs", "try again"
        ) from error
    except RequestException as error:
        raise MissingError(f"{package.filename}: download failed ({type(error).__name__})", "try again") from error


def _unpack(archive: Path, tree: Path) -> int:
    """Write the archive's sources; the newest modification time among them, which dates the release."""
    newest = 0
    opener = _tar_members if archive.name.endswith(".tar.gz") else _wheel_members
    tree.mkdir()
    for member in opener(archive):
        inside = _inside(member.name, sdist=opener is _tar_members)
        if inside is None or not _is_source(inside, member):
            continue
        with member.open() as stream:
            content = stream.read()
        if b"\0" in content[:SNIFFED_BYTES]:
            continue
        target = tree / inside
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        newest = max(newest, member.stamp)
    return newest


def _tar_members(archive: Path) -> Iterator[_Member]:
    with tarfile.open(archive) as tar:
        for entry in tar:
            if entry.isfile():
                yield _Member(entry.name, entry.size, int(entry.mtime), functools.partial(_opened, tar, entry))


def _opened(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> IO[bytes]:
    stream = tar.extractfile(entry)
    assert stream is not None  # a regular file
    return stream


def _wheel_members(archive: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as wheel:
        for entry in wheel.infolist():
            if not entry.is_dir():
                stamp = datetime.datetime(*entry.date_time, tzinfo=datetime.UTC)
                yield _Member(
                    entry.filename, entry.file_size, int(stamp.timestamp()), functools.partial(wheel.open, entry)
                )


def _inside(name: str, *, sdist: bool) -> PurePosixPath | None:
    """Where a member goes, a source distribution's own top folder dropped. MissingError where that is outside."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        raise MissingError(f"the archive holds {name!r}, which would leave the tree", "report it to the package index")
    parts = path.parts[1:] if sdist else path.parts
    return PurePosixPath(*parts) if parts and ".git" not in parts else None


def _is_source(path: PurePosixPath, member: _Member) -> bool:
    bookkeeping = path.name in BOOKKEEPING and path.parent.name.endswith(".dist-info")
    compiled = any(suffix in COMPILED for suffix in path.suffixes)
    return not bookkeeping and not compiled and member.size <= MAX_SOURCE_BYTES


def _commit(tree: Path, title: str, tag: str, stamp: int) -> None:
    """One commit whose id depends on the release alone: fixed names, its own date, no settings of the user's."""
    date = f"{stamp} +0000"
    environment = clean_environment(
        {
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in IDENTITY.items()},
            **{f"GIT_{role}_DATE": date for role in ("AUTHOR", "COMMITTER")},
        }
    )
    for words in (
        ["init", "--quiet", "--initial-branch", "main"],
        ["add", "--all", "--force"],  # a release's own .gitignore hides files that it ships
        ["commit", "--quiet", "--message", title],
        ["tag", tag],
    ):
        done = run_child(["git", "-C", tree, *words], timeout_s=300, env=environment)
        if done.code != 0:
            last = (done.stderr.strip().splitlines() or [f"exit status {done.code}"])[-1]
            raise MissingError(f"git {words[0]}: {last}", "kmaint needs git 2.28 or newer")
