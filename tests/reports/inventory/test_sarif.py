"""SARIF as the specification and GitHub's code scanning want it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from kmaint.records.kernel import Scan
from reports.inventory import sarif
from reports.inventory.sarif import MAX_RESULTS


def run_of(scan: Scan) -> dict[str, Any]:
    log = json.loads(sarif(scan))
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-schema-2.1.0.json")
    (run,) = log["runs"]
    assert isinstance(run, dict)
    return run


def said(scan: Scan) -> list[tuple[str, str, str]]:
    return [(one["level"], one["ruleId"], one["message"]["text"]) for one in run_of(scan)["results"]]


def test_findings_are_ordered_by_severity_then_by_rank(scan: Scan) -> None:
    assert said(scan) == [
        ("warning", "unreadable-file", "Could not be read: not Python: invalid syntax."),
        ("warning", "no-test", "No test of the framework reaches untested_kernel."),
        ("note", "hot-kernel", "tuned_kernel takes a notable share of the GPU time of the given trace."),
        ("note", "no-tuned-config", "No tuned configuration for NVIDIA_H200 in vllm/configs."),
        ("note", "no-benchmark", "No benchmark of the framework reaches untested_kernel."),
        ("note", "no-launch-found", "No launch and no use of lost was found."),
    ]


def test_a_tree_without_tests_blames_no_kernel_for_it(scan: Scan) -> None:
    unknown = replace(scan, unknown=("tests", "benchmarks"))
    assert not {"no-test", "no-benchmark"} & {rule for _, rule, _ in said(unknown)}
    (invocation,) = run_of(unknown)["invocations"]
    assert [note["message"]["text"] for note in invocation["toolExecutionNotifications"]] == [
        "The tree holds no tests, so nothing is said of them.",
        "The tree holds no benchmarks, so nothing is said of them.",
    ]


def test_every_result_points_at_a_rule_and_into_the_tree(scan: Scan) -> None:
    run = run_of(scan)
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        rule = rules[result["ruleIndex"]]
        assert rule["id"] == result["ruleId"]
        assert rule["shortDescription"]["text"]
        assert rule["help"]["text"]
        assert rule["defaultConfiguration"]["level"] == result["level"]
        (location,) = result["locations"]
        place = location["physicalLocation"]
        assert place["artifactLocation"]["uriBaseId"] in run["originalUriBaseIds"]
        assert not place["artifactLocation"]["uri"].startswith("/")
        assert " " not in place["artifactLocation"]["uri"]
        assert place["region"]["startLine"] >= 1


def test_fingerprints_are_unique_and_survive_a_moved_line(scan: Scan) -> None:
    moved = replace(scan, kernels=tuple(replace(kernel, line=kernel.line + 40) for kernel in scan.kernels))
    prints = [one["partialFingerprints"]["primaryLocationLineHash"] for one in run_of(scan)["results"]]
    assert prints == [one["partialFingerprints"]["primaryLocationLineHash"] for one in run_of(moved)["results"]]
    assert len(set(prints)) == len(prints)


def test_no_more_results_than_github_takes(scan: Scan) -> None:
    many = tuple(replace(scan.kernels[0], path=f"csrc/{number}.cu") for number in range(MAX_RESULTS))
    run = run_of(replace(scan, kernels=many))
    assert len(run["results"]) == MAX_RESULTS
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert note["message"]["text"] == "25001 findings are left out: a run may hold 25000."
    assert run["results"][-1]["ruleId"] == "no-test"
