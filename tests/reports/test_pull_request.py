"""The texts of measured and unmeasured runs against their recordings, in each project's template, and their length."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from kmaint.records.change import Landing
from kmaint.records.harness import Harness
from kmaint.records.pull_request import Backing, Exhibit
from kmaint.records.run import Run
from kmaint.records.timing import Timing
from reports.pull_request import LIMIT, marker, pull_request_text, title_and_body

RECORDED = Path(__file__).parent / "recorded"


@pytest.mark.parametrize("kind", ["won", "no_win", "untimed", "empty"])
@pytest.mark.parametrize("framework", ["sglang", "vllm"])
def test_the_text_is_what_was_recorded(
    kind: str,
    framework: str,
    request: pytest.FixtureRequest,
    harness: Harness,
    landing: Landing,
    pytestconfig: pytest.Config,
) -> None:
    run = request.getfixturevalue(kind)
    version = {"sglang": "0.5.17", "vllm": "0.26.0"}[framework]
    origin = replace(harness.provenance, framework=framework, version=version)
    text = pull_request_text(run, replace(harness, provenance=origin), landing if kind == "won" else None)
    recorded = RECORDED / f"{kind}-{framework}.md"
    if pytestconfig.getoption("--update-recordings"):
        recorded.write_text(text)
    assert text == recorded.read_text()


def headings(text: str) -> list[str]:
    return re.findall(r"^## (.*)$", text, re.MULTILINE)


def test_the_trees_own_template_is_followed(won: Run, harness: Harness, landing: Landing) -> None:
    origin = replace(harness.provenance, framework="vllm", version="0.26.0")
    vllm = replace(harness, provenance=origin)
    assert headings(pull_request_text(won, vllm, landing)) == ["Purpose", "Test Plan", "Test Result"]
    own = Path(landing.tree) / ".github" / "PULL_REQUEST_TEMPLATE.md"
    own.parent.mkdir()
    own.write_text("## Overview\n\n## Claims\n\n## Validation\n\n## Details\n")
    assert headings(pull_request_text(won, vllm, landing)) == ["Overview", "Claims", "Validation", "Details"]


def test_without_a_measurement_it_is_not_ready_and_claims_nothing(untimed: Run, harness: Harness) -> None:
    text = pull_request_text(untimed, harness, None)
    assert text.startswith(
        "# Not ready: Change merge_state_kernel (not timed)\n\n> **Not ready.** Nothing here was timed"
    )
    assert not re.search(r"\d\s*(×|µs)|[0-9.]x\b|faster|as fast", text)
    assert "not reached: device, integrity, time" in text


def test_it_is_a_draft_until_a_person_has_ticked(won: Run, harness: Harness) -> None:
    text = pull_request_text(won, harness, None)
    assert "**AI assistance was used.**" in text
    assert "- [ ] A person has read every changed line, understands it and stands behind it." in text
    assert "- [x]" not in text
    assert "Signed-off-by" not in text


def test_what_candidates_say_breaks_neither_tables_nor_tags(won: Run, harness: Harness) -> None:
    named = replace(won.evaluations[0].candidate.plan, edit="a | b <img>\nc")
    first = replace(won.evaluations[0], candidate=replace(won.evaluations[0].candidate, plan=named))
    text = pull_request_text(replace(won, evaluations=(first, *won.evaluations[1:])), harness, None)
    assert "| a \\| b &lt;img> c | win |" in text


def test_many_workloads_are_folded_below_those_with_most_weight(won: Run, harness: Harness) -> None:
    verdict = won.evaluations[1].verdict
    assert verdict.kind == "passed"
    timing = verdict.timing
    assert isinstance(timing, Timing)
    many = tuple(replace(timing.workloads[0], workload=f"T{number}", weight=float(number)) for number in range(1, 1001))
    long = replace(won.evaluations[1], verdict=replace(verdict, timing=replace(timing, workloads=many)))
    text = pull_request_text(replace(won, evaluations=(long,)), harness, None)
    assert len(text) <= LIMIT
    assert "`T1000`" in text
    assert "`T992`" not in text
    assert "_1 folded section left out for length: kmaint's report has all of it._" in text
    assert "<code>candidate.py</code>" in text


BACKING = Backing(
    reviewer="Ada Lovelace <ada@example.org>",
    exhibits=(Exhibit(check="engine_benchmark", line="brought along", text="```\nbase 100 tok/s\n```\n"),),
    missing=("accuracy: Evaluate a model",),
    raw_data="https://example.org/run.json",
    fingerprint="f00d",
)


def test_what_stands_behind_it_is_told_and_what_is_missing_first(won: Run, harness: Harness, landing: Landing) -> None:
    title, body = title_and_body(won, harness, landing, BACKING)
    assert not title.startswith("Not ready")
    assert body.startswith("> **Not ready.** Before this can be opened:\n>\n> - accuracy: Evaluate a model\n\n## ")
    assert "- [x] A person has read every changed line, understands it and stands behind it." in body
    assert "attested by Ada Lovelace_" in body
    assert "ada@example.org" not in body
    assert "- [x] Run `bench_serving`" in body
    assert "- [ ] Run an accuracy check" in body
    assert "<summary>Engine benchmark: brought along</summary>\n\n````\n```\nbase 100 tok/s\n```\n````" in body
    assert "[raw data](https://example.org/run.json)" in body
    assert "The whole engine was not run" not in body
    assert body.endswith(f"{marker('f00d')}\n")


def test_a_text_that_was_cut_says_where_all_of_it_is(won: Run, harness: Harness, landing: Landing) -> None:
    long = tuple(
        replace(BACKING.exhibits[0], check=check, text="x" * 25_000)
        for check in ("accuracy", "linters", "framework_tests")
    )
    _, body = title_and_body(won, harness, landing, replace(BACKING, exhibits=long))
    assert len(body) <= LIMIT
    assert "left out for length: the [raw data](https://example.org/run.json) has all of it._" in body
    assert marker("f00d") in body
