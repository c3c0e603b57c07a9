"""Tensors of a followed program: torch itself says their shapes, strides and dtypes, on its meta device."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import torch

from .values import RAISED, Unknown, Value, unknown_in

MOST_ELEMENTS = 1 << 14
"""A tensor of more has no contents: lengths, offsets and block tables of tests are smaller."""

MOST_KEPT = 4096
"""Values that a call keeps of an index tensor, as a live capture does."""

DEVICE = re.compile(r"(?:cuda|cpu|meta|xpu|hip|npu|musa)(?::\d+)?$")
DROPPED = frozenset({"device", "pin_memory", "non_blocking", "generator", "memory_format", "requires_grad", "out"})
FRESH = frozenset(
    {
        "arange",
        "empty",
        "empty_strided",
        "eye",
        "full",
        "linspace",
        "ones",
        "rand",
        "randint",
        "randn",
        "randperm",
        "tensor",
        "zeros",
        "as_tensor",
    }
)
UNWRITTEN = frozenset({"empty", "empty_strided", "empty_like", "new_empty"})
REFUSED = frozenset(
    {
        "load",
        "save",
        "compile",
        "ops",
        "library",
        "jit",
        "distributed",
        "multiprocessing",
        "hub",
        "utils",
        "export",
        "onnx",
        "fx",
        "package",
        "overrides",
        "set_default_device",
        "set_default_dtype",
        "from_file",
        "frombuffer",
        "from_dlpack",
    }
)
"""Parts of torch that do more than compute."""


def warm() -> None:
    """Have torch import what its meta device needs, which takes a second or two, before it is asked to hurry."""
    matrix = torch.empty(2, 2, device="meta")
    torch.cat([matrix @ matrix, matrix + 1]).sum()


def find(name: str) -> Value:
    """What `torch.NAME` is, for the parts of torch that only compute; Unknown for the rest."""
    parts = name.split(".")[1:]
    deep = len(parts) > 1 and parts[0] not in ("nn", "linalg", "special", "Tensor", "nn.functional")
    if not parts or parts[0] in REFUSED or deep:
        return Unknown(f"{name} is not followed")
    found: Any = torch
    for part in parts:
        found = getattr(found, part, None)
        if found is None:
            return Unknown(f"torch has no {name}")
    return found


def apply(function: Callable[..., Any], arguments: list[Value], named: dict[str, Value]) -> Value:
    """What torch answers; Unknown, with torch's own reason, where it needs contents that are not there."""
    if missing := unknown_in([arguments, named]):
        return missing
    name = getattr(function, "__name__", str(function))
    arguments = [one for one in arguments if not _is_device(one)]
    named = {key: value for key, value in named.items() if key not in DROPPED}
    try:
        if name in FRESH and not _tensors([arguments, named]):
            return _fresh(function, name, arguments, named)
        if any(one.is_meta for one in _tensors([arguments, named])):
            return function(*_bare(arguments), **_bare(named))
        if name in UNWRITTEN or _grows(function, arguments, named):
            return function(*_bare(arguments), **_bare(named))
        return function(*arguments, **named)
    except RAISED as error:
        return Unknown(f"{name}: {(str(error).splitlines() or [type(error).__name__])[0][:120]}")


def _fresh(function: Callable[..., Any], name: str, arguments: list[Value], named: dict[str, Value]) -> Value:
    if name in ("tensor", "as_tensor"):
        return function(*arguments, **named)
    bare = function(*arguments, **named, device="meta")
    return bare if name in UNWRITTEN or bare.numel() > MOST_ELEMENTS else function(*arguments, **named)


def _grows(function: Callable[..., Any], arguments: list[Value], named: dict[str, Value]) -> bool:
    """Whether the result is too large to have contents; an operation that needs contents to say so is taken as not."""
    if sum(one.numel() for one in _tensors([arguments, named])) == 0:
        return False
    try:
        result = function(*_bare([_copied(one) for one in arguments]), **_bare(named))
    except RAISED:
        return False
    return any(one.numel() > MOST_ELEMENTS for one in _tensors(result))


def _copied(value: Value) -> Value:
    return list(value) if isinstance(value, list) else value


def _is_device(value: Value) -> bool:
    return isinstance(value, torch.device) or (isinstance(value, str) and DEVICE.match(value) is not None)


def _tensors(values: object) -> list[torch.Tensor]:
    if isinstance(values, torch.Tensor):
        return [values]
    if isinstance(values, dict):
        return _tensors(list(values.values()))
    if isinstance(values, (list, tuple)):
        return [found for one in values for found in _tensors(one)]
    return []


def _bare(values: Value) -> Value:
    """The same with every tensor's contents left away."""
    if isinstance(values, torch.Tensor):
        return values if values.is_meta else _without_contents(values)
    if isinstance(values, dict):
        return {key: _bare(value) for key, value in values.items()}
    if isinstance(values, (list, tuple)) and not isinstance(values, torch.Size):
        return type(values)(_bare(value) for value in values)
    return values


def _without_contents(tensor: torch.Tensor) -> torch.Tensor:
    if tensor.dim() == 0:
        return torch.empty((), dtype=tensor.dtype, device="meta")
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")


def attribute(tensor: torch.Tensor, name: str) -> Value:
    """A tensor's attribute, as it would be on a GPU."""
    match name:
        case "device":
            return torch.device("cuda", 0)
        case "is_cuda":
            return True
        case "is_meta" | "is_cpu" | "is_xpu":
            return False
        case "data":
            return tensor
        case "numpy" | "asnumpy":
            return lambda *_arguments, **_named: tensor
        case "astype":
            name = "to"
        case "data_ptr" | "storage" | "untyped_storage":
            return Unknown(f"{name} of a tensor")
        case "cuda" | "cpu" | "pin_memory" | "requires_grad_":
            return lambda *_arguments, **_named: tensor
        case _:
            pass
    try:
        found = getattr(tensor, name)
    except RAISED as error:
        return Unknown(f"tensor.{name}: {error}")
    if not callable(found):
        return found
    method = getattr(torch.Tensor, name)
    return lambda *arguments, **named: apply(method, [tensor, *arguments], named)


def set_item(tensor: torch.Tensor, index: Value, value: Value) -> None:
    """`tensor[index] = value`: neither shape nor stride change, so it matters to a tensor with contents only."""
    if tensor.is_meta:
        return
    if unknown_in([index, value]) or any(one.is_meta for one in _tensors([index, value])):
        tensor.zero_()  # what of it was written is not known; zeros are in range of whatever it indexes
        return
    try:
        tensor[index] = value
    except RAISED:
        return


def seen(tensor: torch.Tensor, kept: list[torch.Tensor]) -> dict[str, Value]:
    """The tensor as a call's record has it. `kept` holds tensors alive, so that no two storages share a number."""
    kept.append(tensor)
    storage: Any = tensor.untyped_storage()
    found: dict[str, Value] = {
        "shape": list(tensor.shape),
        "stride": list(tensor.stride()),
        "dtype": str(tensor.dtype).removeprefix("torch."),
        "storage": storage._cdata,  # noqa: SLF001 - a meta tensor has no address to tell its storage by
        "offset": tensor.storage_offset(),
    }
    whole = not tensor.dtype.is_floating_point and not tensor.dtype.is_complex and tensor.dtype is not torch.bool
    if whole and not tensor.is_meta and tensor.numel():
        flat = tensor.reshape(-1)
        found["values"] = flat[:MOST_KEPT].tolist()
        found["low"], found["high"] = int(flat.min()), int(flat.max())
    return found
