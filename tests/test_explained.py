"""Every word that kmaint answers with is explained, and docs/the-gate.md says of codes what the explanations say."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest

import kmaint.records
from kmaint.errors import UsageError
from kmaint.explained import codes_table, explain, explanations

PAGE = Path(__file__).parent.parent / "docs" / "the-gate.md"
BEGIN, END = "<!-- codes: written by pytest tests/test_explained.py --update-recordings -->", "<!-- end of codes -->"

KINDS = {
    "change.CheckState": "landing",
    "change.Kind": "patch",
    "evaluation.Code": "code",
    "evaluation.Dishonesty": "code",
    "evaluation.RungName": "rung",
    "evaluation.Bottleneck": "bottleneck",
    "evaluation.Sandboxed": "sandbox",
    "evaluation.NumericalClass": "numerics",
    "harness.Compute": "compute",
    "harness.HarnessState": "harness",
    "harness.Level": "level",
    "kernel.Role": "role",
    "ledger.State": "win",
    "mutation.State": "mutant",
    "night.StepState": "step",
    "parity.ParityState": "parity",
    "pull_request.CheckName": "check",
    "run.RunState": "run",
    "workload.Origin": "origin",
}
"""The kind of explanation for each named set of words in kmaint/records."""

PLAIN = {
    "change.Part",
    "engine.Phase",
    "exchange.Role",
    "kernel.Evidence",
    "kernel.Language",
    "machine.Purpose",
    "machine.Standing",
    "night.StepName",
}
"""Sets whose words are names, or stand with their explanation wherever they are printed."""

JUDGING = ("verdict", "code", "parity", "mutant", "run", "harness", "step", "win")
"""Kinds of words that tell somebody to do something: each says how it is found, by what it comes and what to do."""


def named_sets() -> dict[str, tuple[str, ...]]:
    """Every Literal that a module of kmaint/records gives a name, by module and name."""
    found: dict[str, tuple[str, ...]] = {}
    for module in pkgutil.iter_modules(kmaint.records.__path__):
        for name, value in vars(importlib.import_module(f"kmaint.records.{module.name}")).items():
            if get_origin(value) is Literal:
                found.setdefault(f"{module.name}.{name}", get_args(value))
    return found


def test_every_set_of_words_has_its_kind() -> None:
    owned = {key for key in named_sets() if not _imported(key)}
    assert owned - KINDS.keys() - PLAIN == set(), "explain its words in kmaint/explained.toml"
    assert (KINDS.keys() | PLAIN) - owned == set()


def _imported(key: str) -> bool:
    """Whether a module has the set from another one: the same object stands under the same name there."""
    module, _, name = key.partition(".")
    source = Path(importlib.import_module(f"kmaint.records.{module}").__file__ or "").read_text()
    return f"\n{name} = Literal" not in source


@pytest.mark.parametrize(("key", "kind"), KINDS.items())
def test_every_word_of_a_set_is_explained(key: str, kind: str) -> None:
    explained = {one.word for one in explanations() if one.kind == kind}
    assert set(named_sets()[key]) - explained == set()


def test_no_word_is_explained_that_nothing_answers_with() -> None:
    sets: dict[str, set[str]] = {"verdict": set(_verdicts())}
    for key, kind in KINDS.items():
        sets.setdefault(kind, set()).update(named_sets()[key])
    assert [(one.kind, one.word) for one in explanations() if one.word not in sets.get(one.kind, set())] == []
    assert {one.word for one in explanations() if one.kind == "verdict"} == sets["verdict"]


def _verdicts() -> list[str]:
    from kmaint.records.evaluation import Verdict

    hints: list[Any] = [kind.__dataclass_fields__["kind"].default for kind in get_args(Verdict)]
    return hints


@pytest.mark.parametrize("kind", JUDGING)
def test_what_judges_says_how_why_and_what_next(kind: str) -> None:
    judging = [one for one in explanations() if one.kind == kind]
    assert judging
    assert [one.word for one in judging if not (one.found and one.example and one.next)] == []


def test_a_sentence_is_one_line_that_ends() -> None:
    for one in explanations():
        assert one.means.endswith("."), one
        assert max(map(len, (one.means, one.found, one.example, one.next))) <= 140, one


def test_a_word_of_several_kinds_is_told_of_each() -> None:
    assert {one.kind for one in explain("kernel")} == {"level", "compute", "role"}
    assert [one.word for one in explain(" Bit-Exact ")] == ["bit-exact"]


def test_an_unknown_word_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        explain("stale_results")
    assert (
        str(caught.value)
        == "'stale_results' is no verdict, code or state; the nearest are stale_result, spoofed_result"
    )
    with pytest.raises(UsageError) as caught:
        explain("zzz")
    assert str(caught.value) == "'zzz' is no verdict, code or state; 'kmaint explain' lists them"


def test_the_page_on_the_gate_says_the_same(request: pytest.FixtureRequest) -> None:
    text = PAGE.read_text()
    start, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    if request.config.getoption("--update-recordings"):
        PAGE.write_text(f"{text[:start]}\n{codes_table()}\n{text[end:]}")
    else:
        assert text[start:end].strip() == codes_table()
