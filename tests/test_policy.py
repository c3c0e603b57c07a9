"""Each project's template, chosen by the tree's own file or by its release."""

from typing import get_args

import pytest

from kmaint.policy import Part, policy_of, template_for


@pytest.mark.parametrize(
    ("framework", "version", "headings"),
    [
        ("sglang", "0.5.17", "Motivation, Modifications, Accuracy Tests, Speed Tests and Profiling, Checklist"),
        ("vllm", "0.26.0", "Purpose, Test Plan, Test Result"),
        ("vllm", "0.33.0", "Overview, Claims, Validation, Details"),
        ("vllm", "0.34.0rc1.dev7+gabc", "Overview, Claims, Validation, Details"),
        ("vllm", None, "Overview, Claims, Validation, Details"),
        ("vllm", "dev", "Overview, Claims, Validation, Details"),
        ("a fork", "1.0", "Why, What, Accuracy, Speed, Checklist"),
    ],
)
def test_the_release_chooses_the_template(framework: str, version: str | None, headings: str) -> None:
    template = template_for(policy_of(framework), version)
    assert ", ".join(section.heading for section in template.sections) == headings


def test_the_trees_own_template_goes_before_the_release() -> None:
    own = "<!-- markdownlint-disable -->\nFILL IN\n\n## Purpose\n\n## Test Plan\n\n## Test Result\n"
    assert template_for(policy_of("vllm"), "0.33.0", existing=own).sections[0].heading == "Purpose"
    assert template_for(policy_of("vllm"), "0.33.0", existing="## Something\n").sections[0].heading == "Overview"


@pytest.mark.parametrize("framework", ["sglang", "vllm", "any"])
def test_every_part_has_a_place_in_every_template(framework: str) -> None:
    for template in policy_of(framework).templates:
        parts = [part for section in template.sections for part in section.parts]
        assert sorted(parts) == sorted({*parts})
        assert {*parts} == {*get_args(Part)}


@pytest.mark.parametrize(("framework", "required"), [("sglang", 4), ("vllm", 6), ("any", 1)])
def test_what_a_project_asks_for_can_be_proven(framework: str, required: int) -> None:
    policy = policy_of(framework)
    assert len({ask.check for ask in policy.required}) == required
    assert policy.disclosure.strip().format(provider="builtin", run="r-1").startswith("**AI assistance was used.**")
