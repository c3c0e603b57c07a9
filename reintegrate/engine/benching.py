"""Rounds of base, patched and base again, each visited twice and in mirrored order, to ratios with intervals.

What else a user wants to see beside them (another argument, one patch alone) takes part in the same rounds.
"""

from __future__ import annotations

import contextlib
import random
import shlex
import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from kmaint.child import run_child
from kmaint.errors import UsageError
from kmaint.intervals import geometric_mean, interval
from kmaint.records.engine import (
    LEGS,
    Accuracy,
    Engaged,
    EngineBench,
    Leg,
    Likeness,
    Other,
    Point,
    PointResult,
    Sample,
)
from kmaint.records.evaluation import Interval
from reintegrate.engine.cores import Stolen, shared
from reintegrate.engine.engagement import count_in, engaged, variables
from reintegrate.engine.likeness import Said, alike
from reintegrate.engine.overlay import (
    Installed,
    Overlay,
    apply,
    differing,
    digest,
    find_installed,
    lay,
)
from reintegrate.engine.session import Session
from reintegrate.engine.starting import Engine, Engines, Serving, environment_of, starting

TELLING_TOKENS = 16
"""Tokens of each sequence whose log-probabilities are compared."""
VOCABULARY = 10_000
"""Prompts are random tokens below this: every served model has as many."""
WAKING_TOKENS = 16
"""Decoded before each visit of a decode point: an engine that stood still meanwhile finds its caches cold."""
BUSY_TOKENS = 32
"""Of a visit in which the device's own records are read, once all else is measured."""
WARM_UP_VISITS = 2
"""The first compiles, captures and fills the prefix cache; the second finds it full, and compiles for that."""
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
            likeness, stolen = _likeness(serving, sessions), Stolen(cores)
            points = tuple(_point(serving, sessions, point) for point in serving.points)
            points = tuple(_recorded(serving, sessions, one) for one in points)
            version, device, taken = sessions["base"].version, sessions["base"].device, stolen.share
        accuracy = (_accuracy(serving, root, "base", base), _accuracy(serving, root, "patched", patched))
        return EngineBench(
            runs=tuple(runs),
            engine=serving.setup.engine,
            version=version,
            device=device,
            model=serving.setup.model,
            arguments=dict(serving.setup.arguments),
            files=tuple(files),
            digests=digests,
            points=points,
            speedup=mean_of(points, "patched"),
            noise=mean_of(points, "again"),
            engaged=came,
            likeness=likeness,
            accuracy=tuple(one for one in accuracy if one),
            others=tuple(_other(points, one) for one in others),
            cores=cores,
            stolen=taken,
        )


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
                session.measure(_prompts(point, 0), point.tokens)
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


def _point(serving: Serving, sessions: dict[Leg, Session], point: Point) -> PointResult:
    samples: dict[Leg, list[Sample]] = {leg: [] for leg in sessions}
    waking = WAKING_TOKENS if point.phase == "decode" else 0  # in prefill the prompts are new
    for session in sessions.values():
        for _ in range(WARM_UP_VISITS):
            session.measure(_prompts(point, 0), point.tokens)
    for number, order in enumerate(orders(tuple(sessions), serving.rounds, seed=f"{point.name}")):
        serving.progress(f"{point.name}: round {number // 2 + 1} of {serving.rounds}")
        for leg in order:
            samples[leg].append(sessions[leg].measure(_prompts(point, number + 1), point.tokens, waking=waking))
    found = result(point, {leg: tuple(found) for leg, found in samples.items()})
    ratio = found.speed
    serving.progress(f"{point.name}: {ratio.ratio:.3f}x ({ratio.low:.3f} to {ratio.high:.3f})")
    return found


def _recorded(serving: Serving, sessions: dict[Leg, Session], found: PointResult) -> PointResult:
    """With how long the device was busy for a token, where it decodes: what no host's pace has a part in."""
    if found.point.phase != "decode":
        return found
    serving.progress(f"{found.point.name}: how long the device is busy")
    prompts = _prompts(found.point, 0)
    busy = {leg: session.busy(prompts, BUSY_TOKENS) for leg, session in sessions.items()}
    return replace(found, busy_s={leg: seconds for leg, seconds in busy.items() if seconds is not None})


def orders(legs: Sequence[Leg], rounds: int, *, seed: str) -> Iterator[tuple[Leg, ...]]:
    """Two orders a round, the second the first turned over: what drifts hits every leg alike."""
    draw = random.Random(seed)  # noqa: S311 - seeded so that a run can be repeated
    for _ in range(rounds):
        order = tuple(draw.sample(legs, len(legs)))
        yield order
        yield order[::-1]


def result(point: Point, samples: dict[Leg, tuple[Sample, ...]]) -> PointResult:
    """The two visits of a round are one sample; a ratio pairs the samples of a round."""
    seconds = {leg: _by_round([one.seconds for one in found]) for leg, found in samples.items()}
    first = {leg: _by_round([one.first_s for one in found]) for leg, found in samples.items()}
    token = {leg: _by_round([one.token_s or 0.0 for one in found]) for leg, found in samples.items()}
    known = all(one.token_s for found in samples.values() for one in found)
    compared = token if _measure(point, samples) == "token_s" else seconds
    return PointResult(
        point=point,
        samples=samples,
        throughput=interval(seconds["base"], seconds["patched"]),
        first_token=interval(first["base"], first["patched"]),
        token=interval(token["base"], token["patched"]) if known else None,
        noise=interval(compared["base"], compared["again"]),
        others={leg: interval(compared["base"], found) for leg, found in compared.items() if leg not in LEGS},
    )


def _measure(point: Point, samples: Mapping[Leg, Sequence[Sample]]) -> str:
    """What of a sample is compared, by name: seconds a token in decode, where each visit has them."""
    known = all(one.token_s for found in samples.values() for one in found)
    return "token_s" if point.phase == "decode" and known else "seconds"


def _by_round(visits: Sequence[float]) -> list[float]:
    return [statistics.fmean(pair) for pair in zip(visits[::2], visits[1::2], strict=True)]


def _other(points: Sequence[PointResult], engine: Engine) -> Other:
    mean = mean_of(points, engine.name)
    return Other(leg=engine.name, speedup=mean, arguments=dict(engine.arguments), run=engine.run)


def mean_of(points: Sequence[PointResult], leg: Leg) -> Interval:
    """Base over that engine in tokens per second, as the geometric mean over the points."""
    return geometric_mean([(1.0, _ratios(one, leg)) for one in points])


def _ratios(found: PointResult, leg: Leg) -> list[float]:
    name = _measure(found.point, found.samples)
    base, other = (_by_round([getattr(one, name) for one in found.samples[which]]) for which in ("base", leg))
    return [a / b for a, b in zip(base, other, strict=True)]


def _prompts(point: Point, visit: int) -> list[list[int]]:
    """In decode the same at every visit, so that the prefix cache has them; in prefill new at each."""
    draw = random.Random(f"{point.name} {visit if point.phase == 'prefill' else 0}")  # noqa: S311 - equal for all legs
    return [[draw.randrange(VOCABULARY) for _ in range(point.context)] for _ in range(point.batch)]


def _likeness(serving: Serving, sessions: dict[Leg, Session]) -> Likeness:
    serving.progress("comparing what the engines say")
    said: dict[Leg, list[Said]] = {
        leg: [
            one
            for point in serving.points
            for one in sessions[leg].say(_prompts(point, 0), min(point.tokens, TELLING_TOKENS))
        ]
        for leg in LEGS
    }
    return alike(said, exact=serving.exact)


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
