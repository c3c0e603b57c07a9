"""An attempt as a question and its answer: what whoever made the edit could know, and the edit."""

from __future__ import annotations

import re
from pathlib import PurePath

from kmaint.learning.attempts import Attempt
from kmaint.records.evaluation import Profile

Message = dict[str, str]
"""`role` and `content`, as chat templates take them."""

NAMES = {"triton": "Triton", "cuda": "CUDA"}
FENCES = {".py": "python", ".cu": "cuda", ".cuh": "cuda"}
"""By the suffix of a file; of any other it is C++."""

CUT_OUT = """\
It is a whole {file}, cut out of {path} so that it stands alone. Change code between `# region` and `# endregion` \
only, keep the signature of `{entry}`,"""
IN_PLACE = """\
It is a whole {file}, which takes the place of {path}. Keep the name and parameters of what it defines for others, \
`{entry}` above all,"""

TASK = """\
Make this {language} kernel of {framework} {release} faster on {target}. {rules} \
and keep its results: they are compared with the original's on every workload, and its time too.
{profile}{failure}
{before}

Answer with one line that names the bottleneck and the edit, then the whole file."""


def question(attempt: Attempt) -> list[Message]:
    """Kernel, target, the parent's profile and, of a repair, what was wrong with the parent."""
    text = TASK.format(
        language=NAMES.get(attempt.language, attempt.language),
        framework=attempt.framework,
        release=attempt.release or "",
        target=f"{attempt.device} ({attempt.arch})" if attempt.device else attempt.arch,
        rules=_rules(attempt),
        profile=_profiled(attempt.profile_before),
        failure=f"The gate turned it down: {attempt.failure_before}\n" if attempt.failure_before else "",
        before=_fenced(attempt.before, attempt.file),
    )
    return [{"role": "user", "content": text}]


def answer(attempt: Attempt) -> list[Message]:
    """The plan in a line, and the whole source."""
    plan = attempt.plan
    said = f"Bottleneck: {plan.bottleneck}. Edit: {plan.edit}. {plan.why}".rstrip()
    return [{"role": "assistant", "content": f"{said}\n\n{_fenced(attempt.after, attempt.file)}"}]


def _rules(attempt: Attempt) -> str:
    """What the file is and what of it must stay: CUDA C++ has no regions."""
    rules = IN_PLACE if attempt.language == "cuda" else CUT_OUT
    return rules.format(file=attempt.file, path=attempt.kernel.partition("::")[0], entry=attempt.entry)


def _profiled(profile: Profile | None) -> str:
    if profile is None:
        return ""
    share = f", {profile.roofline_fraction:.0%} of the roofline" if profile.roofline_fraction is not None else ""
    evidence = f" ({profile.evidence})" if profile.evidence else ""
    return f"Its profile: {profile.bottleneck}{evidence}{share}{', estimated' if profile.estimated else ''}.\n"


def _fenced(source: str, file: str) -> str:
    """In a fence of the file's language, longer than any run of backticks in the source."""
    fence = "`" * max([2, *(len(run) for run in re.findall(r"`+", source))]) + "`"
    return f"{fence}{FENCES.get(PurePath(file).suffix, 'cpp')}\n{source.rstrip()}\n{fence}"
