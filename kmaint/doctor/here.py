"""What kmaint's own environment and this machine have: packages, programs, walls, a place to keep runs."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

import kmaint
from kmaint.child import run_child
from kmaint.errors import MissingError
from kmaint.formatting import find_ruff
from kmaint.records.machine import Finding, Standing
from kmaint.sandbox import sandbox

OLDEST_GIT = "2.28"
"""The first whose `init` takes the name of a branch."""
ASKING_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Extra:
    """An optional part of kmaint: the module that shows that it is there."""

    module: str
    used_for: str


EXTRAS: Mapping[str, Extra] = {
    "agents": Extra(module="pydantic_ai", used_for="models that propose candidates"),
    "pr": Extra(module="github", used_for="pull requests on GitHub; patches on disk need none of it"),
    "mcp": Extra(module="mcp", used_for="'kmaint mcp': tools for editors and coding agents"),
    "ray": Extra(module="ray", used_for="judging candidates on a Ray cluster"),
    "rl": Extra(module="gymnasium", used_for="a harness as an environment to train in"),
}


def of_kmaint(state: Path) -> Iterator[Finding]:
    """kmaint itself, its optional parts, and the folder of its runs."""
    where = f"{platform.python_version()}, kmaint {kmaint.__version__}, {sys.prefix}"
    yield Finding(name="python", standing="ok", found=where, used_for="kmaint itself")
    yield _state_folder(state)
    for name, extra in EXTRAS.items():
        there = importlib.util.find_spec(extra.module) is not None
        yield Finding(
            name=f"extra {name}",
            standing="ok" if there else "missing",
            found="installed" if there else f"no {extra.module} beside kmaint",
            used_for=extra.used_for,
            get=f"{sys.executable} -m pip install 'kmaint[{name}]'",
        )


def _state_folder(state: Path) -> Finding:
    """Whether something can be written where runs are kept, or where that folder would be made."""
    place = next(folder for folder in (state.absolute(), *state.absolute().parents) if folder.exists())
    used_for, get = "runs, reports and what a killed command goes on from", "name a folder of your own with --state"
    try:
        with tempfile.NamedTemporaryFile(dir=place):
            pass
    except OSError as error:
        return Finding(name="state folder", standing="missing", found=f"{state}: {error}", used_for=used_for, get=get)
    free = shutil.disk_usage(place).free >> 30
    return Finding(name="state folder", standing="ok", found=f"{state}, {free} GiB free", used_for=used_for)


def of_programs() -> Iterator[Finding]:
    """Programs that kmaint starts by itself, and git's idea of who you are."""
    yield _git()
    yield _git_identity()
    used_for, get = "formatting what is generated and what lands", f"{sys.executable} -m pip install ruff"
    try:
        yield Finding(name="ruff", standing="ok", found=find_ruff(), used_for=used_for)
    except MissingError as error:
        yield Finding(name="ruff", standing="missing", found=error.message, used_for=used_for, get=get)


def _git() -> Finding:
    used_for, get = "fetching releases, branches and patches", "apt-get install git"
    said = _says("git", "--version").split()
    if len(said) < 3:
        return Finding(name="git", standing="missing", found="no git on PATH", used_for=used_for, get=get)
    old = Version(".".join(said[2].split(".")[:2])) < Version(OLDEST_GIT)
    found = f"{said[2]}, and {OLDEST_GIT} is needed" if old else said[2]
    return Finding(name="git", standing="missing" if old else "ok", found=found, used_for=used_for, get=get)


def _git_identity() -> Finding:
    name, email = (
        os.environ.get(f"GIT_AUTHOR_{key.upper()}") or _says("git", "config", f"user.{key}")
        for key in ("name", "email")
    )
    there = bool(name and email)
    return Finding(
        name="git identity",
        standing="ok" if there else "missing",
        found=f"{name} <{email}>" if there else "git knows no name and address: commits are kmaint's own",
        used_for="commits in your name, which projects with a sign-off ask for",
        get="git config --global user.name NAME; git config --global user.email MAIL",
    )


def of_sandbox(python: Path, *, gpu: bool, runs: bool) -> Finding:
    """The walls that stand around a candidate, found out by having something try to get through them."""
    used_for, get = "walls around candidates", "apt-get install bubblewrap"
    if not runs:
        return Finding(
            name="sandbox", standing="limited", found="not tried: the interpreter does not run", used_for=used_for
        )
    walls = sandbox(python, gpu=gpu)
    found = f"{walls.level}; {walls.reason}" if walls.reason else walls.level
    standing: Standing = "limited" if walls.level == "none" else "ok"
    return Finding(name="sandbox", standing=standing, found=found, used_for=used_for, get=get)


def _says(*words: str) -> str:
    """The first line of what a program says; empty where it is not there or fails."""
    if shutil.which(words[0]) is None:
        return ""
    finished = run_child([*words], timeout_s=ASKING_S)
    return next(iter(finished.stdout.strip().splitlines()), "") if finished.code == 0 else ""
