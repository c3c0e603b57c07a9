"""The target interpreter and its GPU: surveyed once, then asked through worker.py."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from kmaint import wire
from kmaint.child import Finished, clean_environment, run_child
from kmaint.errors import InternalError, MissingError
from kmaint.evaluate.kernels import copy_kernels
from kmaint.evaluate.running import Alone, Measuring, Once, Reply, Use, Warm
from kmaint.evaluate.workers.turns import Turns, place_of
from kmaint.forking.programs import Program
from kmaint.records.evaluation import Code, Environment
from kmaint.records.harness import Harness
from kmaint.sandbox import NO_WALLS, Sandbox, sandbox

WORKER = Path(__file__).with_name("worker.py")
CACHE = "triton"
"""Triton's cache, in the scratch folder."""
LIMITS_S: Mapping[str, float] = {
    "survey": 180.0,
    "compile": 120.0,
    "interpreter": 600.0,
    "device": 600.0,
    "numerics": 300.0,
    "time": 60.0,
    "screen": 30.0,
    "call": 60.0,
}
"""Seconds: for the two suites the whole rung, for a worker's command each of its items, and one call of a candidate."""

Command = Literal["survey", "compile", "numerics", "probe", "time", "verify", "screen"]
EVENTS = ("started", "asks", "done", "failed")
"""What a worker's line may be."""
MOST_WAITING_S = 1800.0
"""How long a worker may stand still because others have the GPU, beside its own limit."""
START_S = 120.0
"""Seconds a worker may take beyond its items: to import torch on a cold disk and to make a CUDA context."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """An interpreter with torch and triton, and how long to let measured code run in it.

    `quick` times fewer blocks and skips the confirming run; `progress` is told in words what is under way.
    """

    python: Path
    device: Literal["cuda", "none"]
    environment: Environment
    limits_s: Mapping[str, float] = field(default_factory=lambda: dict(LIMITS_S))
    quick: bool = False
    progress: Callable[[str], None] = lambda _text: None
    trusted: set[str] = field(default_factory=set)
    """Digests of the suites whose controls failed as they must."""
    known: dict[str, Any] = field(default_factory=dict)
    """Compile facts of originals, by digest."""
    once: Once = field(default_factory=Once)
    """Who finds out what `trusted` and `known` hold, where several candidates climb at once."""
    gpu: str | None = None
    """The one GPU to use, as CUDA_VISIBLE_DEVICES names it; None for the first that is visible."""
    warm: Warm | None = None
    originals: Path | None = None
    """Triton's cache of processes that never import a candidate; None for the scratch folder's own."""
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Of torch, in each child."""
    walls: Sandbox = NO_WALLS
    """What stands around a candidate's process."""

    @property
    def turns(self) -> Path | None:
        """Where the turns on its GPU are taken; None without one."""
        return place_of(self.environment.device_uuid or self.gpu or "all") if self.device == "cuda" else None

    def run(self, harness: Path | None, program: Program, *, timeout_s: float, stdin: str = "") -> Finished:
        """Run a program in the target's interpreter, in a fork of a warm one where there is one for the harness."""
        asked = self._with_its_share(program)
        return self._use(harness, program, lambda runner: runner.run(asked, timeout_s=timeout_s, stdin=stdin))

    def talk(
        self, harness: Path | None, program: Program, hear: Callable[[str], str | None], *, timeout_s: float
    ) -> Finished:
        """As `run`, and hear each line of output the moment it comes."""
        asked = self._with_its_share(program)
        return self._use(harness, program, lambda runner: runner.talk(asked, hear, timeout_s=timeout_s))

    def _with_its_share(self, program: Program) -> Program:
        """Of the processor: what needs no GPU yields to what has one, for which others may be waiting."""
        patient = self.device == "cuda" and program.env.get("CUDA_VISIBLE_DEVICES") == ""
        return replace(program, threads=self.threads, patient=patient)

    def _use(self, harness: Path | None, program: Program, use: Use) -> Finished:
        if self.warm is None or harness is None:
            return use(Alone(self.python))
        return self.warm.run(harness, program, use)

    def exempt(self, harness: Harness) -> set[Code]:
        """Codes of what a harness's original does as well, and so no candidate of it is blamed for."""
        found: set[Code] = self.known.setdefault(f"exempt of {harness.folder.resolve()}", set())
        return found


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


def open_bench(
    python: Path | None = None,
    *,
    device: Literal["auto", "cuda", "none"] = "auto",
    limits_s: Mapping[str, float] | None = None,
    quick: bool = False,
    gpu: str | None = None,
    progress: Callable[[str], None] = lambda _text: None,
) -> Bench:
    """Survey the interpreter; "auto" takes a GPU where there is one. MissingError where a package or the GPU is not."""
    python = python or Path(sys.executable)
    progress(f"surveying {python}{f' and GPU {gpu}' if gpu else ''}")
    environment = survey(python, device=device, gpu=gpu)
    if device == "cuda" and environment.device is None:
        raise MissingError(f"{python}: torch {environment.torch} sees no CUDA device", "use --device none")
    walls = sandbox(python, gpu=environment.device is not None)
    return Bench(
        python=python,
        device="none" if environment.device is None else "cuda",
        environment=replace(environment, sandbox=walls.level, sandbox_reason=walls.reason),
        limits_s={**LIMITS_S, **(limits_s or {})},
        quick=quick,
        gpu=gpu,
        progress=progress,
        walls=walls,
    )


def open_benches(
    python: Path | None = None,
    *,
    device: Literal["auto", "cuda", "none"] = "auto",
    progress: Callable[[str], None] = lambda _text: None,
) -> list[Bench]:
    """A bench for each GPU that is visible here, or one without a GPU; they share what is found out of a harness."""
    gpus = [] if device == "none" else visible_gpus()
    first = open_bench(python, device=device, gpu=gpus[0] if len(gpus) > 1 else None, progress=progress)
    if first.device == "none" or len(gpus) < 2:
        return [first]
    others = [(gpu, open_bench(python, device="cuda", gpu=gpu, progress=progress)) for gpu in gpus[1:]]
    return [first, *(replace(first, gpu=gpu, environment=found.environment) for gpu, found in others)]


def visible_gpus() -> list[str]:
    """As CUDA_VISIBLE_DEVICES names them, where it is set; else all that nvidia-smi knows, by UUID."""
    if (named := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [gpu for gpu in named.split(",") if gpu.strip()]
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    asked = run_child([program, "--query-gpu=uuid", "--format=csv,noheader"], timeout_s=60.0)
    return asked.stdout.split() if asked.code == 0 else []


def survey(python: Path, *, device: Literal["auto", "cuda", "none"] = "auto", gpu: str | None = None) -> Environment:
    """What the interpreter and its GPU are. MissingError, with the command that helps, where a package is missing."""
    with tempfile.TemporaryDirectory(prefix="kmaint-survey-") as scratch:
        request = Request(command="survey", shared={}, items=({},), limit_s=LIMITS_S["survey"], gpu=device != "none")
        environment = environment_of(None, Path(scratch), gpu=device != "none", only=gpu)
        program = Program(argv=[WORKER], env=environment, cwd=Path(scratch))
        finished = Alone(python).run(program, timeout_s=_limit_s(request), stdin=_message(request, None))
        answers = _read(finished, request.limit_s)
    answer = answers[0] if answers else None
    if not isinstance(answer, Done):
        why = answer.text if answer else _last_line(finished.stderr)
        raise MissingError(f"{python}: cannot be surveyed: {why}", "give another interpreter with --python")
    found = dict(answer.value)
    if missing := found.pop("missing"):
        raise MissingError(
            f"{python}: no {', '.join(missing)} in it", f"'{python} -m pip install {' '.join(missing)}' adds it"
        )
    return wire.load(Environment, found)


@dataclass(frozen=True, kw_only=True)
class Request:
    """A worker's command; `limit_s` is for each item. `harness` is the folder whose runtime the worker imports.

    `reply` answers what the worker asks on its way through an item, the moment it asks.
    """

    command: Command
    shared: dict[str, Any]
    items: tuple[dict[str, Any], ...]
    limit_s: float
    harness: Path | None = None
    gpu: bool = False
    interpret: bool = False
    reply: Reply | None = None


def ask(bench: Bench, request: Request, scratch: Path) -> list[Answer]:
    """One answer for each item, whatever becomes of the others: a process that ends is replaced for the rest."""
    environment = {
        **environment_of(request.harness, scratch, gpu=request.gpu, interpret=request.interpret, only=bench.gpu),
        **walls_of(bench),
    }
    answers: list[Answer] = []
    while len(answers) < len(request.items):
        rest = Request(**{**vars(request), "items": request.items[len(answers) :]})
        found, finished = _ask_once(bench, rest, environment, scratch)
        if not found:
            raise InternalError(
                f"the {request.command} worker ended before its first item: {_last_line(finished.stderr)}",
                "run it again, and report it with the harness if it stays",
            )
        answers += found
    return answers


def _ask_once(
    bench: Bench, request: Request, environment: Mapping[str, str], scratch: Path
) -> tuple[list[Answer], Finished]:
    program, limit_s = Program(argv=[WORKER], env=environment, cwd=scratch), _limit_s(request)
    if request.command == "time" and bench.originals:
        copy_kernels(bench.originals, scratch / CACHE)
    given = _message(request, bench)
    if request.reply is None:
        waiting_s = MOST_WAITING_S if request.gpu else 0.0
        finished = bench.run(request.harness, program, timeout_s=limit_s + waiting_s, stdin=given)
    else:
        with Measuring(Turns(bench.turns if request.gpu else None), request.reply) as measuring:
            hear = _hearing(given, measuring)
            finished = bench.talk(request.harness, program, hear, timeout_s=limit_s + MOST_WAITING_S)
    return _read(finished, request.limit_s), finished


def _limit_s(request: Request) -> float:
    return START_S + request.limit_s * len(request.items)


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


def _read(finished: Finished, limit_s: float) -> list[Answer]:
    answers: list[Answer] = []
    started = -1
    for line in finished.stdout.splitlines():
        said = _said(line)
        if said is None:  # measured code in this process found the way to where the answers go
            text = f"writes {line[:80]!r} among the answers"
            return [*answers, Lost(code="spoofed_result", text=text, log=finished.stderr)]
        if said["event"] == "started":
            started = said["item"]
        elif said["event"] == "done":
            answers.append(Done(value=said["value"]))
        elif said["event"] == "failed":
            answers.append(Failed(type=said["type"], text=said["text"], log=said["log"]))
    if started == len(answers):
        answers.append(_lost(finished, limit_s))
    return answers


def _said(line: str) -> dict[str, Any] | None:
    """What a line of the worker says; None where it is none of its lines."""
    try:
        said = json.loads(line)
    except ValueError:
        return None
    return said if isinstance(said, dict) and said.get("event") in EVENTS else None


def _lost(finished: Finished, limit_s: float) -> Lost:
    # faulthandler's dump is how the worker ends itself when an item overruns.
    if finished.timed_out or "Timeout (" in finished.stderr:
        return Lost(code="timeout", text=f"no answer within {limit_s:.0f} s", log=finished.stderr)
    if finished.signal:
        return Lost(code="signal", text=f"its process was ended by {finished.signal}", log=finished.stderr)
    return Lost(code="exit", text=f"its process ended with exit status {finished.code}", log=finished.stderr)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no output"


def walls_of(bench: Bench) -> dict[str, str]:
    """The variable by which whoever starts a candidate's process learns of its walls."""
    return {"KMAINT_SANDBOX": json.dumps(bench.walls.prefix)} if bench.walls.prefix else {}


def environment_of(
    harness: Path | None, scratch: Path, *, gpu: bool, interpret: bool = False, only: str | None = None
) -> dict[str, str]:
    """No GPU unless asked for, and `only` the one named then; triton's cache is the scratch folder's own."""
    extra = {"TRITON_CACHE_DIR": str(scratch / CACHE), "PYTHONPATH": str(harness) if harness else ""}
    if only or not gpu:
        extra["CUDA_VISIBLE_DEVICES"] = only if only and gpu else ""
    if interpret:
        extra["TRITON_INTERPRET"] = "1"
    return clean_environment(extra)


@contextlib.contextmanager
def scratch_with(source: str) -> Iterator[tuple[Path, Path]]:
    """A folder that goes when the block ends, and the candidate's file in it."""
    with tempfile.TemporaryDirectory(prefix="kmaint-evaluate-") as name:
        candidate = Path(name) / "candidate.py"
        candidate.write_text(source)
        yield Path(name), candidate


def refer(items: Sequence[Path]) -> tuple[dict[str, Any], ...]:
    """Items of a command that takes files."""
    return tuple({"path": str(path)} for path in items)
