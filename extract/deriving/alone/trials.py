"""Whether a contract holds: run on tensors of its shapes, inside them, with results that follow from what was given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from extract.derived import NotDerivable
from extract.deriving.alone.draft import Draft
from extract.deriving.alone.fit import SETS
from extract.deriving.alone.search import Search, through
from extract.deriving.alone.shapes import contract_of
from extract.deriving.prober import FIRST_ONLY, Answer, Request
from extract.models import tried_workloads
from kmaint.records.workload import Argument, Axis, Binding, Contract

GROWTHS = 3
"""How often tensors are made larger where indices reach past them."""

RANDOM = ("normal", "scale", "log_sum_exp", "index")

DTYPES = ("bfloat16", "float16", "float32")


def verified(search: Search, draft: Draft, answers: list[Answer]) -> Contract:
    """The widest contract that holds: all axes free, or moving together, or each at one size."""
    if len(answers) == SETS and all(through(answer) for answer in answers):
        contract = contract_of(search, draft, answers)
        if contract is not None:
            holds = search.ask(list(_trials(search, contract, draft)), beyond=FIRST_ONLY)
            if not _failure(holds[:2]):
                return _finished(search, contract, draft, holds)
    fixed = _fixed(draft)
    contract = contract_of(search, fixed, answers[:1] * SETS)
    assert contract is not None
    holds = search.ask(list(_trials(search, contract, fixed)))
    for _ in range(GROWTHS):
        outside = _outside(holds[:2])
        if not outside or search.exhausted:
            break
        contract = _grown(contract, outside)
        holds = search.ask(list(_trials(search, contract, fixed)))
    if reason := _failure(holds[:2]):
        raise NotDerivable(reason)
    return _finished(search, contract, fixed, holds)


def _trials(search: Search, contract: Contract, draft: Draft) -> Iterator[Request]:
    """Both sets of axes, each half of them with the other's half, other values, and other dtypes: see _finished."""
    first, second = _case_axes(contract, draft, 0), _case_axes(contract, draft, 1)
    yield search.real(contract, first)
    if not _free(contract):
        yield search.real(contract, first, seed=2)
        yield from (search.real(contract, {**first, "DT": one}) for one in _other_dtypes(search, contract, draft))
        return
    yield search.real(contract, second)
    for half in _halves(contract, first, second)[: search.effort.checks]:
        yield search.real(contract, half)
    yield search.real(contract, first, seed=2)
    yield from (search.real(contract, {**first, "DT": one}) for one in _other_dtypes(search, contract, draft))


def _other_dtypes(search: Search, contract: Contract, draft: Draft) -> list[str]:
    varied = any(axis.name == "DT" for axis in contract.axes)
    return [dtype for dtype in DTYPES if varied and dtype != draft.dtype][: search.effort.checks]


def _halves(contract: Contract, first: dict[str, Binding], second: dict[str, Binding]) -> list[dict[str, Binding]]:
    free = _free(contract)
    return [{**first, **{axis.name: second[axis.name] for axis in free[at::2]}} for at in (0, 1)]


def _free(contract: Contract) -> list[Axis]:
    return [axis for axis in contract.axes if axis.name != "DT" and len(axis.choices) > 1]


def _outside(answers: Sequence[Answer]) -> dict[str, int]:
    """The furthest element reached past each tensor; empty where one was reached for before its first."""
    reached = [(name, low, high) for answer in answers for name, (low, high) in answer["outside"].items()]
    if any(low < 0 for _, low, _ in reached):
        return {}
    return {name: max(high for other, _, high in reached if other == name) for name, _, _ in reached}


def _grown(contract: Contract, outside: Mapping[str, int]) -> Contract:
    """Flat tensors twice as large as what was reached for: with other indices more will be."""
    arguments = tuple(
        replace(one, shape=(str(2 * (outside[one.name] + 1)),)) if one.name in outside else one
        for one in contract.arguments
    )
    return replace(contract, arguments=arguments)


def _fixed(draft: Draft) -> Draft:
    """Every axis at its first size, kept as an axis."""
    return replace(draft, axes={name: (values[0], values[0], values[0]) for name, values in draft.axes.items()})


def _failure(answers: Sequence[Answer]) -> str:
    """Why the contract does not hold, empty where it does."""
    for answer in answers:
        if answer["error"]:
            return f"{answer['error']} (kernel.py line {answer['line']})"
        if answer["outside"]:
            return f"{min(answer['outside'])}: accessed outside its shape"
        if not answer["outputs"]:
            return "it writes nothing"
    return ""


def _case_axes(contract: Contract, draft: Draft, which: int) -> dict[str, Binding]:
    bound = draft.bound(which)
    axes: dict[str, Binding] = {axis.name: bound[axis.name] for axis in contract.axes if axis.name != "DT"}
    return {**axes, "DT": draft.dtype} if any(axis.name == "DT" for axis in contract.axes) else axes


def _finished(search: Search, contract: Contract, draft: Draft, holds: list[Answer]) -> Contract:
    """The contract with what the answers to _trials add: outputs, dtypes, and whether its axes move together;
    NotDerivable where the results do not follow from what was given."""
    others = _other_dtypes(search, contract, draft)
    tried, in_other_dtypes = holds[: len(holds) - len(others)], holds[len(holds) - len(others) :]
    first, *between, other = tried
    second, *halves = between or [first]
    random = {one.name for one in contract.arguments if one.values in RANDOM}
    if other["digest"] == first["digest"] and random & set(first["loaded"]):
        raise NotDerivable("the results are the same whatever the inputs")
    arguments = tuple(_as_output(one, first, second) for one in contract.arguments)
    runs = {draft.dtype} | {
        dtype for dtype, answer in zip(others, in_other_dtypes, strict=True) if not _failure([answer])
    }
    axes = tuple(
        replace(axis, choices=tuple(one for one in DTYPES if one in runs)) if axis.name == "DT" else axis
        for axis in contract.axes
    )
    sets = [_case_axes(contract, draft, which) for which in (0, 1)]
    contract = replace(contract, arguments=arguments, axes=axes)
    contract = replace(contract, workloads=tried_workloads(contract, sets))
    return _together(contract, draft) if _failure(halves) else contract


def _as_output(argument: Argument, *answers: Answer) -> Argument:
    """A tensor of which every element was written and none read before starts out as NaN."""
    filled = all(argument.name in answer["filled"] for answer in answers)
    return replace(argument, values="output", bound="") if filled and argument.values == "normal" else argument


def _together(contract: Contract, draft: Draft) -> Contract:
    """The contract with a constraint that keeps the sizes of one set from those of the other."""
    free = _free(contract)
    sets = " or ".join(
        "(" + " and ".join(f"{axis.name} == {bound[axis.name]}" for axis in free) + ")"
        for bound in (_case_axes(contract, draft, 0), _case_axes(contract, draft, 1))
    )
    return replace(contract, constraints=(*contract.constraints, sets))
