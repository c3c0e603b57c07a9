"""A landed and attested win to a draft on the user's fork; a dry run writes the same to disk."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import reintegrate
import reintegrate.forge
import reports
from kmaint import folder, wire
from kmaint.config import Config
from kmaint.errors import UsageError
from kmaint.policy import policy_of
from kmaint.records.attestation import Attestation
from kmaint.records.change import Landing
from kmaint.records.harness import Harness
from kmaint.records.pull_request import Backing, Draft, Exhibit, Head, PullRequest, Search
from kmaint.records.run import Run
from kmaint.store import Store
from kmaint.workflow.attesting import standing_landing
from kmaint.workflow.backing import backing_of, bench_of_patch, bring_along, brought_along
from kmaint.workflow.bench import ENGINE
from kmaint.workflow.keeping import note, published
from kmaint.workflow.landing import land
from kmaint.workflow.progress import Progress
from kmaint.workflow.runs import find_run, run_folder

FOLDER, RECORD = "pull_request", "run.json"
PUSHING = "pushing"
"""Kind of event that says what is about to be pushed where: a branch that holds it is ours."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is wanted of `pr`. `fork` is owner/name, `not_a_duplicate` a person's reason, `evidence` files by check."""

    opened: bool = False
    fork: str | None = None
    into: Path | None = None
    not_a_duplicate: str = ""
    evidence: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Proposed:
    """What came of it. `missing` are the reasons against opening it; the folder holds what is, or would be, sent."""

    state: Literal["written", "refused", "opened", "updated", "unchanged"]
    missing: tuple[str, ...]
    draft: Draft
    folder: Path
    search: Search | None = None
    pull_request: PullRequest | None = None


def propose(run: Run, config: Config, progress: Progress, wish: Wish) -> Proposed:
    """Write the draft to disk and, where that is wanted and nothing is missing, bring it to the fork."""
    if wish.into is not None:
        land(run, wish.into, config, progress)
        run = find_run(run.id, config)  # it may be for another of its wins by now
    landing, harness = standing_landing(run, config), folder.read_harness(Path(run.harness))
    bring_along(run, landing, config, wish.evidence)
    backing, attestation = backing_of(run, harness, landing, config)
    writing = _Writing(run, harness, landing, attestation, config, _fork(harness, config, wish))
    if not wish.opened or backing.missing:
        return writing.refused_or_written(backing, wish)
    return _open(writing, backing, wish, progress)


def _open(writing: _Writing, backing: Backing, wish: Wish, progress: Progress) -> Proposed:
    from reintegrate.forge.github import GithubForge  # the extra `pr`, only where it is asked for

    forge = GithubForge(reintegrate.forge.find_token(), progress)
    search = _elsewhere(forge.search(*writing.searched_for()), reports.marker(backing.fingerprint))
    if search.mentions and not wish.not_a_duplicate:
        said = "others may be at it: read them, then say --not-a-duplicate 'why'"
        return writing.refused_or_written(replace(backing, missing=(said,)), wish, search)
    said = f"{wish.not_a_duplicate} ({_found(search)})" if wish.not_a_duplicate else _found(search)
    done = replace(backing, exhibits=(*backing.exhibits, Exhibit(check="duplicates", line=said)))
    written = writing.write(done)
    draft, run = written.draft, writing.run
    with Store(writing.config.state) as store:
        for head in (draft.head, draft.evidence):
            store.note(run.id, PUSHING, {"fork": draft.fork, **wire.dump(head)})
    tree = Path(writing.landing.tree)
    found, outcome = reintegrate.forge.propose(forge, draft, tree)
    note(run, writing.config, "proposed", found.address)
    return replace(written, state=outcome, search=search, pull_request=found)


def _elsewhere(search: Search, marker: str) -> Search:
    """Without our own pull request, where its author has brought it on to the project."""
    return replace(search, mentions=tuple(one for one in search.mentions if marker not in one.pull_request.body))


def _found(search: Search) -> str:
    read = f"{search.read} open pull requests of {search.project} read, of {search.files_read} the files too"
    listed = ", ".join(f"#{one.pull_request.number}" for one in search.mentions)
    return f"{read}: {listed or 'none'} mention {' or '.join(search.words)}"


def _fork(harness: Harness, config: Config, wish: Wish) -> str:
    """The fork that is named; empty where none is, and none is needed yet."""
    fork, project = wish.fork or config.fork or "", policy_of(harness.provenance.framework).repository
    if fork and not re.fullmatch(r"[\w.-]+/[\w.-]+", fork):
        raise UsageError(f"{fork!r} is no fork", "name it as --fork owner/name")
    if fork and fork.lower() == project.lower():
        raise UsageError(f"{fork} is the project itself", "name your fork of it: kmaint opens drafts there, you go on")
    if wish.opened and not fork:
        raise UsageError(
            f"no fork of {project or 'the project'} is named", "give --fork owner/name, or set it in kmaint.toml"
        )
    return fork


@dataclass(frozen=True)
class _Writing:
    """What a draft is written from."""

    run: Run
    harness: Harness
    landing: Landing
    attestation: Attestation | None
    config: Config
    fork: str

    def refused_or_written(self, backing: Backing, wish: Wish, search: Search | None = None) -> Proposed:
        written = self.write(backing)
        return replace(written, state="refused" if wish.opened else "written", search=search)

    def write(self, backing: Backing) -> Proposed:
        """The draft, and on disk all that is in it."""
        draft, into = self._draft(backing), run_folder(self.run, self.config) / FOLDER
        forge = reintegrate.forge.PatchForge(into)
        reintegrate.forge.propose(forge, draft, Path(self.landing.tree))
        return Proposed(state="written", missing=backing.missing, draft=draft, folder=into)

    def searched_for(self) -> tuple[str, Sequence[str]]:
        origin = self.harness.provenance
        paths = dict.fromkeys([origin.path, *reintegrate.contents_before(self.landing)])
        return policy_of(origin.framework).repository, [self.harness.kernel, *paths]

    def _draft(self, backing: Backing) -> Draft:
        policy, tree = policy_of(self.harness.provenance.framework), Path(self.landing.tree)
        head = reintegrate.forge.signed_commit(self.landing, self.attestation.sign_off if self.attestation else None)
        brought = brought_along(self.run, self.landing, self.config)
        files = {RECORD: published(self.run, self.harness), **{f"{check}.txt": text for check, text in brought.items()}}
        if engine := bench_of_patch(self.run, self.config):
            files[ENGINE] = wire.text(engine, indent=1) + "\n"
        evidence = reintegrate.forge.evidence_commit(
            tree, files, message=f"What run {self.run.id} of kmaint found\n", at=self.run.created
        )
        if self.fork:
            backing = replace(backing, raw_data=reintegrate.forge.address_of(self.fork, evidence, RECORD))
        title, body = reports.title_and_body(self.run, self.harness, self.landing, backing)
        ours = self._pushed()
        return Draft(
            fork=self.fork,
            project=policy.repository,
            base=policy.base,
            base_commit=self.landing.base,
            touched=reintegrate.contents_before(self.landing),
            head=Head(branch=self.landing.branch, commit=head, ours=ours),
            evidence=Head(branch=f"kmaint-evidence/{self.run.id}", commit=evidence, ours=ours),
            title=title,
            body=body,
            marker=reports.marker(backing.fingerprint),
        )

    def _pushed(self) -> tuple[str, ...]:
        """Commits that earlier calls sent to the fork or were about to, and the landed one: its author may have."""
        with Store(self.config.state) as store:
            events = [event.payload for event in store.events(self.run.id) if event.kind == PUSHING]
        sent = [str(one["commit"]) for one in events if isinstance(one, dict) and one["fork"] == self.fork]
        return tuple(dict.fromkeys([self.landing.commit, *sent]))
