"""What stands behind a run's patch, and what is missing before anyone may be asked to look at it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import reintegrate
from kmaint import folder, wire
from kmaint.config import Config
from kmaint.console import plain_table
from kmaint.errors import UsageError
from kmaint.policy import Policy, policy_of
from kmaint.records.attestation import Attestation
from kmaint.records.change import Landing
from kmaint.records.engine import EngineBench
from kmaint.records.evaluation import speedup
from kmaint.records.harness import Harness
from kmaint.records.pull_request import Backing, CheckName, Exhibit
from kmaint.records.run import Run
from kmaint.records.timing import Interval
from kmaint.store import Store
from kmaint.workflow.attesting import attestation_of
from kmaint.workflow.bench import ENGINE, TOGETHER, earlier_bench
from kmaint.workflow.landing import LANDING
from kmaint.workflow.runs import run_folder

EVIDENCE = "evidence"
"""Folder of a run that holds what was brought along: a folder a landed commit, a file a check."""

BROUGHT: tuple[CheckName, ...] = ("linters", "framework_tests", "accuracy", "engine_benchmark")
"""What a file can prove. A sign-off is typed by a person, and duplicates are searched for."""

SHOWN_CHARACTERS = 8_000
"""Of a file that was brought along, in the text; all of it is in the raw data."""

LATER: frozenset[CheckName] = frozenset(("duplicates",))
"""What `pr` itself does when it opens something."""


def bring_along(run: Run, landing: Landing, config: Config, given: Mapping[str, Path]) -> None:
    """Keep files as what proves checks of this very commit, for this call and later ones."""
    for name, path in given.items():
        if name not in BROUGHT:
            raise UsageError(
                f"--evidence {name}={path}: a file proves no such thing", f"known are {', '.join(BROUGHT)}"
            )
        try:
            text = path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"--evidence {name}={path}: cannot be read: {error}", "name a text file") from error
        folder.write_text(_evidence(run, landing, config) / f"{name}.txt", text)


def backing_of(
    run: Run, harness: Harness, landing: Landing | None, config: Config
) -> tuple[Backing, Attestation | None]:
    """Who stands behind the run's patch, what proves what, and every reason why it must not be opened yet."""
    policy = policy_of(harness.provenance.framework)
    attestation = None
    if landing and reintegrate.stands(landing):
        with Store(config.state) as store:
            attestation = attestation_of(run, landing, store)
    exhibits = tuple(_exhibits(run, landing, attestation, config)) if landing else ()
    reasons = [*_unready(run, landing, attestation, bench_of_patch(run, config)), *_asked(policy, exhibits)]
    lines = reintegrate.changed_lines(attestation.hunks) if attestation else 0
    if policy.most_lines and lines > policy.most_lines:
        reasons.append(f"{lines} changed lines, where {policy.project} wants at most {policy.most_lines}: split it")
    backing = Backing(
        reviewer=attestation.reviewer if attestation else "",
        exhibits=exhibits,
        missing=tuple(reasons),
        fingerprint=wire.digest({"kernel": run.kernel, "run": run.id}),
    )
    return backing, attestation


def brought_along(run: Run, landing: Landing, config: Config) -> dict[CheckName, str]:
    """The kept texts, by the check that each proves of the landed commit."""
    into = _evidence(run, landing, config)
    return {name: path.read_text() for name in BROUGHT if (path := into / f"{name}.txt").is_file()}


def _evidence(run: Run, landing: Landing, config: Config) -> Path:
    return run_folder(run, config) / EVIDENCE / landing.commit[:12]


def bench_of_patch(run: Run, config: Config) -> EngineBench | None:
    """What the whole engine made of the run's patch alone; None where the run was landed again since."""
    return next((found for found in benches_with_patch(run, config) if len(found.runs) == 1), None)


def benches_with_patch(run: Run, config: Config) -> Iterator[EngineBench]:
    """What the whole engine made of the patch that is landed now: alone first, then among those of other runs."""
    landed = run_folder(run, config) / LANDING
    for name in (ENGINE, TOGETHER):
        kept = run_folder(run, config) / name
        stale = kept.is_file() and landed.is_file() and kept.stat().st_mtime < landed.stat().st_mtime
        if not stale and (found := earlier_bench(run, config, name)):
            yield found


def _measured(found: EngineBench) -> Iterator[Exhibit]:
    """What a benchmark of an engine proves: nothing where the patch was not come by, or the engines disagree."""
    if not (found.is_engaged and found.likeness.holds):
        return
    columns = ("point", "throughput", "first token", "each token", "base over base")
    rows = [
        (
            one.point.name,
            *(_interval(ratio) if ratio else "" for ratio in (one.speed, one.first_token, one.token, one.noise)),
        )
        for one in found.points
    ]
    line = (
        f"{found.engine} {found.version}, {found.model} on {found.device}: {_interval(found.speedup)} of base's "
        f"tokens per second over {len(rows)} points, base over base {_interval(found.noise)}"
    )
    alike = found.likeness
    said = f"{alike.identical} of {alike.sequences} sequences identical; {alike.contract}: holds"
    yield Exhibit(check="engine_benchmark", line=line, text=f"{plain_table(columns, rows)}\n{said}\n")
    if found.accuracy and not any(one.code for one in found.accuracy):
        told = "; ".join(f"{one.leg}: {one.said}" for one in found.accuracy)
        yield Exhibit(check="accuracy", line=told)


def _interval(found: Interval) -> str:
    return f"{found.ratio:.3f} ({found.low:.3f} to {found.high:.3f})"


def _exhibits(run: Run, landing: Landing, attestation: Attestation | None, config: Config) -> Iterator[Exhibit]:
    if found := bench_of_patch(run, config):
        yield from _measured(found)
    for check, text in brought_along(run, landing, config).items():
        shown = text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}\n[cut here: raw data]"
        yield Exhibit(check=check, line=f"brought along, sha256 {folder.sha256(text)[:12]}", text=shown)
    if attestation and attestation.sign_off:
        yield Exhibit(check="sign_off", line="given by who attested")


def _unready(
    run: Run, landing: Landing | None, attestation: Attestation | None, engine: EngineBench | None
) -> Iterator[str]:
    """What any project would miss. There is an attestation, if an empty one, where the landing stands."""
    if engine and engine.speedup.high < 1:
        yield f"the whole engine is slower with it: {_interval(engine.speedup)}"
    found = speedup(run.winner) if run.winner else None
    if found is None or found.low <= 1:
        yield "no win was measured: run 'kmaint optimize' on the device that it is meant for"
    if landing is None:
        yield f"nothing is landed: 'kmaint reintegrate {run.id} --into TREE'"
    elif attestation is None:
        yield f"branch {landing.branch} is no longer what was landed: land the run again on another name"
    elif not attestation.reviewer:
        refused = [
            f"{one.reviewer} refused {one.path}: {one.reason or 'no reason given'}" for one in attestation.refusals
        ]
        yield from refused or [f"no person has attested to it: 'kmaint attest {run.id} --reviewer \"Name <mail>\"'"]


def _asked(policy: Policy, exhibits: tuple[Exhibit, ...]) -> Iterator[str]:
    """What this project asks for and nothing proves."""
    proven = {exhibit.check for exhibit in exhibits} | LATER
    for ask in policy.required:
        if ask.check not in proven:
            how = "type the line in 'kmaint attest'" if ask.check == "sign_off" else f"--evidence {ask.check}=FILE"
            yield f"{ask.check}: {ask.text} ({how})"
