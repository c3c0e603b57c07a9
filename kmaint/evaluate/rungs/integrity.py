"""Rung 3: whether a candidate computes its results at every call, and nothing else; with one that must be refused."""

from __future__ import annotations

import ast
import secrets
from pathlib import Path
from typing import Any, cast, get_args

from kmaint import wire
from kmaint.errors import HarnessError, InternalError
from kmaint.evaluate.bench import Bench, Done, Failed, Lost, Request, ask
from kmaint.evaluate.rungs.suite import verdict_of
from kmaint.folder import KERNEL
from kmaint.records.evaluation import DISHONEST, Code, Rejection
from kmaint.records.harness import Harness

MOST_CONSTANT = 1 << 17

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
    kernel = harness.folder.resolve() / KERNEL
    mark = f"probe of {kernel} {wire.digest(kernel.read_text())} {sorted(bench.exempt(harness))}"
    if mark not in bench.known:
        item = {"path": str(kernel), "constants": [], "control": False}
        (answer,) = ask(bench, _request(harness, bench, (item,)), scratch)
        own = _rejection(harness, answer)
        bench.known[mark] = own.codes if own else ()
    return next((code for code in rejection.codes if code in bench.known[mark]), "")


def _probed(harness: Harness, file: Path, bench: Bench, scratch: Path) -> tuple[Rejection | None, str]:
    original = (harness.folder / KERNEL).read_text()
    control = scratch / "control.py"
    control.write_text(original + REPEATS.format(entry=harness.entry))
    items = (
        {"path": str(file), "constants": constants(original, file.read_text()), "control": False},
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


def constants(original: str, source: str) -> list[int]:
    """Whole numbers of the candidate's source that the original's has not: where it may turn to another path."""

    def numbers(text: str) -> set[int]:
        found = {node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)}
        return {value for value in found if type(value) is int and 1 < value <= MOST_CONSTANT}

    return sorted(numbers(source) - numbers(original), reverse=True)
