"""Cuts the campaign's harnesses, writes their suites, and packs what kmaint needs beside them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import extract
import testgen
from benchmarks.campaign.kernels import HOME, ROOT, Entry
from extract.cuda import extract_op, read_ops
from extract.tree import locate
from kmaint import workflow
from kmaint.config import Config
from kmaint.console import Progress
from kmaint.errors import KmaintError, UsageError
from kmaint.folder import read_harness, write_text
from kmaint.records.harness import Extraction
from kmaint.records.kernel import Scan
from testgen.tried import TRIED

PREPARED = HOME / "prepared.json"
HARNESSES, SITE = "harnesses", "site"
PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_28_x86_64")
"""pip takes each for itself, and does not infer the older from the newer."""

LOADER = "apache-tvm-ffi"
"""What SGLang's operators in CUDA C++ are built and loaded with."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What became of an entry: its harness, by folder name, or why there is none that the gate can judge."""

    id: str
    release: str
    harness: str = ""
    state: str
    level: str | None = None
    reason: str = ""


def cut(entries: list[Entry], trees: dict[str, Path], into: Path, config: Config) -> list[Prepared]:
    """Every entry's harness under `into`, one after the other; what is there is kept, what failed tried again."""
    progress = Progress()
    scans = {framework: extract.scan_tree(tree) for framework, tree in trees.items()}
    known = {(one.id, one.release): one for one in read_prepared(into / PREPARED.name)}
    for entry in entries:
        earlier = known.get((entry.id, entry.release))
        if not (earlier and earlier.harness and (into / HARNESSES / earlier.harness).is_dir()):
            progress(entry.id)
            found = _cut(entry, trees[entry.framework], scans[entry.framework], into, config)
            progress(f"{found.state}: {found.harness or found.reason}")
            known[entry.id, entry.release] = found
            write_prepared(into / PREPARED.name, list(known.values()))
    return list(known.values())


def write_suites(into: Path, config: Config) -> None:
    """The suites of those that the gate can judge, once it is known what each takes; those that are there are kept."""
    progress = Progress()
    for one in ready(into):
        folder = into / HARNESSES / one.harness
        if not (folder / TRIED).is_file():
            progress(one.harness)
            workflow.write_tests(read_harness(folder), config, progress)


def _cut(entry: Entry, tree: Path, scan: Scan, into: Path, config: Config) -> Prepared:
    progress = Progress()
    try:
        if entry.language == "cuda":
            ended = cut_operator(entry, tree, scan, into)
            return _said(entry, ended, ended.reason)
        wanted = extract.Wanted(kernel=extract.find_kernel(scan, entry.id), launcher=entry.launcher)
        sources = extract.Sources(tests=True)
        ended = workflow.extract_kernel(
            tree, scan, wanted, into / HARNESSES, config, sources=sources, progress=progress
        )
    except KmaintError as error:
        return Prepared(id=entry.id, release=entry.release, state="stopped", reason=str(error))
    return _said(entry, ended, ended.reason)


def cut_operator(entry: Entry, tree: Path, scan: Scan, into: Path) -> Extraction:
    """An operator in CUDA C++, unbuilt: the compiler that counts is that of the machine with the GPU."""
    place, path = locate(tree), entry.id.partition("::")[0]
    found = [op for op in read_ops(place) if (op.name, op.path) == (entry.launcher, path)]
    if not found:
        raise UsageError(f"{entry.id}: no operator {entry.launcher} in {path}", "name one as launcher")
    kernel = extract.find_kernel(scan, entry.id)
    return extract_op(place, scan.release, found[0], into / HARNESSES, testgen.write_suite, kernel=kernel)


def _said(entry: Entry, ended: Extraction, reason: str) -> Prepared:
    return Prepared(
        id=entry.id,
        release=entry.release,
        harness=ended.folder.name if ended.folder else "",
        state=ended.state,
        level=ended.level,
        reason=" ".join(reason.split()),
    )


def read_prepared(path: Path = PREPARED) -> list[Prepared]:
    """What became of each entry as the file says it; nothing where there is none."""
    return [Prepared(**data) for data in json.loads(path.read_text())] if path.is_file() else []


def write_prepared(path: Path, found: list[Prepared]) -> None:
    write_text(path, json.dumps([vars(one) for one in found], indent=1) + "\n")


def pack(into: Path, python_version: str) -> None:
    """kmaint's dependencies under `into`, for an interpreter that has torch and triton and no network."""
    site = into / SITE
    shutil.rmtree(site, ignore_errors=True)
    platforms = [word for tag in PLATFORMS for word in ("--platform", tag)]
    target = ["--python-version", python_version, "--only-binary", ":all:", *platforms]
    where = ["--target", str(site), "--quiet", "--no-compile"]
    wanted = [*tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"], LOADER]
    subprocess.run([sys.executable, "-m", "pip", "install", *target, *where, *wanted], check=True)


def ready(folder: Path) -> Iterator[Prepared]:
    """Those of a prepared folder that the gate can judge."""
    for one in read_prepared(folder / PREPARED.name):
        if one.state == "ready":
            yield one
