"""Rung 3: whether a candidate computes its results at every call, and nothing else; with one that must be refused."""

from __future__ import annotations

import ast
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast, get_args

from kmaint import wire
from kmaint.errors import HarnessError, InternalError
from kmaint.evaluate.bench import Bench, Done, Failed, Lost, Request, ask, with_more
from kmaint.evaluate.bench.laying import SOURCES
from kmaint.evaluate.rungs.facts import as_candidate
from kmaint.evaluate.rungs.suite import verdict_of
from kmaint.records.evaluation import DISHONEST, Code, Rejection
from kmaint.records.harness import Harness

MOST_CONSTANT = 1 << 17
NUMBER = re.compile(r"(?<![\w.])(?P<digits>0[xX][0-9a-fA-F]+|[1-9][0-9]*)[uUlL]*(?![\w.])")

REPEATS = """

_kmaint_first = {{}}
_kmaint_original = {entry}


def {entry}(*args, **kwargs):
    shapes = tuple(getattr(value, "shape", None) for value in [*args, *kwargs.values()])
    if shapes not in _kmaint_first:
        _kmaint_first[shapes] = _kmaint_original(*args, **kwargs)
    return _kmaint_first[shapes]
"""
"""Added to the original: a candidate that computes once for each shape and gives the same result ever after."""


def probe(harness: Harness, file: Path, bench: Bench, scratch: Path) -> tuple[Rejection | None, str]:
    """Why the candidate is refused, if it is. InternalError where one that repeats its first result is not.

    What the original does as well, in a process like a candidate's, is nobody's fault: it is let pass, and said.
    """
    while True:
        rejection, said = _probed(harness, file, bench, scratch)
        if rejection is None or not (same := _also_the_original(harness, rejection, bench, scratch)):
            return rejection, said
        if same not in DISHONEST or same in bench.exempt(harness):
            return None, f"not judged: the original itself is refused here: {rejection.reason}"
        bench.exempt(harness).add(same)


def _also_the_original(harness: Harness, rejection: Rejection, bench: Bench, scratch: Path) -> str:
    """The code of the rejection where the original earns the same; empty where it does not. Asked once for a state."""
    kernel = as_candidate(harness, bench, scratch)
    mark = f"probe of {kernel} {wire.digest(kernel.read_text())} {sorted(bench.exempt(harness))}"
    if mark not in bench.known:
        item = {"path": str(kernel), "constants": [], "control": False}
        (answer,) = ask(bench, _request(harness, bench, (item,)), scratch)
        own = _rejection(harness, answer)
        bench.known[mark] = own.codes if own else ()
    return next((code for code in rejection.codes if code in bench.known[mark]), "")


def _probed(harness: Harness, file: Path, bench: Bench, scratch: Path) -> tuple[Rejection | None, str]:
    control = scratch / "control.py"
    with_more(as_candidate(harness, bench, scratch), REPEATS.format(entry=harness.entry), control)
    items = (
        {"path": str(file), "constants": _own_constants(harness, file), "control": False},
        {"path": str(control), "constants": [], "control": True},
    )
    answers = ask(bench, _request(harness, bench, items), scratch)
    if rejection := _rejection(harness, answers[0]):
        return rejection, ""
    if _rejection(harness, answers[1]) is None:
        raise InternalError(
            f"{harness.folder}: [control_accepted] a kernel that repeats its first result is accepted, so no word on"
            " honesty is worth anything",
            "report it with the harness",
        )
    return None, "a kernel that repeats its first result was refused"


def _request(harness: Harness, bench: Bench, items: tuple[dict[str, Any], ...]) -> Request:
    on_gpu, folder = bench.device == "cuda", harness.folder.resolve()
    return Request(
        command="probe",
        shared={
            "folder": str(folder),
            "entry": harness.entry,
            "device": "cuda" if on_gpu else "cpu",
            "oracle": harness.oracle,
            "seed": secrets.randbits(30),
            "call_limit_s": bench.limits_s["call"],
            "kernels": harness.compute == "kernel",
            "exempt": sorted(bench.exempt(harness)),
        },
        items=items,
        limit_s=bench.limits_s["numerics"],
        harness=folder,
        gpu=on_gpu,
        interpret=not on_gpu,
    )


def _rejection(harness: Harness, answer: Done | Failed | Lost) -> Rejection | None:
    match answer:
        case Done(value=value):
            known = value["code"] if value["code"] in get_args(Code) else "mismatch"
            return verdict_of(cast("Code", known), value["text"], "") if value["code"] else None
        case Failed(type=kind, text=text):
            raise HarnessError(f"{harness.folder}: cannot be probed: {kind}: {text}", "extract it again")
        case Lost(code=code, text=text, log=log):
            return verdict_of(code, text, log)


def _own_constants(harness: Harness, file: Path) -> list[int]:
    if harness.language == "triton":
        return constants(harness.replaced.read_text(), file.read_text())
    source = file.with_suffix(SOURCES) / harness.replaced.name
    return constants(harness.replaced.read_text(), source.read_text(), numbers=numbers_of_c)


def numbers_of_python(text: str) -> set[int]:
    """Its whole numbers."""
    found = {node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)}
    return {value for value in found if type(value) is int}


def numbers_of_c(text: str) -> set[int]:
    """Its whole numbers, those in comments too: one too many costs a call."""
    return {int(found["digits"], 0) for found in NUMBER.finditer(text)}


def constants(original: str, source: str, *, numbers: Callable[[str], set[int]] = numbers_of_python) -> list[int]:
    """Whole numbers of the candidate's source that the original's has not: where it may turn to another path."""
    own = numbers(source) - numbers(original)
    return sorted((value for value in own if 1 < value <= MOST_CONSTANT), reverse=True)
