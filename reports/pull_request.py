"""A pull request's text in the target's own template; every number in it is one that the records hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kmaint.policy import Part, policy_of, template_for, title_for
from kmaint.records.change import Landing
from kmaint.records.evaluation import Evaluation, Passed, speedup
from kmaint.records.harness import Harness
from kmaint.records.pull_request import Backing, CheckName
from kmaint.records.run import Run
from kmaint.records.timing import Timing
from reports import evidence, numbers
from reports.blocks import Block, fenced, fitted
from reports.evidence import Row

LIMIT = 60_000
"""Characters: GitHub refuses a body of more than 65,536, and people add to it."""

ROWS_SHOWN = 8
"""Workloads in the table that everybody reads; all of them stand in a folded one below."""

WORDS: dict[CheckName, str] = {
    "duplicates": "Duplicates",
    "linters": "Linters",
    "framework_tests": "The framework's own tests",
    "accuracy": "Accuracy",
    "engine_benchmark": "Engine benchmark",
    "sign_off": "Sign-off",
}

TEMPLATE_FILES = (".github/PULL_REQUEST_TEMPLATE.md", ".github/pull_request_template.md")


@dataclass(frozen=True)
class Story:
    """What the parts of the text are told from."""

    run: Run
    harness: Harness
    landing: Landing | None
    best: Evaluation | None
    backing: Backing

    @property
    def timing(self) -> Timing | None:
        return evidence.timing_of(self.best)


def pull_request_text(run: Run, harness: Harness, landing: Landing | None, backing: Backing | None = None) -> str:
    """Title and body as one markdown text."""
    title, body = title_and_body(run, harness, landing, backing or Backing())
    return f"# {title}\n\n{body}"


def title_and_body(run: Run, harness: Harness, landing: Landing | None, backing: Backing) -> tuple[str, str]:
    """What a forge is sent. Without a measured win, or while something is missing, it says so first."""
    policy = policy_of(harness.provenance.framework)
    template = template_for(policy, harness.provenance.version, existing=_own_template(landing))
    story = Story(run, harness, landing, evidence.shown(run), backing)
    blocks = [*_warning(story)]
    for section in template.sections:
        blocks.append(Block(f"## {section.heading}"))
        for part in section.parts:
            blocks += PARTS[part](story)
    if backing.fingerprint:
        blocks.append(Block(marker(backing.fingerprint)))
    return _title(story), fitted(blocks, LIMIT, raw_data=backing.raw_data)


def marker(fingerprint: str) -> str:
    """The line by which a later call knows its own pull request; nobody sees it in a browser."""
    return f"<!-- kmaint:fingerprint={fingerprint} -->"


def _own_template(landing: Landing | None) -> str:
    """The template that the tree holds, or the repository that the tree is a folder of; empty where neither does."""
    folders = [Path(landing.tree), *Path(landing.tree).parents[:1]] if landing else []
    files = [folder / name for folder in folders for name in TEMPLATE_FILES]
    return next((file.read_text(errors="replace") for file in files if file.is_file()), "")


def _title(story: Story) -> str:
    if story.run.winner is None:
        return f"Nothing to propose for {story.harness.kernel}"
    title = title_for(story.harness, story.run.winner)
    return title if speedup(story.run.winner) else f"Not ready: {title}"


def _warning(story: Story) -> list[Block]:
    if story.run.winner is None:
        return [Block(f"> **Nothing to propose.** {evidence.headline(story.run, story.harness).text}")]
    if speedup(story.run.winner) is None:
        return [
            Block(
                "> **Not ready.** Nothing here was timed: there was no GPU. Time it before anyone is asked to review "
                "it: run the commands below on the device it is meant for."
            )
        ]
    if story.backing.missing:
        listed = "\n".join(f"> - {_plain(reason)}" for reason in story.backing.missing)
        return [Block(f"> **Not ready.** Before this can be opened:\n>\n{listed}")]
    return []


def _summary(story: Story) -> list[Block]:
    harness, best = story.harness, story.best
    where = f"`{harness.kernel}` in `{harness.provenance.path}`"
    if best is None:
        return [Block(f"No candidate for {where} passed. {evidence.tally(story.run)}".strip())]
    found = speedup(best)
    if found is None:
        return [
            Block(
                f"Changes {where} (cut from {evidence.release(harness)}). The new code computes what the old one does, "
                "as far as that can be checked without a GPU. No claim is made about its speed."
            )
        ]
    worst = min(_rows(story), key=lambda row: row.speedup.ratio)
    return [
        Block(
            f"{where} (cut from {evidence.release(harness)}) runs **{numbers.ratio(found.ratio)}** as fast on "
            f"{best.environment.device}, 95 % interval {numbers.interval(found)}: the weighted geometric mean over "
            f"{_workloads(len(_rows(story)))}. The worst is `{worst.workload}` with "
            f"{numbers.ratio(worst.speedup.ratio)} ({numbers.interval(worst.speedup)})."
        )
    ]


def _changes(story: Story) -> list[Block]:
    if story.run.winner is None:
        return [Block("Nothing: the shipped code stays as it is.")]
    steps = [
        f"- **{_plain(c.plan.edit)}**: {_plain(c.plan.why)}" for c in story.run.lineage(story.run.winner.candidate)
    ]
    return [Block("\n".join(steps))]


def _landing(story: Story) -> list[Block]:
    landing = story.landing
    if landing is None:
        return []
    done = f"{landing.stat}, on top of {landing.base[:12]}. {evidence.KINDS[landing.kind]}"
    text = f"{done}; the patch was re-applied to a clean clone."
    why = [Block(f"Of this kind because {_plain(landing.reason)}.")] if landing.reason else []
    return [Block(text), *why, *_checks(landing)]


def _checks(landing: Landing) -> list[Block]:
    if not landing.checks:
        return []
    rows = [f"| {one.name} | {one.state.replace('_', ' ')} | {_plain(one.detail)} |" for one in landing.checks]
    return [Block("\n".join(["| check | | |", "| --- | --- | --- |", *rows]))]


def _numerics(story: Story) -> list[Block]:
    if story.best is None or not isinstance(story.best.verdict, Passed):
        return [Block("No candidate got as far as a numerical verdict.")]
    found = story.best.verdict.numerics
    if found.kind == "bit-exact":
        text = "Bit-exact: outputs equal the original's to the bit on every workload and every generated case."
    else:
        text = f"Rounding only: the largest difference from the original is {numbers.scientific(found.max_difference)}."
    if found.oracle and found.original_error is not None and found.candidate_error is not None:
        text += (
            f" Against a float64 recomputation, as a fraction of the row's scale: original "
            f"{numbers.scientific(found.original_error)}, new {numbers.scientific(found.candidate_error)}."
        )
    return [Block(text)]


def _speed(story: Story) -> list[Block]:
    if story.timing is None or story.best is None:
        return [Block(f"{evidence.why_untimed(story.run)}: nothing was timed.")]
    rows, machine = _rows(story), story.best.environment
    shown = sorted(rows, key=lambda row: -row.weight)[:ROWS_SHOWN]
    caption = (
        f"{machine.device}, torch {machine.torch}, triton {machine.triton}"
        f"{f', driver {machine.driver}' if machine.driver else ''}; device time per call by CUDA-graph replay, "
        "original and new paired and interleaved, buffers rotated past the L2. Median [95 % interval] in µs."
    )
    standing = ", ".join(
        f"{count} {word}" for word in ("faster", "same", "slower") if (count := sum(r.standing == word for r in rows))
    )
    blocks = [Block(_table([row for row in rows if row in shown])), Block(f"{caption} All workloads: {standing}.")]
    if len(rows) > len(shown):
        blocks.append(Block(_table(rows), f"All {len(rows)} workloads"))
    return blocks


def _table(rows: list[Row]) -> str:
    lines = ["| workload | original | new | speedup | noise |", "| --- | ---: | ---: | ---: | ---: |"]
    for row in rows:
        ratio = f"{numbers.ratio(row.speedup.ratio)} [{numbers.interval(row.speedup)}]"
        cells = (f"`{_plain(row.workload)}`", _median(row.original), _median(row.candidate), ratio)
        lines.append(f"| {' | '.join(cells)} | {numbers.interval(row.noise)} |")
    return "\n".join(lines)


def _median(found: numbers.Median) -> str:
    if found.low_us is None or found.high_us is None:
        return numbers.microseconds(found.us)
    return (
        f"{numbers.microseconds(found.us)} [{numbers.microseconds(found.low_us)}–{numbers.microseconds(found.high_us)}]"
    )


def _tests(story: Story) -> list[Block]:
    alone = "The kernel stands alone in a harness with a generated Hypothesis suite."
    blocks = [Block(f"{alone} {evidence.parity_line(story.harness)}".rstrip())]
    if story.best:
        blocks.append(_repeat(story, story.best))
        blocks.append(Block(f"Rungs of kmaint's gate: {evidence.climbed(story.best)}."))
    if story.run.evaluations:
        endings = (
            (one.candidate.plan.edit, evidence.verdict_word(one.verdict), evidence.reason(one.verdict))
            for one in story.run.evaluations
        )
        listed = [f"| {' | '.join(_plain(cell) for cell in ending)} |" for ending in endings]
        table = "\n".join(["| candidate | verdict | reason |", "| --- | --- | --- |", *listed])
        blocks.append(Block(table, f"Every candidate that was judged: {evidence.tally(story.run)}"))
    if story.best:
        source = fenced(story.best.candidate.source, "python")
        blocks.append(Block(source, f"<code>{evidence.FILE}</code>: the harness's kernel.py with the change"))
    return blocks


def _repeat(story: Story, best: Evaluation) -> Block:
    device = best.environment.device or "any machine: nothing here needs a GPU"
    shell = "\n".join(evidence.commands(story.harness))
    meant = f"TREE is a checkout of {evidence.release(story.harness)}, `{evidence.FILE}` stands in full below"
    return Block(f"To repeat it on {device} ({meant}):\n\n```bash\n{shell}\n```")


def _evidence(story: Story) -> list[Block]:
    """What was brought along from outside the run, in full, and where every sample of the run lies."""
    blocks = [
        Block(fenced(exhibit.text), f"{WORDS[exhibit.check]}: {_plain(exhibit.line)}")
        for exhibit in story.backing.exhibits
        if exhibit.text
    ]
    if story.backing.raw_data:
        blocks.insert(0, Block(f"Every sample, source and verdict: [raw data]({story.backing.raw_data})."))
    return blocks


def _limits(story: Story) -> list[Block]:
    lines = evidence.not_measured(story.run, story.harness, engine="engine_benchmark" in story.backing.proven)
    said = "\n".join(f"- {_plain(line)}" for line in lines)
    return [Block(f"**Not measured**\n\n{said}")] if lines else []


def _checklist(story: Story) -> list[Block]:
    if story.run.winner is None:
        return [Block("There is no change to check.")]
    policy, lines = policy_of(story.harness.provenance.framework), {e.check: e.line for e in story.backing.exhibits}
    read = "A person has read every changed line, understands it and stands behind it."
    reviewer = story.backing.reviewer
    asks = [_ask(read, f"attested by {_without_address(reviewer)}" if reviewer else "")]
    asks += [_ask(ask.text, lines.get(ask.check, "") if ask.check else "") for ask in policy.asks]
    disclosure = policy.disclosure.strip().format(provider=story.run.provider, run=story.run.id)
    return [Block(disclosure), Block("\n".join(asks))]


def _ask(text: str, proof: str) -> str:
    return f"- [x] {text} _{_plain(proof)}_" if proof else f"- [ ] {text}"


def _without_address(person: str) -> str:
    """The name alone: the address stands in the commit, if its owner signed it off."""
    return person.partition(" <")[0]


def _rows(story: Story) -> list[Row]:
    return evidence.rows(story.timing, story.harness) if story.timing else []


def _workloads(count: int) -> str:
    return "1 workload" if count == 1 else f"{count} workloads"


def _plain(text: str) -> str:
    """One line that neither breaks a table nor opens a tag."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


PARTS: dict[Part, Callable[[Story], list[Block]]] = {
    "summary": _summary,
    "changes": _changes,
    "landing": _landing,
    "numerics": _numerics,
    "tests": _tests,
    "speed": _speed,
    "evidence": _evidence,
    "limits": _limits,
    "checklist": _checklist,
}
