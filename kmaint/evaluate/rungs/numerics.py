"""Rung 5: how a candidate's results differ from the original's, and which of the two is nearer to float64."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from kmaint.evaluate.bench import Bench, Done, Failed, Lost, Request, ask, refer
from kmaint.evaluate.rungs.facts import first_line
from kmaint.evaluate.rungs.suite import verdict_of
from kmaint.records.evaluation import Numerics, Rejection, Wrong
from kmaint.records.harness import Harness


def numerics(
    harness: Harness, file: Path, bench: Bench, scratch: Path, *, trusted: bool = False
) -> Numerics | Rejection:
    """Over all workloads, at sizes that this machine can run; or why the candidate is refused.

    `trusted` is the framework's own op, from which nothing is hidden and which may import what it likes.
    """
    on_gpu, folder = bench.device == "cuda", harness.folder.resolve()
    request = Request(
        command="numerics",
        shared={
            "folder": str(folder),
            "entry": harness.entry,
            "device": "cuda" if on_gpu else "cpu",
            "oracle": harness.oracle,
            "seed": secrets.randbits(30),
            "call_limit_s": bench.limits_s["call"],
            "exempt": sorted(bench.exempt(harness)),
            "trusted": trusted,
        },
        items=refer([file]),
        limit_s=bench.limits_s["numerics"],
        harness=folder,
        gpu=on_gpu,
        interpret=not on_gpu,
    )
    (answer,) = ask(bench, request, scratch)
    match answer:
        case Done(value={"lost": code, "text": text}):
            return verdict_of(code, text, "")
        case Done(value=value):
            return _judged(value)
        case Failed(type=kind, text=text, log=log):
            return Wrong(reason=f"{kind}: {first_line(text)}", codes=("exception",), log=log)
        case Lost(code=code, text=text, log=log):
            return verdict_of(code, text, log)


def _judged(value: dict[str, Any]) -> Numerics | Rejection:
    """The record, or why it is refused: another result, or one farther from the truth than the original's."""
    differences = value.pop("differences")
    if not differences:
        return Numerics(**{**value, "not_judged": tuple(value["not_judged"])})
    log = "\n".join(f"[{found['code']}] {found['text']}" for found in differences)
    return verdict_of(differences[0]["code"], differences[0]["text"], log)
