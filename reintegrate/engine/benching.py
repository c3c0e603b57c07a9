"""Rounds of base, patched and base again, each visited twice and in mirrored order, to ratios with intervals.

What else a user wants to see beside them (another argument, one patch alone) takes part in the same rounds.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kmaint.child import run_child
from kmaint.errors import UsageError
from kmaint.records.engine import LEGS, Accuracy, Engaged, EngineBench, Leg, Other, PointResult
from reintegrate.engine.cores import Stolen, shared
from reintegrate.engine.engagement import count_in, engaged, variables
from reintegrate.engine.overlay import (
    Installed,
    Overlay,
    apply,
    differing,
    digest,
    find_installed,
    lay,
    variables_of_engines,
)
from reintegrate.engine.ratios import mean_of
from reintegrate.engine.session import Session
from reintegrate.engine.starting import Engine, Engines, Serving, environment_of, starting
from reintegrate.engine.visiting import Points, likeness, measured, prompts

ACCURACY_S = 7200.0


def bench_engine(runs: Sequence[str], patch_files: Sequence[Path], serving: Serving) -> EngineBench:
    """Measure the patches, one upon another, in the engine that the interpreter serves.

    UsageError where a patch is not for that installation, or where the running engine never comes by it.
    """
    _accuracy_command(serving)  # before anything takes time
    installed = find_installed(serving.python, serving.setup.engine)
    with tempfile.TemporaryDirectory(prefix="kmaint-engine-", ignore_cleanup_errors=True) as folder:
        root = Path(folder).resolve()  # as an engine's own files see it
        base, patched = _sides(installed, root, patch_files)
        files = differing(base, patched)
        digests: dict[Leg, str] = {"base": digest(base), "patched": digest(patched)}
        if not files:
            raise UsageError("the patches change nothing of the installation", "it may hold them already")
        others = tuple(_others(serving, root, base, dict(zip(runs, patch_files, strict=True))))
        with starting(serving, root) as engines:
            counting = _count(serving, engines, root, base, patch_files, files)
            compared = (Engine(name=leg, overlay=patched if leg == "patched" else base) for leg in LEGS)
            begun = {one.name: engines.start(one) for one in (*compared, *others)}
            came = counting()
            sessions = {leg: one() for leg, one in begun.items()}
            engines.settle(cores := shared())
            compares, stolen = likeness(serving, sessions), Stolen(cores)
            facts = {**_facts(serving, sessions, runs, digests), "cores": cores}
            before = _before(serving, facts)

            def so_far(points: Points) -> EngineBench:
                return EngineBench(
                    **facts,
                    files=tuple(files),
                    points=points,
                    speedup=mean_of(points, "patched"),
                    noise=mean_of(points, "again"),
                    engaged=came,
                    likeness=compares,
                    others=tuple(_other(points, one) for one in others),
                    stolen=None if before else stolen.share,
                )

            points = measured(serving, sessions, before, lambda points: serving.keep(so_far(points)))
            found = so_far(points)
        accuracy = (_accuracy(serving, root, "base", base), _accuracy(serving, root, "patched", patched))
        return replace(found, accuracy=tuple(one for one in accuracy if one))


def _facts(
    serving: Serving, sessions: Mapping[Leg, Session], runs: Sequence[str], digests: dict[Leg, str]
) -> dict[str, Any]:
    """What two benchmarks have to share for the points of one to be points of the other."""
    setup = serving.setup
    return {
        "runs": tuple(runs),
        "engine": setup.engine,
        "version": sessions["base"].version,
        "device": sessions["base"].device,
        "model": setup.model,
        "arguments": dict(setup.arguments),
        "digests": digests,
        "logprobs": setup.logprobs,
        "setting": _setting(serving),
    }


def _setting(serving: Serving) -> str:
    told = {"python": str(serving.python), **variables_of_engines(), "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _before(serving: Serving, facts: Mapping[str, Any]) -> Points:
    """The points of an earlier call that was ended in between, where it was of the very same."""
    earlier = serving.earlier
    same = earlier is not None and all(getattr(earlier, name) == value for name, value in facts.items())
    return earlier.points if earlier is not None and same else ()


def _sides(installed: Installed, root: Path, patch_files: Sequence[Path]) -> tuple[Overlay, Overlay]:
    base, patched = lay(installed, root / "base"), lay(installed, root / "patched")
    apply(patched, patch_files)
    return base, patched


def _count(
    serving: Serving,
    engines: Engines,
    root: Path,
    base: Overlay,
    patch_files: Sequence[Path],
    files: list[str],
) -> Callable[[], tuple[Engaged, ...]]:
    """One visit to each point by a copy that counts, which then ends: called, it says how often it came by.

    UsageError where it never did.
    """
    counting = lay(Installed(package=base.package, folder=base.folder, version=""), root / "counting")
    apply(counting, patch_files)
    places = count_in(counting, base, files)
    counts = root / "counts"
    counts.mkdir()
    own = contextlib.ExitStack()
    told = variables(counting, places, counts)
    start = engines.start(Engine(name="counting", overlay=counting, variables=told), closing=own)

    def visited() -> tuple[Engaged, ...]:
        with own:
            session = start()
            serving.progress("counting how often the engine comes by the patch")
            for point in serving.points:
                session.measure(prompts(point, 0), point.tokens)
        came = engaged(counting, places, counts)
        if not any(one.count for one in came):
            raise UsageError(
                f"the engine never comes by {', '.join(one.place for one in came)}",
                "choose a model, points or arguments that do, or leave the patch: it would change nothing here",
            )
        return came

    return visited


def _others(serving: Serving, root: Path, base: Overlay, patches: Mapping[str, Path]) -> Iterator[Engine]:
    """Engines of the base told something else, and one for each run's patch alone, where that was asked for."""
    for name, value in serving.beside:
        yield Engine(name=f"{name}={value}", overlay=base, arguments={name: value})
    for number, (run, patch_file) in enumerate(patches.items() if serving.each else ()):
        alone = lay(Installed(package=base.package, folder=base.folder, version=""), root / f"alone-{number}")
        apply(alone, [patch_file])
        yield Engine(name=f"{run} alone", overlay=alone, run=run)


def _other(points: Sequence[PointResult], engine: Engine) -> Other:
    mean = mean_of(points, engine.name)
    return Other(leg=engine.name, speedup=mean, arguments=dict(engine.arguments), run=engine.run)


def _accuracy(serving: Serving, root: Path, leg: Leg, side: Overlay) -> Accuracy | None:
    """The user's own evaluation with this side's engine on its path; None where none was given."""
    if not serving.accuracy:
        return None
    serving.progress(f"{leg}: {serving.accuracy}")
    words = _accuracy_command(serving)
    ended = run_child(words, timeout_s=ACCURACY_S, env=environment_of(root, leg, side))
    lines = ended.stdout.strip().splitlines()
    return Accuracy(leg=leg, code=ended.code, said=lines[-1] if lines else "")


def _accuracy_command(serving: Serving) -> list[str]:
    """Its words. UsageError where they are none that can be started."""
    try:
        words = shlex.split(serving.accuracy)
    except ValueError as error:
        raise UsageError(f"--accuracy {serving.accuracy!r}: {error}", "quote it as for a shell") from error
    if words and shutil.which(words[0]) is None:
        raise UsageError(f"--accuracy {serving.accuracy!r}: no program {words[0]!r}", "give its full path")
    return words
