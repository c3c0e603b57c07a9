"""From calls to a contract: which sizes are one axis, which follow from others, and which calls become workloads."""

from __future__ import annotations

import itertools
import keyword
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from extract.calls.axes import axis_of, constraints_of
from extract.calls.choosing import workloads_of
from extract.calls.contents import content_of
from extract.calls.dimensions import Names, parameter_name
from extract.calls.relations import Column, related
from extract.calls.reproducing import is_contiguous, reproduces
from extract.derived import NotDerivable
from extract.models import dimension_of
from kmaint.expression import FUNCTIONS
from kmaint.records.call import Call, Seen, SeenDtype, SeenObject, SeenSequence, SeenTensor
from kmaint.records.workload import Argument, Binding, Contract, Json

RESERVED = frozenset({*FUNCTIONS, *keyword.kwlist, "seed", "values", "layout", "within"})


@dataclass
class _Problem:
    """The calls, all of one form, and what has been found of them: each axis with its value in every call."""

    calls: list[Call]
    names: Names
    axes: dict[str, tuple[Binding | None, ...]] = field(default_factory=dict)
    expressions: dict[Column, str] = field(default_factory=dict)

    def sizes(self) -> dict[str, Column]:
        """The axes that are sizes."""
        return {
            name: column  # type: ignore[misc]
            for name, column in self.axes.items()
            if all(value is None or type(value) is int for value in column)
        }

    def new_axis(self, wanted: str, column: tuple[Binding | None, ...]) -> str:
        """An axis of that name, or of the nearest free one."""
        stem = wanted if wanted.isidentifier() and wanted not in RESERVED else f"{wanted}_"
        name = next(
            n for n in itertools.chain([stem], (f"{stem}_{i}" for i in itertools.count(2))) if n not in self.axes
        )
        self.axes[name] = column
        return name


def solve(calls: Sequence[Call], parameters: Sequence[str], *, names: Names | None = None) -> Contract:
    """The contract that admits exactly the form of these calls, with the heaviest and most different as workloads.

    Every call that is kept is reproduced by its binding of the axes: shapes, dtypes, strides and scalars. NotDerivable
    where no call has a form that a harness can make.
    """
    kept = _of_one_form([call for call in calls if all(_possible(value) for value in call.arguments.values())])
    if not kept:
        raise NotDerivable(f"none of {len(calls)} calls seen has arguments that a harness can make")
    problem = _Problem(kept, names or {})
    given = [name for name in parameters if any(name in call.arguments for call in kept)]
    _find_sizes(problem, given)
    arguments = tuple(_argument(problem, name) for name in given)
    bindings = [_binding(problem, i) for i in range(len(kept))]
    reproduced = [i for i, binding in enumerate(bindings) if reproduces(arguments, binding, kept[i])]
    if not reproduced:
        raise NotDerivable(f"none of {len(calls)} calls seen could be put in terms of axes")
    axes = tuple(axis_of(name, [bindings[i][name] for i in reproduced]) for name in problem.axes)
    return Contract(
        axes=axes,
        arguments=arguments,
        constraints=tuple(constraints_of(axes, [bindings[i] for i in reproduced])),
        workloads=tuple(workloads_of([bindings[i] for i in reproduced], [kept[i] for i in reproduced])),
    )


def _possible(value: Seen) -> bool:
    match value:
        case SeenObject():
            return False
        case SeenSequence(items=items):
            return all(not isinstance(one, SeenTensor) and _possible(one) for one in items)
        case _:
            return True


def _of_one_form(calls: Sequence[Call]) -> list[Call]:
    """The calls of the commonest form: the same tensors of the same ranks; an argument may be None in some."""
    forms: Counter[tuple[tuple[str, str], ...]] = Counter()
    for call in calls:
        forms[_form(call)] += call.count
    if not forms:
        return []
    common = max(forms, key=lambda form: (forms[form], sum(kind != "None" for _, kind in form)))
    wanted = dict(common)
    for form, _ in forms.most_common():
        for name, kind in form:
            if wanted.get(name) == "None":
                wanted[name] = kind
    return [call for call in calls if all(kind in ("None", wanted.get(name)) for name, kind in _form(call))]


def _form(call: Call) -> tuple[tuple[str, str], ...]:
    return tuple((name, _kind(value)) for name, value in sorted(call.arguments.items()))


def _kind(value: Seen) -> str:
    match value:
        case SeenTensor(shape=shape):
            return f"tensor of rank {len(shape)}"
        case SeenSequence(items=items):
            return f"sequence of {len(items)}"
        case SeenDtype():
            return "dtype"
        case None:
            return "None"
        case _:
            return "value"


def _find_sizes(problem: _Problem, given: Sequence[str]) -> None:
    """Give every distinct column of sizes an expression: smaller ones are axes, larger ones follow where they can."""
    scalars = {_column(problem, name): name for name in given if _is_size(problem, name)}
    labels: dict[Column, str] = {}
    places: dict[Column, str] = {}
    for name in given:
        columns = list(_dimensions(problem, name))
        for i, column in enumerate(columns):
            places.setdefault(column, f"{name}_{i}")
            if label := problem.names.get((name, i)) or problem.names.get((name, i - len(columns))):
                labels.setdefault(column, label)
    for column in sorted(places, key=lambda column: (None in column, sum(value or 0 for value in column))):
        relation = related(column, problem.sizes())
        if relation is not None:
            problem.expressions[column] = relation.expression
            continue
        names = scalars.get(column), labels.get(column), parameter_name(column, problem.calls)
        known = [one for one in names if one]
        # a name that says which size it is goes before one that does not, as `n` does not
        name = next((one for one in known if dimension_of(one)), known[0] if known else places[column])
        problem.expressions[column] = problem.new_axis(name, column)


def _column(problem: _Problem, name: str) -> Column:
    return tuple(v if type(v := call.arguments.get(name)) is int else None for call in problem.calls)


def _is_size(problem: _Problem, name: str) -> bool:
    return all(type(call.arguments.get(name)) is int for call in problem.calls)


def _tensors(problem: _Problem, name: str) -> list[SeenTensor | None]:
    found = [call.arguments.get(name) for call in problem.calls]
    return [one if isinstance(one, SeenTensor) else None for one in found]


def _dimensions(problem: _Problem, name: str) -> Iterator[Column]:
    tensors = _tensors(problem, name)
    rank = next((len(one.shape) for one in tensors if one is not None), 0)
    for i in range(rank):
        yield tuple(None if one is None else one.shape[i] for one in tensors)


def _argument(problem: _Problem, name: str) -> Argument:
    values = [call.arguments.get(name) for call in problem.calls]
    absent = [value is None for value in values]
    when = "True"
    if any(absent) and not all(absent):
        when = _expression(problem, f"has_{name}", tuple(not one for one in absent))
    if not any(isinstance(value, SeenTensor) for value in values):
        return Argument(name=name, kind="value", when=when, value=_value(problem, name, values))
    tensors = _tensors(problem, name)
    shape = tuple(problem.expressions[column] for column in _dimensions(problem, name))
    dtypes = tuple(None if one is None else one.dtype for one in tensors)
    kind, bound = content_of(tensors, problem.sizes())
    return Argument(
        name=name,
        kind="tensor",
        shape=shape,
        dtype=_dtype(problem, dtypes),
        values=kind,
        bound=bound,
        strides=_strides(problem, name, tensors),
        when=when,
    )


def _dtype(problem: _Problem, dtypes: tuple[str | None, ...]) -> str:
    present = {dtype for dtype in dtypes if dtype is not None}
    return present.pop() if len(present) == 1 else _expression(problem, "DT", dtypes)


def _expression(problem: _Problem, wanted: str, column: tuple[Binding | None, ...]) -> str:
    """The axis that has these values in every call, made where there is none."""
    for name, values in problem.axes.items():
        if all(
            mine is None or (mine == its and type(mine) is type(its)) for mine, its in zip(column, values, strict=True)
        ):
            return name
    return problem.new_axis(wanted, column)


def _strides(problem: _Problem, name: str, tensors: Sequence[SeenTensor | None]) -> tuple[str, ...]:
    """Strides over the axes; empty where the tensor is contiguous in every call."""
    present = [one for one in tensors if one is not None]
    if all(is_contiguous(one) for one in present):
        return ()
    found = []
    for i in range(len(present[0].shape)):
        column: Column = tuple(None if one is None else one.stride[i] for one in tensors)
        constant = {value for value in column if value is not None}
        relation = related(column, problem.sizes())
        if len(constant) == 1 and (relation is None or constant <= {0, 1}):
            found.append(str(constant.pop()))
        else:
            found.append(relation.expression if relation else problem.new_axis(f"{name}_stride_{i}", column))
    return tuple(found)


def _value(problem: _Problem, name: str, values: Sequence[Seen]) -> Json:
    present = [value for value in values if value is not None]
    if not present:
        return None
    first = present[0]
    if isinstance(first, SeenSequence):
        columns = [
            [v.items[i] if isinstance(v, SeenSequence) else None for v in values] for i in range(len(first.items))
        ]
        return {"tuple": [_value(problem, f"{name}_{i}", column) for i, column in enumerate(columns)]}
    if isinstance(first, SeenDtype):
        return {"dtype": _dtype(problem, tuple(v.dtype if isinstance(v, SeenDtype) else None for v in values))}
    column = tuple(v if isinstance(v, (bool, int, float, str)) else None for v in values)
    if all(type(v) is int for v in present):
        relation = related(tuple(v if type(v) is int else None for v in column), problem.sizes())
        if relation is not None and (len(set(present)) > 1 or present[0] not in (0, 1)):
            return f"={relation.expression}"
    for axis, sizes in problem.sizes().items():
        if all(_is_root(v, size) for v, size in zip(values, sizes, strict=True) if v is not None):
            return f"=1 / sqrt({axis})"
    if len({(type(v), v) for v in present}) == 1:
        return column[values.index(first)]
    return f"={_expression(problem, name, column)}"


def _is_root(value: Seen, size: int | None) -> bool:
    return isinstance(value, float) and size is not None and size > 1 and math.isclose(value, size**-0.5, rel_tol=1e-9)


def _binding(problem: _Problem, i: int) -> dict[str, Binding]:
    """Every axis's value in call i; where it has none, the one that is commonest."""
    found: dict[str, Binding] = {}
    for name, column in problem.axes.items():
        value = column[i]
        if value is None:
            value = Counter(one for one in column if one is not None).most_common(1)[0][0]
        found[name] = value
    return found
