"""The framework's own tests of an operator, before and after a patch, and the test that the patch brings."""

from __future__ import annotations

import os
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kmaint.child import clean_environment
from kmaint.errors import UsageError
from kmaint.forking.stem import run_with_torch
from kmaint.records.change import Check

LIMIT_S = 600.0
MOST_TESTS = 4
"""How many of the framework's tests are run, the nearest to the kernel first; each has many parameters."""


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """What became of each test, by its id; `why` is the first reason of one that did not run."""

    by_test: Mapping[str, str]
    why: str = ""

    @property
    def ran(self) -> bool:
        return any(outcome in ("passed", "failed", "raised") for outcome in self.by_test.values())

    @property
    def passed(self) -> bool:
        return "passed" in self.by_test.values() and not {"failed", "raised"} & set(self.by_test.values())

    def told(self) -> str:
        counted = Counter(self.by_test.values())
        return ", ".join(f"{count} {outcome}" for outcome, count in sorted(counted.items())) or "no test"


@dataclass
class OwnTests:
    """Tests of one checkout, run in the target's interpreter, with the checkout's package before the installed one."""

    top: Path
    package: Path
    """The folder that holds the framework's package."""
    python: Path | None
    tests: tuple[str, ...]
    """As `path::name`, relative to the package's folder."""
    _before: Outcomes | None = field(default=None)

    def before(self) -> None:
        """Take down the outcomes without the patch."""
        if self.python and self.tests:
            self._before = self._run(self._chosen())

    def after(self, brought: Sequence[str]) -> list[Check]:
        """A check of the framework's tests and one of each test file brought along, relative to the checkout's top.

        UsageError where an outcome of the framework's tests is another, or a test brought along fails.
        """
        return [self._same(), *(self._own(path) for path in brought)]

    def _chosen(self) -> list[str]:
        chosen = (test.partition("::") for test in self.tests[:MOST_TESTS])
        return [f"{self.package / path}::{name.replace('.', '::')}" for path, _, name in chosen]

    def _same(self) -> Check:
        name = "the framework's own tests"
        if not self.tests:
            return Check(name=name, state="not_run", detail="the tree holds none that reaches the kernel")
        if self._before is None:
            return Check(name=name, state="not_run", detail="no interpreter was given")
        after = self._run(self._chosen())
        changed = {
            test for test in {*after.by_test, *self._before.by_test} if self._of(test) != after.by_test.get(test)
        }
        if changed:
            test = min(changed)
            raise UsageError(
                f"{test}: {self._of(test) or 'not there'} before the patch, {after.by_test.get(test) or 'not there'} "
                f"with it{f' ({after.why})' if after.why else ''}",
                "the framework's own tests decide: mend the winner",
            )
        listed = ", ".join(self.tests[:MOST_TESTS])
        if not after.ran:
            return Check(name=name, state="not_run", detail=f"{listed}: {after.told()}: {after.why}")
        return Check(name=name, state="passed", detail=f"{listed}: {after.told()}, as before the patch")

    def _of(self, test: str) -> str | None:
        return self._before.by_test.get(test) if self._before else None

    def _own(self, path: str) -> Check:
        name = f"the new test {Path(path).name}"
        if self.python is None:
            return Check(name=name, state="not_run", detail="no interpreter was given")
        found = self._run([str(self.top / path)], extra={"TRITON_INTERPRET": "1"} if not _has_gpu() else {})
        stops = {"failed", "raised"} if _has_gpu() else {"failed"}  # what raises may be the interpreter's own limit
        if stops & set(found.by_test.values()):
            raise UsageError(f"{path}: {found.told()} with the patch: {found.why}", "mend the winner, or report this")
        where = "on the GPU" if _has_gpu() else "under the Triton interpreter"
        if not found.passed:
            return Check(name=name, state="not_run", detail=f"{found.told()} {where}: {found.why}")
        return Check(name=name, state="passed", detail=f"{found.told()} {where}")

    def _run(self, tests: Sequence[str], extra: Mapping[str, str] | None = None) -> Outcomes:
        assert self.python is not None
        with tempfile.TemporaryDirectory(prefix="kmaint-tests-") as scratch:
            report = Path(scratch) / "report.xml"
            words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=no", f"--junitxml={report}", *tests]
            path = os.pathsep.join(filter(None, (str(self.package), os.environ.get("PYTHONPATH", ""))))
            ended = run_with_torch(
                [self.python, *words],
                timeout_s=LIMIT_S,
                cwd=self.top,
                env=clean_environment({"PYTHONPATH": path, "HYPOTHESIS_STORAGE_DIRECTORY": scratch, **(extra or {})}),
            )
            if ended.timed_out:
                return Outcomes(by_test={"all": "timed out"}, why=f"not done after {LIMIT_S:.0f} s")
            if not report.is_file():
                said = next(iter([*ended.stderr.strip().splitlines(), *ended.stdout.strip().splitlines()][-1:]), "")
                return Outcomes(by_test={}, why=said.removeprefix("E ").strip() or f"pytest ended with {ended.code}")
            return _read(report)


def _has_gpu() -> bool:
    return Path("/dev/nvidiactl").exists() and os.environ.get("CUDA_VISIBLE_DEVICES") != ""


def _read(report: Path) -> Outcomes:
    found: dict[str, str] = {}
    reasons: list[str] = []
    for case in ElementTree.parse(report).getroot().iter("testcase"):  # noqa: S314 - pytest has just written it
        said = next((child for child in case if child.tag in ("failure", "error", "skipped")), None)
        found[f"{case.get('classname', '')}::{case.get('name', '')}"] = _outcome(said)
        if said is not None:
            reasons.append(_reason(said))
    return Outcomes(by_test=found, why=next(iter(reasons), ""))


def _outcome(said: ElementTree.Element | None) -> str:
    """passed, failed an assertion, raised something else, skipped, or error: it could not be collected or set up."""
    if said is None:
        return "passed"
    if said.tag == "failure":
        return "failed" if (said.get("message") or "").startswith(("AssertionError", "assert")) else "raised"
    return said.tag


def _reason(said: ElementTree.Element) -> str:
    """The line of a traceback that says what happened: pytest marks it, and what explains it, with an E."""
    lines = [line[1:].strip() for line in (said.text or "").splitlines() if line.startswith("E ")]
    return next(iter(lines), "") or (said.get("message") or "").strip().partition("\n")[0]
