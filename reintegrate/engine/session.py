"""One engine of a comparison, in a process of its own for as long as the block lasts.

It stands still while nobody asks it anything. An engine's idle loops would take the processors that another is measured
on: a vLLM worker that is a process of its own looks for work all the time for a second after each step.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen  # noqa: TID251 - the type only: kmaint.child starts and ends it
from typing import IO, Any

from kmaint.child import conversing, kill_group, signal_group
from kmaint.errors import UsageError
from kmaint.records.engine import Sample
from reintegrate.engine.likeness import Said

PROGRAM = Path(__file__).parent / "workers" / "serve.py"
GUARDIAN = PROGRAM.with_name("guardian.py")
START_S = 1800.0
"""For an engine to load a model, compile it and capture its graphs."""
ASK_S = 600.0


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What to serve: the engine by name, a folder with the model, and the engine's own arguments."""

    engine: str
    model: str
    arguments: Mapping[str, str | int | float | bool]
    logprobs: bool = False
    """Whether each token's log-probability is asked for in all that is measured, as a rollout for training does."""


@dataclass(frozen=True)
class Talk:
    """One JSON object a line to a child, and one back within a limit; what else it says is in its log.

    The child and all of its group run while an answer is waited for, and are stopped in between.
    """

    process: Popen[bytes]
    name: str
    log: IO[bytes]

    def ask(self, request: Mapping[str, Any], limit_s: float) -> dict[str, Any]:
        """The child's answer. UsageError with its own words where it answers with an error, or not at all."""
        assert self.process.stdin is not None and self.process.stdout is not None
        ending, started = threading.Timer(limit_s, kill_group, [self.process]), time.monotonic()
        ending.start()
        self._tell(signal.SIGCONT)
        try:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.write(json.dumps(request).encode() + b"\n")
                self.process.stdin.flush()
            line = self.process.stdout.readline()
        finally:
            late = time.monotonic() - started >= limit_s  # the timer itself may not be done with it yet
            ending.cancel()
            self._tell(signal.SIGSTOP)
        whole = line.endswith(b"\n")  # a killed child may leave half of one
        answer: dict[str, Any] = json.loads(line) if whole else {"error": self._silence(late=late, limit_s=limit_s)}
        if "error" in answer:
            raise UsageError(
                f"the {self.name} engine: {answer['error']}", answer.get("log", "").strip() or self._last_words()
            )
        return answer

    def _tell(self, number: signal.Signals) -> None:
        if self.process.poll() is None:  # else its group's number may be another's by now
            signal_group(self.process, number)

    def _silence(self, *, late: bool, limit_s: float) -> str:
        return f"no answer within {limit_s:g} s" if late else "its process ended without an answer"

    def _last_words(self) -> str:
        self.log.seek(0)
        lines = self.log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing; start it by hand with the same arguments"


@dataclass(frozen=True)
class Session:
    """Takes prompts to a running engine. UsageError, with what the engine said last, where it does not answer."""

    talk: Talk
    version: str
    device: str
    folder: Path
    """Of the package that it imported."""

    def measure(self, prompts: Sequence[Sequence[int]], tokens: int, *, waking: int = 0) -> Sample:
        """One timed visit, after `waking` tokens that are not timed; nothing else may use the GPU meanwhile."""
        asked = {"prompts": prompts, "tokens": tokens, "nats": False, "waking": waking}
        return Sample(**self.talk.ask(asked, ASK_S))

    def busy(self, prompts: Sequence[Sequence[int]], tokens: int, *, waking: int) -> float | None:
        """Seconds of the device for each of so many tokens, as its own records have them; None where it has none.

        `waking` tokens go before, so that the prefix cache has the prompts. To be asked for last: an engine that was
        recorded may be slower from then on.
        """
        asked = {"prompts": prompts, "tokens": tokens, "nats": False, "waking": waking, "busy": True}
        found: float | None = self.talk.ask(asked, ASK_S)["busy_s"]
        return found

    def say(self, prompts: Sequence[Sequence[int]], tokens: int) -> list[Said]:
        """What the engine says to each prompt, with log-probabilities."""
        answer = self.talk.ask({"prompts": prompts, "tokens": tokens, "nats": True}, ASK_S)
        return [
            Said(
                tokens=tuple(one["token"] for one in said),
                nats=tuple(one["nats"] for one in said),
                lead_nats=tuple(one["lead"] for one in said),
            )
            for said in answer["said"]
        ]


@contextlib.contextmanager
def open_session(
    python: Path,
    setup: Setup,
    environment: Mapping[str, str],
    name: str,
    begun: Callable[[Popen[bytes]], None] = lambda _process: None,
) -> Iterator[Session]:
    """The engine, once it is ready; it is killed with its whole group when the block ends.

    `begun` is told of its process at once: who kills that need not wait for it to be ready.
    """
    with (
        tempfile.TemporaryFile() as log,
        conversing([python, PROGRAM], env=environment, log=log) as process,
        ended_with_us(process),
    ):
        begun(process)
        talk = Talk(process, name, log)
        told = {"engine": setup.engine, "model": setup.model, "arguments": dict(setup.arguments)}
        ready = talk.ask({**told, "logprobs": setup.logprobs}, limit_s=START_S)
        yield Session(talk, ready["version"], ready["device"], Path(ready["folder"]))


@contextlib.contextmanager
def ended_with_us(process: Popen[bytes]) -> Iterator[None]:
    """However we end: a stopped child does not see its input close, and its guardian is in a group of its own."""
    with conversing([sys.executable, GUARDIAN, str(process.pid)]):
        yield
