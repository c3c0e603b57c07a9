"""How an operator of CUDA C++ is called: facts about its arguments from a table, at the sizes of served models.

Nothing can be tried without a GPU, so a contract is believed for what its table says, and only where the operator still
has the parameters that the table names.
"""

from __future__ import annotations

import ast
import functools
from dataclasses import replace
from pathlib import Path

from extract.derived import Derived
from extract.deriving.contract import Entry, read_entry
from extract.models import model_workloads

CATALOGUE = Path(__file__).parent / "catalogue"


class UnknownContractError(Exception):
    """Nothing says how the operator is called; the text is one line."""


def contract_of(framework: str, op: str, source: str, entry: str, *, written: frozenset[str] | None = None) -> Derived:
    """The contract of an operator, `op` its id, whose kernel.py is `source`; weights add up to 1.

    `written` are the arguments that its schema says it writes, where it has one: the table must not know of others.
    """
    known = next((one for one in catalogue() if (one.framework, one.entry) == (framework, op)), None)
    if known is None:
        raise UnknownContractError("how it is called stands in no table, so there are no workloads")
    contract, parameters = known.derived.contract, _parameters(source, entry)
    if strange := [one.name for one in contract.arguments if one.name not in parameters]:
        raise UnknownContractError(f"{strange[0]}: no parameter of {entry}, and the table of its arguments names it")
    described = {one.name for one in contract.arguments}
    if missing := [name for name, optional in parameters.items() if not optional and name not in described]:
        raise UnknownContractError(f"{missing[0]}: a parameter of {entry} that the table of its arguments lacks")
    outputs = [one.name for one in contract.arguments if one.values == "output"]
    if strange := [name for name in outputs if written is not None and name not in written]:
        raise UnknownContractError(f"{strange[0]}: an output by the table, and by its schema not written")
    workloads = list(model_workloads(contract))
    shared = tuple(replace(one, weight=1 / len(workloads)) for one in workloads)
    return replace(known.derived, contract=replace(contract, workloads=shared))


@functools.cache
def catalogue() -> tuple[Entry, ...]:
    """Every table, in order of its folder's name."""
    return tuple(read_entry(path.parent) for path in sorted(CATALOGUE.glob("*/contract.toml")))


def _parameters(source: str, entry: str) -> dict[str, bool]:
    """Parameters of the entry, and whether each has a default."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name == entry:
            plain = [*node.args.posonlyargs, *node.args.args]
            first = len(plain) - len(node.args.defaults)
            named = {one.arg: index >= first for index, one in enumerate(plain)}
            defaults = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
            return named | {one.arg: default is not None for one, default in defaults}
    raise UnknownContractError(f"kernel.py defines no {entry}")
