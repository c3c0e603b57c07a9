"""What a kernel was found to take, by running the original: layouts, types, sizes, and what it turns away."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kmaint import wire
from kmaint.child import clean_environment
from kmaint.folder import KERNEL, harness_digest, write_text
from kmaint.forking.stem import run_with_torch
from kmaint.records.harness import Harness
from kmaint.records.workload import Binding
from testgen import axes
from testgen.reading import boundaries

TRIED = "tried.json"
TRIAL = Path(__file__).with_name("trial.py")
TRY_S = 20.0
"""Processor seconds for which the original is tried; what is then left untried is asked of nobody."""
LIMIT_S = 400.0
"""By the clock, on however busy a machine."""


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What came of running the original on cases out of the ordinary. `base` is the ordinary one, small and quick."""

    of: str = ""
    """Digest of the harness that was tried."""
    base: Mapping[str, Binding] | None = None
    layouts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Arguments that may lie so in memory, together, by layout."""
    values: tuple[str, ...] = ()
    races: bool = False
    """On some case the result depends on the order in which programs run."""
    dtypes: tuple[Mapping[str, str], ...] = ()
    wide: Mapping[str, str] = field(default_factory=dict)
    """Types on which the original itself is nearer to the truth than on those of its contract."""
    refused: tuple[Mapping[str, object], ...] = ()
    """Cases that the launcher turns away with an error of its own."""
    inert: tuple[str, ...] = ()
    """Inputs that make no difference on the ordinary case."""
    sizes: Mapping[str, tuple[Binding, ...]] = field(default_factory=dict)
    """Values of an axis beyond those of the contract, on which the original gives one answer."""
    cut_short: bool = False
    seconds: float = 0.0
    """Of the processor's time that there were: where they did not do, as many would find something else again."""
    reason: str = ""
    """Why nothing was tried; empty where something was."""


NOTHING = Tried()


def try_original(harness: Harness, python: str = sys.executable, *, seconds: float = TRY_S) -> Tried:
    """Run the original under Triton's interpreter on what its contract leaves open, and keep the answers in tried.json.

    What is known of the same harness is not asked again, unless time ran out and there is more of it now: whoever goes
    on where he was killed meets the same suite. Where the original cannot be run that is the answer.
    """
    known = read_tried(harness)
    if known.of and (not known.cut_short or known.seconds >= seconds):
        return known
    asked = {"entry": harness.entry, **_questions(harness), "seconds": seconds}
    finished = run_with_torch(
        [python, TRIAL],
        timeout_s=LIMIT_S,
        env=clean_environment(
            {"TRITON_INTERPRET": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(harness.folder.resolve())}
        ),
        cwd=harness.folder,
        stdin=json.dumps(asked),
    )
    of = harness_digest(harness.folder)
    if finished.code or finished.timed_out:
        last = (finished.stderr.strip().splitlines() or ["no output"])[-1]
        tried = Tried(of=of, reason=f"the original cannot be tried here: {last}")
    else:
        tried = wire.load(Tried, {**json.loads(finished.stdout), "of": of, "seconds": seconds})
        if tried.base is None:
            tried = Tried(of=of, reason="the original runs on no small case under the interpreter")
    write_text(harness.folder / TRIED, wire.text(tried, indent=1) + "\n")
    return tried


@contextlib.contextmanager
def answers_kept(into: Path) -> Iterator[None]:
    """Harnesses of the folder that are cut anew in the block keep what was found out about them.

    It is believed where they are still what they were.
    """
    known = {path.parent: path.read_text() for path in into.glob(f"*/{TRIED}")}
    yield
    for folder, text in known.items():
        if folder.is_dir() and not (folder / TRIED).exists():
            write_text(folder / TRIED, text)


def read_tried(harness: Harness) -> Tried:
    """What was found out about the harness as it is; nothing where that was another one, or nobody has asked."""
    path = harness.folder / TRIED
    if not path.is_file():
        return NOTHING
    try:
        found = wire.load(Tried, json.loads(path.read_text()))
    except ValueError:
        return NOTHING
    return found if found.of == harness_digest(harness.folder) else NOTHING


def _questions(harness: Harness) -> dict[str, object]:
    contract = harness.contract
    ordinary = [case for case in (axes.ordinary(contract), axes.smallest(contract, {})) if case is not None]
    workloads = [dict(workload.axes) for workload in contract.workloads[:2]]
    source = (harness.folder / KERNEL).read_text()
    return {
        "cases": [*ordinary, *workloads],
        "profiles": axes.PROFILES,
        "bent": axes.broken(contract),
        "sizes": axes.beyond(contract, boundaries(source)),
    }
