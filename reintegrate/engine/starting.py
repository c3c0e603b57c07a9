"""Engines of a comparison on their way up: one after the other, or side by side where none disturbs another."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen  # noqa: TID251 - the type only: kmaint.child starts and ends it

from kmaint.child import kill_group
from kmaint.errors import UsageError
from kmaint.records.engine import EngineBench, Point, Value
from reintegrate.engine.cores import confine
from reintegrate.engine.overlay import Overlay, environment_for
from reintegrate.engine.session import Session, Setup, open_session

AT_ONCE = frozenset({"kv_cache_memory_bytes", "max_total_tokens"})
"""Arguments with which an engine is told how large to make its cache: what is left of the memory decides nothing.

All may then be there at once: the one that counts starts beside the others, and ends before they measure. SGLang takes
the smaller of max_total_tokens and what its mem_fraction_static leaves, so that share has to be large."""
MOST = 32
"""Engines at a time."""


@dataclass(frozen=True, kw_only=True)
class Serving:
    """How to serve, and what to ask. `exact`: every patch is bit-exact, so the engines must say the very same."""

    python: Path
    setup: Setup
    points: tuple[Point, ...]
    rounds: int = 6
    exact: bool = False
    accuracy: str = ""
    beside: tuple[tuple[str, Value], ...] = ()
    """Arguments, by name and value, with each of which alone an engine of the base is measured too."""
    each: bool = False
    """Whether each patch alone is measured too."""
    earlier: EngineBench | None = None
    """What a call that was ended in between had kept: its points are not measured again."""
    keep: Callable[[EngineBench], None] = field(default=lambda _found: None)
    """Has all that is there after each point."""
    progress: Callable[[str], None] = field(default=lambda _text: None)


@dataclass(frozen=True, kw_only=True)
class Engine:
    """One engine of a comparison: the copy it runs, and what it is told beyond what all are told."""

    name: str
    overlay: Overlay
    arguments: Mapping[str, Value] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    run: str = ""
    """Whose patch alone is in the copy, where it is one's."""


@dataclass
class Engines:
    """Starts engines that end with the block: each when it is asked for, or at once where they cannot disturb another.

    An engine that measures how much memory is left while another starts or ends measures wrong.
    """

    serving: Serving
    root: Path
    open_ones: contextlib.ExitStack
    pool: ThreadPoolExecutor
    processes: list[Popen[bytes]] = field(default_factory=list)
    ended: bool = False

    def end(self) -> None:
        """Kill them all, those too that are still loading: nobody waits for them any more."""
        self.ended = True
        for process in list(self.processes):
            kill_group(process)

    def settle(self, cores: Collection[int]) -> None:
        """Keep them to these processors from here on: to load and to compile they may have had all."""
        confine([process.pid for process in self.processes], cores)

    def _begun(self, process: Popen[bytes]) -> None:
        self.processes.append(process)
        if self.ended:
            kill_group(process)

    @property
    def at_once(self) -> bool:
        return bool(AT_ONCE & set(self.serving.setup.arguments))

    def start(self, engine: Engine, *, closing: contextlib.ExitStack | None = None) -> Callable[[], Session]:
        """What gives the running engine; it ends with `closing`, or with the block."""

        def started() -> Session:
            self.serving.progress(f"starting the engine: {engine.name}")
            running = _running(self.serving, self.root, engine, self._begun)
            return (closing or self.open_ones).enter_context(running)

        return self.pool.submit(started).result if self.at_once else started


@contextlib.contextmanager
def starting(serving: Serving, root: Path) -> Iterator[Engines]:
    """Those that are compared are there all at once, so that visits can take turns."""
    with (
        contextlib.ExitStack() as open_ones,
        ThreadPoolExecutor(MOST) as pool,
        contextlib.ExitStack() as unless_done,
    ):
        engines = Engines(serving, root, open_ones, pool)
        unless_done.callback(engines.end)  # before the pool, which waits for all that it started
        yield engines
        unless_done.pop_all()


@contextlib.contextmanager
def _running(serving: Serving, root: Path, engine: Engine, begun: Callable[[Popen[bytes]], None]) -> Iterator[Session]:
    """An engine that is known to be its copy. UsageError where its interpreter imports another one."""
    overlay, own = engine.overlay, {**serving.setup.arguments, **engine.arguments}
    environment = {**environment_of(root, engine.name, overlay), **engine.variables}
    setup = dataclasses.replace(serving.setup, arguments=own)
    with open_session(serving.python, setup, environment, engine.name, begun) as session:
        if session.folder != overlay.folder:
            raise UsageError(
                f"the {engine.name} engine is {session.folder}, not the copy of it on PYTHONPATH",
                f"an editable installation may put itself first: install {overlay.package} as a wheel",
            )
        yield session


def environment_of(root: Path, name: str, overlay: Overlay) -> dict[str, str]:
    """The variables of an engine of that name, whose caches lie under the root."""
    scratch = root / f"{re.sub('[^A-Za-z0-9.]+', '-', name)}-caches"
    scratch.mkdir(exist_ok=True)
    return environment_for(overlay, scratch)
