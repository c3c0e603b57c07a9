"""The framework's own linters on what a patch touches, before and after: it may add no complaint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kmaint.errors import UsageError
from kmaint.records.change import Check
from reintegrate.checks.hooks import CONFIG, SUFFIXES, Hook, Said, chosen_rules, read_hooks, ruff, run_hook
from reintegrate.checks.mending import mend

FIXERS = {"ruff": "check", "ruff-check": "check", "ruff-format": "format"}
"""Hooks whose own program mends what it complains of: only where the file had no such complaint before."""


@dataclass
class Linter:
    """Hooks of one checkout, and what they said before the patch was made; `paths` are relative to its top."""

    top: Path
    paths: tuple[str, ...]
    hooks: list[Hook] = field(default_factory=list)
    _before: dict[int, Said] = field(default_factory=dict)
    _texts: dict[str, str] = field(default_factory=dict)

    def before(self) -> None:
        """Take down what is complained of already."""
        self.hooks = [hook for hook in read_hooks(self.top) if any(map(hook.concerns, self.paths)) and _at_commit(hook)]
        for number, hook in enumerate(self.hooks):
            standing = [path for path in self._of(hook) if (self.top / path).is_file()]
            self._before[number] = run_hook(hook, self.top, standing) if standing else Said()
            self._texts.update((path, (self.top / path).read_bytes().decode()) for path in standing if _is_python(path))

    def after(self) -> list[Check]:
        """One check a hook, mended where its own program can. UsageError where a new complaint is left."""
        if not (self.top / CONFIG).is_file():
            why = f"no {CONFIG} in the tree: a wheel leaves it out"
            return [Check(name="lint", state="not_run", detail=why)]
        return [self._check(number, hook) for number, hook in enumerate(self.hooks)]

    def _of(self, hook: Hook) -> list[str]:
        return [path for path in self.paths if hook.concerns(path)]

    def _check(self, number: int, hook: Hook) -> Check:
        name, paths, before = f"lint: {hook.id}", self._of(hook), self._before[number]
        said = run_hook(hook, self.top, paths)
        if said.not_run or before.not_run:
            return Check(name=name, state="not_run", detail=said.not_run or before.not_run)
        new, state = _new(before, said), "passed"
        if new and hook.id in FIXERS:
            self._mend(hook, before, new, paths)
            said, state = run_hook(hook, self.top, paths), "fixed"
            new = _new(before, said)
        if new:
            raise UsageError(
                f"{hook.id}, as the tree configures it, complains of the patch: {new[0]}",
                "mend the winner so that the framework's linters accept it",
            )
        return Check(name=name, state="fixed" if state == "fixed" else "passed", detail=_detail(hook, said, paths))

    def _mend(self, hook: Hook, before: Said, new: Sequence[str], paths: Sequence[str]) -> None:
        clean = [path for path in paths if not any(path in one for one in before.complaints)]
        mendable = [path for path in clean if any(path in one for one in new)]
        if mendable and FIXERS[hook.id] == "format":
            ruff("format", "--no-cache", "--force-exclude", *mendable, top=self.top)
        for path in mendable if FIXERS[hook.id] == "check" else ():
            mend(self.top, path, self._texts.get(path, ""), chosen_rules(hook))


def _is_python(path: str) -> bool:
    return path.endswith(SUFFIXES["python"])


def _at_commit(hook: Hook) -> bool:
    return not hook.stages or "pre-commit" in hook.stages


def _new(before: Said, after: Said) -> list[str]:
    return list((Counter(after.complaints) - Counter(before.complaints)).elements())


def _detail(hook: Hook, said: Said, paths: Sequence[str]) -> str:
    files = f"{len(paths)} file{'s' * (len(paths) != 1)}, nothing new"
    if said.version and hook.rev.lstrip("v") not in said.version:
        return f"{said.version} (the project pins {hook.rev}); {files}"
    return f"{said.version}; {files}" if said.version else files
