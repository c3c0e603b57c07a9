"""Asks worker.py for what has to run in the target's interpreter: one answer for each item."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kmaint.child import Finished, run_child
from kmaint.errors import InternalError
from kmaint.evaluate.bench.bench import Bench
from kmaint.evaluate.bench.kernels import copy_kernels
from kmaint.evaluate.bench.running import Measuring, Reply
from kmaint.evaluate.bench.surroundings import CACHE, FEW_QUEUES, environment_of, subjects
from kmaint.evaluate.workers.turns import Turns
from kmaint.forking.programs import Program
from kmaint.forking.stem import run_with_torch
from kmaint.records.evaluation import Code

WORKER = Path(__file__).parents[1] / "worker.py"

Command = Literal["survey", "compile", "build", "numerics", "probe", "time", "verify", "screen", "hear"]

EVENTS: Mapping[str, Mapping[str, type]] = {
    "started": {"item": int},
    "asks": {"value": dict},
    "done": {"value": dict},
    "failed": {"type": str, "text": str, "log": str},
}
"""What a worker's line may be, and what has to stand in it: measured code may have written it."""

MOST_WAITING_S = 1800.0
"""How long a worker may stand still because others have the GPU, beside its own limit."""

START_S = 120.0
"""Seconds a worker may take beyond its items: to import torch on a cold disk and to make a CUDA context."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a command gave for an item."""

    value: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Failed:
    """The measured code raised: the exception's type and text, and the traceback."""

    type: str
    text: str
    log: str


@dataclass(frozen=True, kw_only=True)
class Lost:
    """The process ended before it answered for this item."""

    code: Code
    text: str
    log: str


Answer = Done | Failed | Lost


@dataclass(frozen=True, kw_only=True)
class Request:
    """A worker's command; `limit_s` is for each item. `harness` is the folder whose runtime the worker imports.

    `reply` answers what the worker asks on its way through an item, the moment it asks; the limit is then for each step
    from an answer to its next question, and for `parts` times as long in all.
    """

    command: Command
    shared: dict[str, Any]
    items: tuple[dict[str, Any], ...]
    limit_s: float
    harness: Path | None = None
    gpu: bool = False
    interpret: bool = False
    reply: Reply | None = None
    parts: int = 1


def ask(bench: Bench, request: Request, scratch: Path) -> list[Answer]:
    """One answer for each item, whatever becomes of the others: a process that ends is replaced for the rest."""
    environment = {
        **environment_of(request.harness, scratch, gpu=request.gpu, interpret=request.interpret, only=bench.gpu),
        **(FEW_QUEUES if request.gpu and request.command != "time" else {}),
        **candidates_start(bench, interpret=request.interpret),
    }
    answers: list[Answer] = []
    while len(answers) < len(request.items):
        rest = Request(**{**vars(request), "items": request.items[len(answers) :]})
        with subjects() as places:
            found, finished = _ask_once(bench, rest, {**environment, **places}, scratch)
        if not found:
            raise InternalError(
                f"the {request.command} worker ended before its first item: {last_line(finished.stderr)}",
                "run it again, and report it with the harness if it stays",
            )
        answers += found
    return answers


def ask_alone(
    python: Path, request: Request, environment: Mapping[str, str], scratch: Path
) -> tuple[list[Answer], Finished]:
    """The answers of an interpreter that no bench is open on yet, and how that ended.

    In a process of its own where there may be a GPU: whether a fork would see it is not known yet.
    """
    run = run_child if shutil.which("nvidia-smi") and request.gpu else run_with_torch
    limit_s, given = _limit_s(request), _message(request, None)
    finished = run([python, WORKER], timeout_s=limit_s, env=environment, cwd=scratch, stdin=given)
    return _read(finished, request), finished


def _ask_once(
    bench: Bench, request: Request, environment: Mapping[str, str], scratch: Path
) -> tuple[list[Answer], Finished]:
    program, limit_s = Program(argv=[WORKER], env=environment, cwd=scratch), _limit_s(request)
    if request.command in ("time", "screen") and bench.originals:
        copy_kernels(bench.originals, scratch / CACHE)
    given = _message(request, bench)
    if request.reply is None:
        waiting_s = MOST_WAITING_S if request.gpu else 0.0
        finished = bench.run(request.harness, program, timeout_s=limit_s + waiting_s, stdin=given)
    else:
        with Measuring(Turns(bench.turns if request.gpu else None), request.reply, bench.stop) as measuring:
            hear = _hearing(given, measuring)
            finished = bench.talk(request.harness, program, hear, timeout_s=limit_s + MOST_WAITING_S)
    return _read(finished, request), finished


def _limit_s(request: Request) -> float:
    return START_S + request.limit_s * len(request.items) * request.parts


def _message(request: Request, bench: Bench | None) -> str:
    """What the worker is given: where it takes its turns, and where the originals' kernels are kept, among it."""
    on_gpu = bench is not None and request.gpu
    return json.dumps(
        {
            "command": request.command,
            "shared": request.shared,
            "items": request.items,
            "item_limit_s": request.limit_s,
            "turns": str(bench.turns) if bench and on_gpu and bench.turns else None,
            "originals": str(bench.originals) if bench and on_gpu and bench.originals else None,
        }
    )


def _hearing(given: str, reply: Reply) -> Callable[[str], str | None]:
    """The request first; then an answer to each line that asks for one."""

    def hear(line: str) -> str | None:
        if not line:
            return given
        said = _said(line)
        return json.dumps(reply(said["value"])) if said and said["event"] == "asks" else None

    return hear


def _read(finished: Finished, request: Request) -> list[Answer]:
    """At most one answer for each item, whatever measured code wrote among them."""
    answers: list[Answer] = []
    started = -1
    for line in finished.stdout.splitlines():
        said = _said(line)
        if said is None:  # measured code in this process found the way to where the answers go
            text = f"writes {line[:80]!r} among the answers"
            return [*answers, Lost(code="spoofed_result", text=text, log=finished.stderr)]
        if len(answers) == len(request.items):
            text = "answers more often than it was asked"
            return [*answers[:-1], Lost(code="spoofed_result", text=text, log=finished.stderr)]
        if said["event"] == "started":
            started = said["item"]
        elif said["event"] == "done":
            answers.append(Done(value=said["value"]))
        elif said["event"] == "failed":
            answers.append(Failed(type=said["type"], text=said["text"], log=said["log"]))
    if started == len(answers):
        answers.append(_lost(finished, request.limit_s))
    return answers


def _said(line: str) -> dict[str, Any] | None:
    """What a line of the worker says; None where it is none of its lines."""
    try:
        said = json.loads(line)
    except ValueError:
        return None
    if not isinstance(said, dict) or said.get("event") not in EVENTS:
        return None
    if not all(isinstance(said.get(name), kind) for name, kind in EVENTS[said["event"]].items()):
        return None
    return said if said["event"] != "asks" or isinstance(said["value"].get("ask"), str) else None


def _lost(finished: Finished, limit_s: float) -> Lost:
    # faulthandler's dump is how the worker ends itself when an item overruns.
    if finished.timed_out or "Timeout (" in finished.stderr:
        return Lost(code="timeout", text=f"no answer within {limit_s:.0f} s", log=finished.stderr)
    if finished.signal:
        return Lost(code="signal", text=f"its process was ended by {finished.signal}", log=finished.stderr)
    return Lost(code="exit", text=f"its process ended with exit status {finished.code}", log=finished.stderr)


def last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no output"


def candidates_start(bench: Bench, *, interpret: bool) -> dict[str, str]:
    """The variables by which whoever starts a candidate's process learns how: behind which walls, and forked of whom.

    Nothing can be forked into bubblewrap: it has to start what it surrounds.
    """
    told = {"KMAINT_SANDBOX": json.dumps(bench.walls.prefix)} if bench.walls.prefix else {}
    if (
        bench.warm is not None
        and bench.walls.level != "bubblewrap"
        and (forks := bench.warm.bare(interpreted=interpret))
    ):
        told["KMAINT_FORKS"] = json.dumps(dict(forks))
    return told


def refer(items: Sequence[Path]) -> tuple[dict[str, Any], ...]:
    """Items of a command that takes files."""
    return tuple({"path": str(path)} for path in items)
