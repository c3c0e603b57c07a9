"""A scan as SARIF 2.1.0: GitHub code scanning shows what a kernel lacks beside its line.

Limits and properties: https://docs.github.com/en/code-security/reference/code-scanning/sarif-files/sarif-support
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

import kmaint
from kmaint import wire
from kmaint.layout import use_of
from kmaint.ranking import ranked
from kmaint.records.kernel import Kernel, Scan

MAX_RESULTS = 25_000
"""More than these in a run and GitHub refuses the file; it shows the first 5,000 by severity."""

HOT_SHARE = 0.01
SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

Level = Literal["warning", "note"]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What a result of this kind says, for how long it has been true, and what to do about it."""

    id: str
    level: Level
    short: str
    help: str


HOT = Rule(
    id="hot-kernel",
    level="note",
    short="Kernel takes a notable share of GPU time",
    help="In the trace given with --hot the kernel took at least 1 % of all GPU time. Improve it first: "
    "`kmaint extract TREE ID -o DIR`, then `kmaint optimize`.",
)
NO_TEST = Rule(
    id="no-test",
    level="warning",
    short="No test reaches the kernel",
    help="No test of the framework uses the kernel, its launchers, who calls those, or an operator registered for it. "
    "`kmaint extract TREE ID -o DIR` cuts it out and `kmaint testgen` writes a property-based suite for it.",
)
NO_CONFIG = Rule(
    id="no-tuned-config",
    level="note",
    short="No tuned configuration for a common device",
    help="The launch reads tuned configurations by device name, and none of the files names this device: there it runs "
    "with a default. The framework's tuning script for the kernel writes the missing file.",
)
NO_BENCHMARK = Rule(
    id="no-benchmark",
    level="note",
    short="No benchmark reaches the kernel",
    help="No benchmark of the framework uses the kernel, so a change of its speed goes unseen.",
)
NO_LAUNCH = Rule(
    id="no-launch-found",
    level="note",
    short="No launch and no use of the kernel was found",
    help="Nothing in the tree was seen to launch the kernel or call it. It may be dead, or launched in a way that "
    "cannot be read from the source.",
)
UNREADABLE = Rule(
    id="unreadable-file",
    level="warning",
    short="File could not be read",
    help="Kernels in this file may be missing from the list. The message says why it could not be read.",
)
RULES = (HOT, NO_TEST, UNREADABLE, NO_CONFIG, NO_LAUNCH, NO_BENCHMARK)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One result: `key` is what keeps it the same finding while lines move."""

    rule: Rule
    message: str
    path: str
    line: int
    key: str


def sarif(scan: Scan) -> str:
    """The findings of a scan as SARIF text, warnings first, those of the best ranked kernels before others."""
    found = sorted(_findings(scan), key=lambda finding: finding.rule.level != "warning")
    run: dict[str, Any] = {
        "tool": {"driver": _driver()},
        "automationDetails": {"id": "kmaint/scan/"},
        "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "The root of the scanned tree."}}},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(scan, len(found))],
        "properties": wire.dump(scan.release),
        "results": [_result(finding) for finding in found[:MAX_RESULTS]],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _findings(scan: Scan) -> Iterator[Finding]:
    for problem in scan.problems:
        message = f"Could not be read: {problem.reason}."
        yield Finding(
            rule=UNREADABLE,
            message=message,
            path=problem.path,
            line=problem.line or 1,
            key=f"unreadable|{problem.path}",
        )
    for kernel in ranked(scan):
        for rule, message in _lacks(kernel, scan):
            yield Finding(
                rule=rule, message=message, path=kernel.path, line=kernel.line, key=f"{rule.id}|{kernel.id}|{message}"
            )


def _lacks(kernel: Kernel, scan: Scan) -> Iterator[tuple[Rule, str]]:
    """The message of a rule is the same from scan to scan as long as the finding is: shares and counts stay out."""
    if kernel.heat and kernel.heat.share >= HOT_SHARE:
        yield HOT, f"{kernel.name} takes a notable share of the GPU time of the given trace."
    if kernel.role == "unknown":
        yield NO_LAUNCH, f"No launch and no use of {kernel.name} was found."
    if kernel.role != "kernel" or use_of(kernel.path):
        return
    if not kernel.tests and "tests" not in scan.unknown:
        yield NO_TEST, f"No test of the framework reaches {kernel.name}."
    for device in kernel.tables.missing if kernel.tables else ():
        yield NO_CONFIG, f"No tuned configuration for {device} in {kernel.tables.folder if kernel.tables else ''}."
    if not kernel.benchmarks and "benchmarks" not in scan.unknown:
        yield NO_BENCHMARK, f"No benchmark of the framework reaches {kernel.name}."


def _driver() -> dict[str, Any]:
    return {
        "name": "kmaint",
        "semanticVersion": kmaint.__version__,
        "rules": [
            {
                "id": rule.id,
                "name": "".join(word.title() for word in rule.id.split("-")),
                "shortDescription": {"text": rule.short},
                "fullDescription": {"text": rule.help},
                "help": {"text": rule.help, "markdown": rule.help},
                "defaultConfiguration": {"level": rule.level},
                "properties": {"tags": ["gpu-kernels"], "precision": "high", "problem.severity": _severity(rule)},
            }
            for rule in RULES
        ],
    }


def _severity(rule: Rule) -> str:
    return "warning" if rule.level == "warning" else "recommendation"


def _invocation(scan: Scan, findings: int) -> dict[str, Any]:
    said = [f"The tree holds no {evidence}, so nothing is said of them." for evidence in scan.unknown]
    if findings > MAX_RESULTS:
        said.append(f"{findings - MAX_RESULTS} findings are left out: a run may hold {MAX_RESULTS}.")
    notes = [{"level": "note", "message": {"text": text}} for text in said]
    return {"executionSuccessful": True, "toolExecutionNotifications": notes}


def _result(finding: Finding) -> dict[str, Any]:
    place = {"uri": quote(finding.path), "uriBaseId": "%SRCROOT%"}
    fingerprint = wire.digest(finding.key, length=16)
    return {
        "ruleId": finding.rule.id,
        "ruleIndex": RULES.index(finding.rule),
        "level": finding.rule.level,
        "message": {"text": finding.message},
        "locations": [{"physicalLocation": {"artifactLocation": place, "region": {"startLine": finding.line}}}],
        # GitHub knows alerts again by this key alone; ours names the kernel, not the line's text, so an edit keeps it.
        "partialFingerprints": {"primaryLocationLineHash": f"{fingerprint}:1", "kmaintFinding/v1": fingerprint},
    }
