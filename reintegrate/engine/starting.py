"""Engines of a comparison on their way up: one after the other, or side by side where none disturbs another."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen  # noqa: TID251 - the type only: kmaint.child starts and ends it

from kmaint.child import kill_group
from kmaint.errors import UsageError
from kmaint.records.engine import LEGS, Point
from reintegrate.engine.overlay import Overlay, environment_for
from reintegrate.engine.session import Session, Setup, open_session

AT_ONCE = frozenset({"kv_cache_memory_bytes"})
"""Arguments with which an engine is told how much memory to take for its cache, and does not measure what is left for
it. Four may then be there at once: the one that counts starts beside the other three, and ends before they measure."""


@dataclass(frozen=True, kw_only=True)
class Serving:
    """How to serve, and what to ask. `exact`: every patch is bit-exact, so the engines must say the very same."""

    python: Path
    setup: Setup
    points: tuple[Point, ...]
    rounds: int = 6
    exact: bool = False
    accuracy: str = ""
    progress: Callable[[str], None] = field(default=lambda _text: None)


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

    def _begun(self, process: Popen[bytes]) -> None:
        self.processes.append(process)
        if self.ended:
            kill_group(process)

    @property
    def at_once(self) -> bool:
        return bool(AT_ONCE & set(self.serving.setup.arguments))

    def start(
        self,
        name: str,
        overlay: Overlay,
        more: Mapping[str, str] | None = None,
        *,
        closing: contextlib.ExitStack | None = None,
    ) -> Callable[[], Session]:
        """What gives the running engine; it ends with `closing`, or with the block."""

        def started() -> Session:
            self.serving.progress(f"starting the engine: {name}")
            engine = _engine(self.serving, self.root, name, overlay, more, self._begun)
            return (closing or self.open_ones).enter_context(engine)

        return self.pool.submit(started).result if self.at_once else started


@contextlib.contextmanager
def starting(serving: Serving, root: Path) -> Iterator[Engines]:
    """Those of the three legs are there all at once, so that visits can take turns."""
    with (
        contextlib.ExitStack() as open_ones,
        ThreadPoolExecutor(len(LEGS) + 1) as pool,
        contextlib.ExitStack() as unless_done,
    ):
        engines = Engines(serving, root, open_ones, pool)
        unless_done.callback(engines.end)  # before the pool, which waits for all that it started
        yield engines
        unless_done.pop_all()


@contextlib.contextmanager
def _engine(
    serving: Serving,
    root: Path,
    name: str,
    overlay: Overlay,
    more: Mapping[str, str] | None,
    begun: Callable[[Popen[bytes]], None],
) -> Iterator[Session]:
    """A running engine that is known to be the overlay. UsageError where its interpreter imports another copy."""
    environment = {**environment_of(root, name, overlay), **(more or {})}
    with open_session(serving.python, serving.setup, environment, name, begun) as session:
        if session.folder != overlay.folder:
            raise UsageError(
                f"the {name} engine is {session.folder}, not the copy of it on PYTHONPATH",
                f"an editable installation may put itself first: install {overlay.package} as a wheel",
            )
        yield session


def environment_of(root: Path, name: str, overlay: Overlay) -> dict[str, str]:
    """The variables of an engine of that name, whose caches lie under the root."""
    scratch = root / f"{name}-caches"
    scratch.mkdir(exist_ok=True)
    return environment_for(overlay, scratch)
