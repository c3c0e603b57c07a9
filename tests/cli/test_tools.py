from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kmaint.cli.tools import TOOLS, description, find_tool, input_schema, words
from kmaint.errors import UsageError

SCAN, EXTRACT, CHECK = (tool for name in ("scan", "extract", "check") if (tool := find_tool(name)) is not None)


def test_nothing_that_leaves_the_machine_is_a_tool() -> None:
    assert [tool.name for tool in TOOLS] == ["scan", "extract", "check", "report"]
    assert find_tool("pr") is None


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_a_schema_comes_from_the_commands_own_signature(tool: object) -> None:
    schema = input_schema(tool)  # type: ignore[arg-type]
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) <= schema["properties"].keys()
    assert not {"format", "quiet", "python", "state"} & schema["properties"].keys()
    assert [name for name, one in schema["properties"].items() if not one["description"] or "$ref" in one] == []
    assert description(tool)  # type: ignore[arg-type]


def test_the_schema_of_scan() -> None:
    properties = input_schema(SCAN)["properties"]
    assert input_schema(SCAN)["required"] == ["tree"]
    assert (properties["tree"]["type"], properties["history"]["type"]) == ("string", "boolean")
    assert (properties["top"]["type"], properties["top"]["default"]) == ("integer", 20)
    assert properties["language"]["items"] == {"type": "string"}
    assert "output" not in properties
    assert "output" in input_schema(EXTRACT)["required"]


def test_arguments_become_a_command_line() -> None:
    given_ = {"tree": "sglang", "match": "-o x", "language": ["triton", "cuda"], "cache": False, "history": True}
    assert words(SCAN, given_) == [
        *("scan", "--format=json", "--history", "--language=triton", "--language=cuda", "--match=-o x", "--top=20"),
        *("--no-cache", "--", "sglang"),
    ]
    assert words(SCAN, {"tree": "t", "top": 3, "history": False, "match": None})[2:] == ["--top=3", "--", "t"]
    assert words(CHECK, {"harness": "h", "files": ["a.py", "-q"], "jobs": 2}) == [
        *("check", "--format=json", "--jobs=2", "--", "h", "a.py", "-q")
    ]
    assert words(EXTRACT, {"tree": "t", "output": "o", "all": True, "tests": False})[2:] == [
        *("--output=o", "--all", "--no-tests", "--", "t")
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "scan needs tree; see the description of scan"),
        (
            {"tree": "t", "into": "x"},
            "scan takes no into; it takes tree, hot, history, language, role, match, top, cache",
        ),
        (
            {"tree": "t", "state": "x"},
            "scan takes no state; it takes tree, hot, history, language, role, match, top, cache",
        ),
        (
            {"tree": ["t"]},
            "tree: Input is not a valid path for <class 'pathlib.Path'>, not ['t']; A source tree of SGLang or vLLM.",
        ),
        (
            {"tree": "t", "top": "many"},
            "top: Input should be a valid integer, unable to parse string as an integer, not 'many'; "
            "Only the best ranked.",
        ),
    ],
)
def test_what_does_not_fit_is_said(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        words(SCAN, arguments)
    assert str(caught.value) == said


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(harness=st.text(min_size=1), files=st.lists(st.text(min_size=1), min_size=1), device=st.text())
def test_no_value_is_read_as_an_option(harness: str, files: list[str], device: str) -> None:
    """Whatever text a caller gives, what stands before `--` begins with a flag of ours."""
    found = words(CHECK, {"harness": harness, "files": files, "device": device})
    cut = found.index("--")
    assert [word.partition("=")[0] for word in found[:cut]] == ["check", "--format", "--device"]
    assert len(found[cut + 1 :]) == 1 + len(files)
