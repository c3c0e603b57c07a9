"""What a followed program finds outside its tree: Python's own functions, torch's, and those of test tools."""

from __future__ import annotations

import builtins
import copy
import functools
import itertools
import math
import operator
import random
import re
import types
from collections.abc import Callable
from typing import Any

import torch

from . import tensors
from .values import RAISED, Ended, Function, Instance, Named, Parameters, Unknown, Value, unknown_in

PURE = frozenset(
    {
        "abs",
        "all",
        "any",
        "bool",
        "bytes",
        "complex",
        "dict",
        "divmod",
        "enumerate",
        "filter",
        "float",
        "frozenset",
        "int",
        "len",
        "list",
        "map",
        "max",
        "min",
        "next",
        "pow",
        "range",
        "repr",
        "reversed",
        "round",
        "set",
        "slice",
        "sorted",
        "str",
        "sum",
        "tuple",
        "zip",
        "iter",
        "hasattr",
        "callable",
        "chr",
        "ord",
        "format",
    }
)
"""Python's own functions that do no more than compute."""

CONSTANTS: dict[str, Value] = {
    "torch.cuda.is_available": True,
    "torch.cuda.device_count": 1,
    "torch.cuda.current_device": 0,
    "torch.cuda.get_device_capability": (9, 0),
    "torch.cuda.get_device_name": "NVIDIA H200",
    "torch.cuda.is_current_stream_capturing": False,
    "vllm.platforms.current_platform.fp8_dtype": torch.float8_e4m3fn,
    "vllm.platforms.current_platform.is_pin_memory_available": True,
    "torch.accelerator.is_available": True,
    "torch.accelerator.device_count": 1,
    "torch.accelerator.current_device_index": 0,
    "torch.compiler.is_compiling": False,
    "torch.compiler.is_dynamo_compiling": False,
    "torch.is_grad_enabled": False,
    "torch.xpu.is_available": False,
    "torch.backends.mps.is_available": False,
}
"""What a call of these answers on the machine that is read for: one H200."""

VALUES: dict[str, Value] = {
    "typing.TYPE_CHECKING": False,
    "TYPE_CHECKING": False,
    "HAS_TRITON": True,
    "torch.version.cuda": "13.0",
    "torch.version.hip": None,
    "torch.version.xpu": None,
}
ALIASES = {
    "vllm.triton_utils.triton": "triton",
    "vllm.triton_utils.tl": "triton.language",
    "vllm.triton_utils.importing.HAS_TRITON": "HAS_TRITON",
    "vllm.triton_utils.HAS_TRITON": "HAS_TRITON",
    "vllm.utils.FlexibleArgumentParser": "argparse.ArgumentParser",
    "vllm.utils.argparse_utils.FlexibleArgumentParser": "argparse.ArgumentParser",
}
"""What vLLM hands on under names of its own: its placeholders are for machines without Triton."""

NUMPY = {
    **{name: name for name in ("arange", "ascontiguousarray", "cumsum", "empty", "full", "maximum", "minimum", "ones")},
    **{name: name for name in ("repeat", "zeros", "int8", "int16", "int32", "int64", "uint8", "float16", "float32")},
    "array": "tensor",
    "asarray": "tensor",
    "bool_": "bool",
    "concatenate": "cat",
}
"""What of numpy torch computes as well, and under which name: a followed program's arrays are tensors."""

PARALLEL = re.compile(r"(vllm|sglang\.srt)\.distributed\.parallel_state\.get_\w+_group")
"""A group of processes: on one GPU, each is of one."""
ENDING = frozenset({"pytest.skip", "pytest.fail", "pytest.xfail", "pytest.exit", "sys.exit", "os._exit", "exit"})
TRANSPARENT = frozenset({"torch.compile", "torch._dynamo.disable", "torch.compiler.disable", "staticmethod"})
ALONE = {"world_size": 1, "rank": 0, "rank_in_group": 0, "local_rank": 0, "is_first_rank": True, "is_last_rank": True}
RANDOM = frozenset({"randint", "random", "choice", "choices", "sample", "uniform", "shuffle", "randrange", "seed"})


def call(name: str, arguments: list[Value], named: dict[str, Value]) -> Value:
    """What a function outside the tree gives back. Functions handed to an unknown one are called once."""
    if name in CONSTANTS:
        return CONSTANTS[name]
    if name in ENDING:
        raise Ended(name)
    if name in TRANSPARENT and arguments:
        return arguments[0]
    if PARALLEL.fullmatch(name):
        return Instance(None, dict(ALONE))
    if known := SPECIAL.get(name):
        return known(arguments, named)
    root, _, rest = name.partition(".")
    if root in ("math", "itertools", "operator", "functools", "random", "copy"):
        return _plain(root, rest, arguments, named)
    if root == "torch":
        function = tensors.find(name)
        if isinstance(function, Unknown):
            call_back([*arguments, *named.values()])
            return function
        return tensors.apply(function, arguments, named) if callable(function) else function
    call_back([*arguments, *named.values()])
    return Unknown(f"what {name} gives back")


def call_back(arguments: list[Value]) -> None:
    """A timer calls what it is given: `do_bench(lambda: launcher(x))`."""
    for one in arguments:
        if isinstance(one, Function) and not one.parameters():
            one()


def _plain(root: str, rest: str, arguments: list[Value], named: dict[str, Value]) -> Value:
    if root == "random":
        found: Any = getattr(SEEDED, rest, None) if rest in RANDOM else None
    else:
        found = getattr({"math": math, "itertools": itertools, "operator": operator, "functools": functools}[root]
                        if root != "copy" else COPY, rest, None)  # fmt: skip
    if found is None:
        return Unknown(f"{root}.{rest} is not followed")
    return plain(found, arguments, named)


def plain(function: Callable[..., Any], arguments: list[Value], named: dict[str, Value]) -> Value:
    """A function of Python's own, on values all of which are known."""
    if missing := unknown_in([arguments, named], 2):
        return missing
    try:
        found = function(*arguments, **named)
    except RAISED as error:
        return Unknown(f"{getattr(function, '__name__', function)}: {error}")
    return list(found) if isinstance(found, types.GeneratorType | map | filter | zip | itertools.chain) else found


def _copied(value: Value) -> Value:
    return value.clone() if isinstance(value, torch.Tensor) else copy.copy(value) if _is_plain(value) else value


def _is_plain(value: Value) -> bool:
    return isinstance(value, (list, dict, tuple, set))


COPY = types.SimpleNamespace(deepcopy=_copied, copy=_copied)
SEEDED = random.Random(0)  # noqa: S311 - test data


def _device(arguments: list[Value], _named: dict[str, Value]) -> Value:
    match arguments:
        case [str() as name]:
            return torch.device(name)
        case [torch.device() as one]:
            return one
        case _:
            return torch.device("cuda", 0)


def _divided(arguments: list[Value], _named: dict[str, Value]) -> Value:
    return plain(lambda a, b: -(-a // b), arguments, {})


def _power(arguments: list[Value], _named: dict[str, Value]) -> Value:
    return plain(lambda n: 1 << max(0, int(n) - 1).bit_length(), arguments, {})


def _parameter(arguments: list[Value], _named: dict[str, Value]) -> Value:
    return Parameters(tuple(arguments))


def _bag(_arguments: list[Value], named: dict[str, Value]) -> Value:
    return Instance(None, dict(named))


def _sized(arguments: list[Value], _named: dict[str, Value]) -> Value:
    return plain(torch.Size, arguments, {})


def _properties(_arguments: list[Value], _named: dict[str, Value]) -> Value:
    return Instance(None, {"multi_processor_count": 132, "major": 9, "minor": 0, "name": "NVIDIA H200",
                           "warp_size": 32, "total_memory": 141 << 30})  # fmt: skip


ENVIRONMENT: dict[str, Value] = {}
"""The settings that the test being read makes; there are no others."""


def _environment(arguments: list[Value], named: dict[str, Value]) -> Value:
    if arguments and (found := ENVIRONMENT.get(str(arguments[0]))) is not None:
        return found
    return arguments[1] if len(arguments) > 1 else named.get("default")


def _field(_arguments: list[Value], named: dict[str, Value]) -> Value:
    if "default" in named:
        return named["default"]
    made = named.get("default_factory")
    return made() if made in (list, dict, set) or isinstance(made, Function) else Unknown("a field without a default")


def _replaced(arguments: list[Value], named: dict[str, Value]) -> Value:
    if not (arguments and isinstance(arguments[0], Instance)):
        return Unknown("replacing fields of something else")
    return Instance(arguments[0].of, {**arguments[0].attributes, **named})


def _same(arguments: list[Value], _named: dict[str, Value]) -> Value:
    return arguments[0] if arguments else Unknown("no argument")


class Arguments:
    """A program's `argparse` parser on an empty command line: each option at its default."""

    def __init__(self) -> None:
        self._parsed = Instance(None)

    def add_argument(self, *names: str, **options: Value) -> None:
        """An option; where it must be given, the first of its choices."""
        name = options.get("dest") or max(names, key=len).lstrip("-").replace("-", "_")
        absent: Value = {"store_true": False, "store_false": True}.get(str(options.get("action")))
        if (choices := options.get("choices")) and options.get("required"):
            absent = next(iter(choices))
        elif options.get("required") or not names[0].startswith("-"):
            absent = Unknown(f"{names[0]} is not given")
        self._parsed.attributes[name] = options.get("default", absent)

    def parse_args(self, *_arguments: Value) -> Instance:
        """The options' values."""
        return self._parsed

    def parse_known_args(self, *_arguments: Value) -> tuple[Instance, list[str]]:
        """The same, and nothing that is left over."""
        return self._parsed, []

    def add_argument_group(self, *_arguments: Value, **_named: Value) -> Arguments:
        """The parser itself: only a help text tells groups apart."""
        return self

    add_mutually_exclusive_group = add_argument_group


def _parser(_arguments: list[Value], _named: dict[str, Value]) -> Value:
    return Arguments()


def _range(kind: Callable[..., Any]) -> Callable[[list[Value], dict[str, Value]], Value]:
    return lambda arguments, named: plain(kind, arguments, named)


SPECIAL: dict[str, Callable[[list[Value], dict[str, Value]], Value]] = {
    "torch.device": _device,
    "torch.Size": _sized,
    "torch.finfo": _range(torch.finfo),
    "torch.iinfo": _range(torch.iinfo),
    "torch.cuda.get_device_properties": _properties,
    "triton.cdiv": _divided,
    "triton.next_power_of_2": _power,
    "pytest.param": _parameter,
    "types.SimpleNamespace": _bag,
    "argparse.Namespace": _bag,
    "argparse.ArgumentParser": _parser,
    "os.getenv": _environment,
    "os.environ.get": _environment,
    "dataclasses.field": _field,
    "dataclasses.replace": _replaced,
    "torch.from_numpy": _same,
    "vllm.utils.torch_utils.get_accelerator_view_from_cpu_tensor": _same,
}


def builtin(name: str) -> Value:
    """What a name means where no scope binds it."""
    if name in PURE or (name in vars(builtins) and isinstance(vars(builtins)[name], type)):
        return vars(builtins)[name]
    return Named(name)
