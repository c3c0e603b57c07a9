"""Each operator's example, and mutants of real files: each parses and differs in one place inside the regions."""

from __future__ import annotations

import ast
import itertools
import textwrap
from collections import Counter
from pathlib import Path

import pytest

from kmaint.folder import split_regions
from testgen.mutation import OPERATORS, mutants
from testgen.mutation.base import Operator

ROOT = Path(__file__).parents[3]
MERGE_STATE = (ROOT / "tests" / "evaluate" / "cases" / "merge_state" / "kernel.py").read_text()
REAL = ROOT / "tests" / "agent" / "transforms" / "cases"
HEADS = {
    "kernel": "@triton.jit\ndef kernel(x, y, stride_x, stride_y, n, eps, scale, B: tl.constexpr):\n",
    "host": "def kernel(x, y, n, grid):\n",
}


def file_of(operator: Operator, body: str) -> str:
    return HEADS[operator.where] + textwrap.indent(body, "    ")


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.name)
def test_an_operator_makes_the_mutants_of_its_example(operator: Operator) -> None:
    found, total = mutants(file_of(operator, operator.before), "kernel")
    own = [mutant for mutant in found if mutant.operator == operator.name]
    assert sorted(mutant.source for mutant in own) == sorted(file_of(operator, body) for body in operator.after)
    assert total == len(found)
    assert operator.why.endswith(".")
    assert all(mutant.sentence and mutant.function == "kernel" for mutant in own)


def test_names_are_unique_and_the_named_defects_are_all_there() -> None:
    names = [operator.name for operator in OPERATORS]
    assert len(set(names)) == len(names) == 18
    assert {
        "mask_dropped",
        "off_by_one_block",
        "wrong_stride",
        "wrong_axis",
        "missing_cast",
        "narrow_accumulator",
        "missing_zero",
        "swapped_operand",
        "eps_moved",
        "boundary",
        "index_dtype",
        "lost_scale",
    } <= set(names)


def test_mutants_of_a_harness_differ_inside_its_regions_and_in_one_function() -> None:
    found, _ = mutants(MERGE_STATE, "merge_state_triton")
    assert {mutant.function for mutant in found} == {"merge_state_kernel", "merge_state_triton"}
    assert len({mutant.source for mutant in found}) == len({mutant.id for mutant in found}) == len(found)
    before = split_regions(MERGE_STATE)
    for mutant in found:
        after = split_regions(mutant.source)
        assert [key[1] for key in before if before[key] != after[key]] == [mutant.function]
        assert mutant.source.count("\n") == MERGE_STATE.count("\n")
        changed = itertools.zip_longest(MERGE_STATE.splitlines(), mutant.source.splitlines())
        lines = [number for number, (one, two) in enumerate(changed, 1) if one != two]
        assert min(lines) <= mutant.line <= max(lines) or mutant.line in lines


@pytest.mark.parametrize("path", sorted(REAL.glob("*.py")), ids=lambda path: path.stem)
def test_mutants_of_real_files_parse(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    entries = [node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    found = {mutant.id: mutant for entry in entries for mutant in mutants(text, entry, most=40)[0]}
    assert found
    for mutant in found.values():
        ast.parse(mutant.source)
        assert mutant.source != text


def test_functions_under_a_condition_are_planted_in_too() -> None:
    text = "if HAS_TRITON:\n    @triton.jit\n    def f(x, n):\n        if n < 1:\n            tl.store(x, n / 2)\n"
    found, total = mutants(text, "f")
    assert total == len(found) == len({mutant.operator for mutant in found}) == 4
    assert all(ast.parse(mutant.source) for mutant in found)


def test_a_choice_takes_every_operator_in_turn() -> None:
    everything, total = mutants(MERGE_STATE, "merge_state_triton")
    kinds = {mutant.operator for mutant in everything}
    few, same_total = mutants(MERGE_STATE, "merge_state_triton", most=2 * len(kinds))
    assert same_total == total > 2 * len(kinds) == len(few)
    assert {mutant.operator for mutant in few} == kinds
    counts = Counter(mutant.operator for mutant in everything)
    assert all(Counter(one.operator for one in few)[kind] >= min(2, counts[kind]) for kind in kinds)
    assert few == mutants(MERGE_STATE, "merge_state_triton", most=2 * len(kinds))[0]
