"""Answers one line of JSON for each test or benchmark that it is told to read: the calls found in it.

First line in: {"root", "package_root", "launchers", "answers"}. Then {"path", "entry", "limit_s"} each, where an empty
entry stands for all of the file; out: {"calls", "left_out"}.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch

from . import outside, tensors
from .entries import Entry, entries
from .library import Library
from .patching import Monkeypatch
from .statements import Program
from .values import RAISED, Broke, Class, Continued, Ended, Function, Instance, Kernel, Named, Returned, Unknown, Value

MOST_CALLS = 256
"""Different calls of one launcher that one request gives."""


class Notes:
    """The calls that one request finds."""

    def __init__(self) -> None:
        self.calls: dict[str, dict[str, Any]] = {}
        self.left_out: dict[str, int] = {}
        self.kept: list[torch.Tensor] = []
        self.source, self.benchmark = "", False

    def note(self, launcher: str, arguments: dict[str, Value]) -> None:
        """Keep a call, or the reason why it cannot be."""
        made = {name: self.seen(value) for name, value in arguments.items()}
        if missing := next((f"{name}: {why}" for name, value in made.items() if (why := _missing(value))), ""):
            key = f"{launcher}: {missing}"
            self.left_out[key] = self.left_out.get(key, 0) + 1
            return
        _renumber(made)
        key = json.dumps([launcher, made])
        known = self.calls.get(key)
        if known is not None:
            known["count"] += 1
        elif sum(call["launcher"] == launcher for call in self.calls.values()) < MOST_CALLS:
            origin = "framework benchmark" if self.benchmark else "framework test"
            self.calls[key] = {
                "launcher": launcher,
                "arguments": made,
                "count": 1,
                "origin": origin,
                "source": self.source,
            }

    def seen(self, value: Value) -> Any:
        """The value as a call's record has it; {"missing": reason} where it is not known."""
        match value:
            case torch.Tensor():
                return tensors.seen(value, self.kept)
            case torch.dtype():
                return {"dtype": str(value).removeprefix("torch.")}
            case None | bool() | int() | float() | str():
                return value if value == value and value not in (float("inf"), -float("inf")) else {"type": repr(value)}
            case list() | tuple():
                return {"items": [self.seen(one) for one in value]}
            case Unknown():
                return {"missing": value.reason}
            case Named():
                return {"type": value.name}
            case Instance():
                return {"type": value.of.name if value.of else "namespace"}
            case Class() | Function() | Kernel():
                return {"type": type(value).__name__.lower()}
            case _:
                return {"type": f"{type(value).__module__}.{type(value).__qualname__}"}


def _missing(value: Any) -> str:
    match value:
        case {"missing": str(reason)}:
            return reason
        case {"items": list(items)}:
            return next((why for one in items if (why := _missing(one))), "")
        case _:
            return ""


def _renumber(arguments: dict[str, Any]) -> None:
    """Storages by the order in which a call mentions them, so that equal calls are equal."""
    numbers: dict[int, int] = {}

    def visit(value: Any) -> None:
        match value:
            case {"storage": int(storage)}:
                value["storage"] = numbers.setdefault(storage, len(numbers))
            case {"items": list(items)}:
                for one in items:
                    visit(one)
            case _:
                return

    for value in arguments.values():
        visit(value)


def read(
    library: Library, launchers: frozenset[str], answers: dict[str, bool], request: dict[str, Any]
) -> dict[str, Any]:
    """All calls that a file's tests and benchmarks make of the launchers, or one of them where `entry` names it."""
    notes, path, deadline = Notes(), request["path"], time.process_time() + request["limit_s"]
    module = library.at(path)
    if module is None:
        return {"calls": [], "left_out": {f"{path} cannot be read": 1}}
    program = Program(library, launchers, answers, notes.note)
    for entry in entries(program, module, request["entry"]):
        notes.benchmark = entry.benchmark
        for run in entry.runs:
            if time.process_time() > deadline:
                notes.left_out[f"{entry.function.id}: no time left"] = 1
                break
            notes.source = entry.label(run)
            followed = Program(library, launchers, answers, notes.note)
            followed.deadline = deadline
            _run(followed, entry, run, notes)
    return {"calls": list(notes.calls.values()), "left_out": notes.left_out}


def _run(program: Program, entry: Entry, run: dict[str, Value], notes: Notes) -> None:
    torch.manual_seed(0)
    outside.SEEDED.seed(0)
    bound = dict(run)
    for name in entry.function.parameters()[1 if entry.owner else 0 :]:
        if name not in bound and name not in _defaulted(entry.function):
            bound[name] = Unknown(f"fixture {name}")
    first = []
    patch = Monkeypatch(program)
    if "monkeypatch" in bound:
        bound["monkeypatch"] = patch
    try:
        if entry.owner is not None:
            instance = Instance(entry.owner)
            first = [instance]
            for name in ("setUpClass", "setup_class", "setUp", "setup_method"):
                setup = program.attribute(instance, name)
                if isinstance(setup, Function):
                    program.call(setup, [], {})
        program.follow(entry.function, first, bound)
    except Ended as end:
        notes.left_out[f"{entry.function.id}: {end}"] = notes.left_out.get(f"{entry.function.id}: {end}", 0) + 1
    except (Returned, Broke, Continued, RecursionError):
        return
    except RAISED as error:
        key = f"{entry.function.id}: {type(error).__name__}: {error}"
        notes.left_out[key] = notes.left_out.get(key, 0) + 1
    finally:
        patch.undo()


def _defaulted(function: Function) -> set[str]:
    arguments = function.node.args
    names = [one.arg for one in (*arguments.posonlyargs, *arguments.args)]
    found = set(names[len(names) - len(function.defaults) :])
    return found | {one.arg for one in arguments.kwonlyargs}


def main() -> None:
    """Serve until standard input ends."""
    sys.setrecursionlimit(4000)
    torch.set_num_threads(1)
    set_up = json.loads(sys.stdin.readline())
    library = Library(Path(set_up["root"]), Path(set_up["package_root"]))
    launchers = frozenset(set_up["launchers"])
    tensors.warm()
    for line in sys.stdin:
        answer = read(library, launchers, set_up["answers"], json.loads(line))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
