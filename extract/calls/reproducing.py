"""Whether arguments bound to sizes give a call back that was seen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from kmaint.expression import evaluate
from kmaint.records.call import Call, Seen, SeenDtype, SeenSequence, SeenTensor
from kmaint.records.workload import Argument, Binding, Json


def reproduces(arguments: Sequence[Argument], binding: Mapping[str, Binding], call: Call) -> bool:
    """Whether the binding gives the call's shapes, dtypes, strides and values back."""
    return all(_reproduced(argument, binding, call.arguments.get(argument.name)) for argument in arguments)


def _reproduced(argument: Argument, binding: Mapping[str, Binding], seen: Seen) -> bool:
    if not evaluate(argument.when, binding):
        return seen is None
    if argument.kind == "value":
        return _same(argument.value, binding, seen)
    if not isinstance(seen, SeenTensor):
        return False
    shape = tuple(evaluate(size, binding) for size in argument.shape)
    strides = tuple(evaluate(stride, binding) for stride in argument.strides)
    laid_out = strides == seen.stride if strides else is_contiguous(seen)
    return shape == seen.shape and laid_out and binding.get(argument.dtype, argument.dtype) == seen.dtype


def _same(value: Json, binding: Mapping[str, Binding], seen: Seen) -> bool:
    match value, seen:
        case {"tuple": [*items]}, SeenSequence():
            return len(items) == len(seen.items) and all(map(lambda a, b: _same(a, binding, b), items, seen.items))
        case {"dtype": str(name)}, SeenDtype(dtype=dtype):
            return binding.get(name, name) == dtype
        case str(), _ if value.startswith("="):
            found = evaluate(value[1:], binding)
            near = isinstance(seen, float) and isinstance(found, float) and math.isclose(found, seen, rel_tol=1e-9)
            return found == seen or near
        case _:
            return value == seen


def is_contiguous(tensor: SeenTensor) -> bool:
    """Whether elements follow one another in row-major order; an axis of one element may have any stride."""
    step = 1
    for size, stride in zip(reversed(tensor.shape), reversed(tensor.stride), strict=True):
        if size != 1 and stride != step:
            return 0 in tensor.shape
        step *= size
    return True
