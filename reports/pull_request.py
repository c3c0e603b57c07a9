"""A pull request's text in the target's own template; every number in it is one that the records hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kmaint.policy import Part, policy_of, template_for, title_for
from kmaint.records.change import Kind, Landing
from kmaint.records.evaluation import Evaluation, Passed, Timing, speedup
from kmaint.records.harness import Harness
from kmaint.records.run import Run
from reports import evidence, numbers
from reports.evidence import Row

LIMIT = 60_000
"""Characters: GitHub refuses a body of more than 65,536, and people add to it."""

ROWS_SHOWN = 8
"""Workloads in the table that everybody reads; all of them stand in a folded one below."""

TEMPLATE_FILES = (".github/PULL_REQUEST_TEMPLATE.md", ".github/pull_request_template.md")


@dataclass(frozen=True)
class Block:
    """A piece of the text. A folded one has a summary, and is what goes first where the text is too long."""

    text: str
    summary: str = ""

    def __str__(self) -> str:
        if not self.summary:
            return self.text
        return f"<details>\n<summary>{self.summary}</summary>\n\n{self.text}\n\n</details>"


@dataclass(frozen=True)
class Story:
    """What the parts of the text are told from."""

    run: Run
    harness: Harness
    landing: Landing | None
    best: Evaluation | None

    @property
    def timing(self) -> Timing | None:
        return evidence.timing_of(self.best)


def pull_request_text(run: Run, harness: Harness, landing: Landing | None) -> str:
    """Title and body as markdown. Without a measured win it says so first, and claims nothing."""
    policy = policy_of(harness.provenance.framework)
    template = template_for(policy, harness.provenance.version, existing=_own_template(landing))
    story = Story(run, harness, landing, evidence.shown(run))
    blocks = [Block(f"# {_title(story)}"), *_warning(story)]
    for section in template.sections:
        blocks.append(Block(f"## {section.heading}"))
        for part in section.parts:
            blocks += PARTS[part](story)
    return fitted(blocks, LIMIT)


def fitted(blocks: list[Block], limit: int) -> str:
    """The blocks as one text; where it would be too long, folded ones are left out whole, the last first."""
    kept, dropped = list(blocks), 0
    while len(text := _joined(kept, dropped)) > limit and any(block.summary for block in kept):
        last = max(index for index, block in enumerate(kept) if block.summary)
        del kept[last]
        dropped += 1
    return text


def _joined(blocks: list[Block], dropped: int) -> str:
    note = f"_{dropped} folded section{'s' * (dropped > 1)} left out for length: kmaint's report has all of it._"
    return "\n\n".join(str(block) for block in [*blocks, *([Block(note)] if dropped else [])]) + "\n"


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
    done = f"{landing.stat}, on top of {landing.base[:12]}. {KINDS[landing.kind]}"
    text = f"{done}; the patch was re-applied to a clean clone."
    why = [Block(f"Of this kind because {_plain(landing.reason)}.")] if landing.reason else []
    return [Block(text), *why, *_checks(landing)]


KINDS: dict[Kind, str] = {
    "config": "Only tuned configurations change, no code",
    "edit": "Of the code, only the spans of the kernel and its launcher change",
    "guarded": "A variant stands beside the original, whose lines are as they were; a guard says which calls it takes",
    "registry": "A backend of its own is registered; what serves today stays as it is",
}


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
        source = f"````python\n{story.best.candidate.source.rstrip()}\n````"
        blocks.append(Block(source, f"<code>{evidence.FILE}</code>: the harness's kernel.py with the change"))
    return blocks


def _repeat(story: Story, best: Evaluation) -> Block:
    device = best.environment.device or "any machine: nothing here needs a GPU"
    shell = "\n".join(evidence.commands(story.harness))
    meant = f"TREE is a checkout of {evidence.release(story.harness)}, `{evidence.FILE}` stands in full below"
    return Block(f"To repeat it on {device} ({meant}):\n\n```bash\n{shell}\n```")


def _limits(story: Story) -> list[Block]:
    said = "\n".join(f"- {_plain(line)}" for line in evidence.not_measured(story.run, story.harness))
    return [Block(f"**Not measured**\n\n{said}")]


def _checklist(story: Story) -> list[Block]:
    if story.run.winner is None:
        return [Block("There is no change to check.")]
    asks = [
        "A person has read every changed line, understands it and stands behind it.",
        *policy_of(story.harness.provenance.framework).asks,
    ]
    disclosure = (
        f"**AI assistance was used.** The change was found and checked by kmaint (provider `{story.run.provider}`, run "
        f"`{story.run.id}`); this text is written from its records. It is a draft until a person has ticked:"
    )
    return [Block(disclosure), Block("\n".join(f"- [ ] {ask}" for ask in asks))]


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
    "limits": _limits,
    "checklist": _checklist,
}
