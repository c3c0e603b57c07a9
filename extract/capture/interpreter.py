"""Which Python a command starts, and which framework that one would import."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from extract.tree import PACKAGE_PLACES
from kmaint.child import run_child
from kmaint.errors import MissingError, UsageError

LIMIT_S = 60.0
PYTHON = re.compile(r"^python[0-9.]*$|^pypy[0-9.]*$")
SHEBANG = re.compile(rb"^#! *(?P<program>\S+)(?: +(?P<argument>\S+))?")
TRAMPOLINE = re.compile(rb"^'''exec' +\"?(?P<program>[^\"\n]+?)\"? +\"\$0\"", re.MULTILINE)
"""What pip writes below `#!/bin/sh` where the path is too long, or has a space, for a first line."""

ASK = """\
import importlib.util, json, sys
print(json.dumps([spec.origin for spec in map(importlib.util.find_spec, sys.argv[1:]) if spec]))
"""


def framework_of(command: Sequence[str], *, env: Mapping[str, str] | None = None) -> Path:
    """The tree whose framework the command's interpreter would import.

    UsageError where the interpreter cannot be told or has both, MissingError where it has neither.
    """
    env = os.environ if env is None else env
    python = interpreter_of(command[0], env)
    asked = run_child([python, "-c", ASK, *PACKAGE_PLACES], timeout_s=LIMIT_S, env=env)
    origins = json.loads(asked.stdout) if asked.code == 0 else []
    packages = [Path(origin).parent for origin in origins if origin]
    names = " nor ".join(PACKAGE_PLACES)
    if not packages:
        raise MissingError(f"{python} has neither {names}", "name the tree with --tree, or start another interpreter")
    if len(packages) > 1:
        raise UsageError(f"{python} has both {' and '.join(PACKAGE_PLACES)}", "say which with --tree")
    return _root(packages[0])


def _root(package: Path) -> Path:
    """The folder that holds the package; a checkout's root where the package stands in one."""
    for place in PACKAGE_PLACES[package.name]:
        root = package.parents[len(Path(place).parts) - 1]
        if (root / place).resolve() == package.resolve() and (root / ".git").exists():
            return root
    return package.parent


def interpreter_of(program: str, env: Mapping[str, str]) -> str:
    """The Python that a program is, or that its first line names; UsageError where it is no Python program."""
    found = shutil.which(program, path=env.get("PATH"))
    if found is None:
        raise MissingError(f"cannot start {program!r}: no such program", "give its full path")
    if PYTHON.match(Path(found).name):
        return found
    with Path(found).open("rb") as file:
        start = file.read(4096)
    named = TRAMPOLINE.search(start) or SHEBANG.match(start)
    if named:
        words = [os.fsdecode(word) for word in named.groups() if word]
        if Path(words[0]).name == "env" and len(words) > 1:
            words = [shutil.which(words[1], path=env.get("PATH")) or words[1]]
        if PYTHON.match(Path(words[0]).name):
            return words[0]
    raise UsageError(f"cannot tell which Python {program!r} starts", "name the tree of its framework with --tree")
