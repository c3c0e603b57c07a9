"""The provider that has a coding agent's program edit kernel.py in a walled folder, and reads that file back."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from kmaint import wire
from kmaint.agent.dialogue import Dialogue
from kmaint.agent.models import InvalidAnswer
from kmaint.agent.proposal import Proposal, Request
from kmaint.agent.task import TASK, accepted, as_prompt, files_of, plan_of_edit, role_of
from kmaint.child import Finished, clean_environment, run_child
from kmaint.config import Config
from kmaint.errors import MissingError, UsageError
from kmaint.records.exchange import Exchange, Usage
from kmaint.sandbox import Level, Sandbox, workspace_walls

WORKSPACE = "{workspace}"
"""In the words of the command: the folder, for programs that want to be told."""

SCRATCH = ".tmp"

MOST_BYTES = 1 << 20

PASSED_ON = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "XDG_CONFIG_HOME", "USER")
KEYS = ("_API_KEY", "_BASE_URL")
"""Ends of the names of what an agent needs to reach its model; other secrets of ours are none of its business."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """One run of the program a turn; the prompt is on its standard input, and what it writes elsewhere is refused."""

    name: ClassVar[str] = "command"
    repairs: ClassVar[bool] = True
    plans: ClassVar[bool] = False
    words: tuple[str, ...]
    dialogue: Dialogue
    timeout_s: float
    walls: Sandbox

    @property
    def program(self) -> str:
        """As it stands in each exchange."""
        return Path(self.words[0]).name

    def propose(self, request: Request) -> Proposal | None:
        """What the program made of kernel.py; None where that is no candidate, which is written down."""
        files, role = files_of(request), role_of(request)
        source = self.dialogue.answered(role, self.program, as_prompt(files))
        if source is None and not self.dialogue.overspent:
            source = self._run(request, files)
        if source is None:
            return None
        return Proposal(plan=plan_of_edit(request, source, f"as {self.program} left it"), source=source)

    def _run(self, request: Request, files: Mapping[str, str]) -> str | None:
        left_s = self.dialogue.seconds_left
        limit_s = self.timeout_s if left_s is None else min(self.timeout_s, left_s)
        with tempfile.TemporaryDirectory(prefix="kmaint-workspace-") as name:
            folder = Path(name).resolve()
            for file, text in files.items():
                (folder / file).write_text(text)
            (folder / SCRATCH).mkdir()
            words = [word.replace(WORKSPACE, str(folder)) for word in self.words]
            finished = run_child(
                [*self.walls.around(folder, folder), *words],
                timeout_s=limit_s,
                env=_environment(folder),
                cwd=folder,
                stdin=files[TASK],
            )
            source, fault = self._read(request, finished, folder / request.harness.replaced.name, limit_s)
        exchange = Exchange(
            role=role_of(request),
            model=self.program,
            prompt=as_prompt(files),
            answer=source or finished.stdout + finished.stderr,
            usage=Usage(cost_usd=None),
            seconds=finished.seconds,
            candidate=None if source is None else wire.digest(source),
            fault=fault,
            sandbox=self.walls.level,
        )
        self.dialogue.record(exchange)
        if finished.code > 0 and not finished.timed_out:
            raise MissingError(fault, "the run is kept: see that the command works, and give it again")
        return source

    def _read(self, request: Request, finished: Finished, file: Path, limit_s: float) -> tuple[str | None, str]:
        """The candidate that was left behind, or why there is none."""
        if finished.timed_out:
            return None, f"{self.program} was killed: it did not end within {limit_s:.4g} s"
        if finished.code != 0:
            said = (finished.stderr.strip() or finished.stdout.strip()).splitlines()
            how = finished.signal or f"exit status {finished.code}"
            return None, f"{self.program} ended with {how}: {said[-1] if said else 'no output'}"
        try:
            return accepted(request, _text(file)), ""
        except InvalidAnswer as error:
            return None, str(error)


def _text(file: Path) -> str:
    """A plain file of text, no link to one of ours. InvalidAnswer where it is none."""
    if file.is_symlink() or not file.is_file() or file.stat().st_size > MOST_BYTES:
        raise InvalidAnswer(f"{file.name} is no file of at most {MOST_BYTES} bytes any more")
    try:
        return file.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise InvalidAnswer(f"{file.name} is no text: {error}") from error


def _environment(folder: Path) -> dict[str, str]:
    wanted = {name: value for name, value in os.environ.items() if name in PASSED_ON or name.endswith(KEYS)}
    lower = {name.lower(): value for name, value in wanted.items() if name.endswith("_PROXY")}
    return clean_environment({**wanted, **lower, "TMPDIR": str(folder / SCRATCH)})


def open_command(config: Config, dialogue: Dialogue, *, most: Level = "bubblewrap") -> Command:
    """The command of the settings, behind walls no stronger than `most`.

    A program that is not there, or that nothing would keep in its folder, is said so before anything slow.
    """
    if not config.command:
        raise UsageError(
            "provider 'command' needs a command line",
            'set it in kmaint.toml: command = ["PROGRAM", "ARGUMENT", "{workspace}"]',
        )
    program = shutil.which(config.command[0])
    if program is None:
        raise MissingError(f"command: there is no program {config.command[0]!r}", "install it, or give its full path")
    if (walls := workspace_walls(most=most)).level == "none":
        raise MissingError(
            f"command: nothing keeps {config.command[0]!r} in its folder here: {walls.reason}",
            "install bubblewrap, use a kernel with Landlock, or ask it yourself: --provider handoff",
        )
    words = (str(Path(program).absolute()), *config.command[1:])
    return Command(words=words, dialogue=dialogue, timeout_s=60 * config.answer_minutes, walls=walls)
