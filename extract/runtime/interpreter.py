"""Mends Triton's interpreter where it computes something else than a GPU does, or does the same work again and again.

Called before a kernel is loaded.

Copied unchanged into every harness. Does nothing where kernels are compiled.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import os
from collections.abc import Callable
from typing import Any

from .bfloat16 import bits_of_bfloat16, mend_bfloat16, widened


@functools.cache
def mend() -> None:
    """Everything below; each holds for Triton 3.6.0 to 3.7.1."""
    if os.environ.get("TRITON_INTERPRET") == "1":
        _mend_aliases()
        _mend_dot()
        mend_bfloat16()
        _mend_constants()
        _mend_autotuning()
        _mend_libdevice()
        _mend_dependent_launch()
        _mend_loops()
        _mend_patching()
        _mend_types()
        _mend_shapes()
        _mend_overflow()


def _mend_aliases() -> None:
    """Let `exp = tl.exp` of a module run: the interpreter rewires triton.language, not what was taken from it."""
    import triton.language as tl
    from triton.runtime import interpreter

    def runnable(builtin: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(builtin)
        def run(*given: object, **options: object) -> Any:
            return builtin(*given, **{"_semantic": interpreter.interpreter_semantic, **options})

        return run

    for module in (tl, tl.core, tl.math):
        for name, member in vars(module).copy().items():
            if tl.core.is_builtin(member) and not isinstance(member, type):
                setattr(module, name, runnable(member))


def _mend_dot() -> None:
    """Make tl.dot read bfloat16 as numbers: the interpreter multiplies their bit patterns."""
    from triton.runtime import interpreter

    builder = interpreter.InterpreterBuilder
    original = builder.create_dot

    def create_dot(self, a, b, d, *rest):  # type: ignore[no-untyped-def]
        return original(self, widened(a), widened(b), d, *rest)

    builder.create_dot = create_dot


def _mend_constants() -> None:
    """Let a number stand beside a bfloat16 tensor: the interpreter looks for a constant of a name that it lacks."""
    import numpy as np
    import triton.language as tl
    from triton.runtime import interpreter

    def get_bf16(_self: object, value: float) -> interpreter.TensorHandle:
        return interpreter.TensorHandle(bits_of_bfloat16(np.array([value], dtype=np.float32)), tl.bfloat16)

    if not hasattr(interpreter.InterpreterBuilder, "get_bf16"):
        interpreter.InterpreterBuilder.get_bf16 = get_bf16


def _mend_autotuning() -> None:
    """Take the first configuration that is left after pruning: there is no time to measure without a GPU."""
    from triton.runtime.autotuner import Autotuner

    prune = Autotuner.prune_configs

    def first_only(self, kwargs):  # type: ignore[no-untyped-def]
        return prune(self, kwargs)[:1]

    def untimed(*_args: object, **_kwargs: object) -> list[float]:
        return [0.0, 0.0, 0.0]

    Autotuner.prune_configs, Autotuner._bench = first_only, untimed  # noqa: SLF001 - no public hook


def _mend_libdevice() -> None:
    """Compute what CUDA's libdevice would, to the rounding of numpy: the interpreter has no such functions at all."""
    import importlib

    import numpy as np

    unary: dict[str, Callable[..., Any]] = {
        **{name: getattr(np, name) for name in ("tanh", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p")},
        **{name: getattr(np, name) for name in ("sqrt", "floor", "ceil", "trunc", "rint", "sin", "cos", "tan", "sinh")},
        **{name: getattr(np, name) for name in ("cosh", "cbrt", "abs")},
        "asin": np.arcsin,
        "acos": np.arccos,
        "atan": np.arctan,
        "fast_expf": np.exp,
        "fast_logf": np.log,
        "fast_log2f": np.log2,
        "fast_sinf": np.sin,
        "fast_cosf": np.cos,
        "fast_tanhf": np.tanh,
        "nearbyint": np.rint,
        "sqrt_rn": np.sqrt,
        "rcp_rn": np.reciprocal,
        "rsqrt": lambda x: 1 / np.sqrt(x),
        "isnan": np.isnan,
        "erf": np.vectorize(math.erf, otypes=[np.float64]),
        "round": lambda x: np.trunc(x + np.copysign(0.5, x)),  # halves away from zero
    }
    binary: dict[str, Callable[..., Any]] = {
        "div_rn": np.divide,
        "fast_dividef": np.divide,
        "mul_rn": np.multiply,
        "add_rn": np.add,
        "fmod": np.fmod,
        "sub_rn": np.subtract,
        "pow": np.power,
        "fast_powf": np.power,
        "copysign": np.copysign,
        "atan2": np.arctan2,
    }
    for name in ("triton.language.extra.libdevice", "triton.language.extra.cuda.libdevice"):
        module = importlib.import_module(name)
        for known, function in {**unary, **binary}.items():
            if hasattr(module, known):
                setattr(module, known, _elementwise(function, whole=known == "isnan"))


def _mend_dependent_launch() -> None:
    """Let waiting for the launch before, and letting the next one go, do nothing: here launches follow each other."""
    import triton.language as tl

    for name in ("gdc_wait", "gdc_launch_dependents"):
        if hasattr(tl.extra.cuda, name):
            setattr(tl.extra.cuda, name, lambda **_options: None)


def _elementwise(function: Callable[..., Any], *, whole: bool) -> Callable[..., Any]:
    """A numpy function for tensors of the interpreter; `whole` where the result is a number of 32 bits, not a float."""
    import numpy as np
    import triton.language as tl
    from triton.runtime import interpreter

    def computed(*given: Any, **_options: object) -> Any:
        semantic = interpreter.interpreter_semantic
        tensors = [semantic.to_tensor(one) for one in given]
        for one in tensors[1:]:
            tensors[0], _ = semantic.broadcast_impl_value(tensors[0], one)
        tensors[1:] = [semantic.broadcast_impl_value(one, tensors[0])[0] for one in tensors[1:]]
        with np.errstate(all="ignore"):
            found = np.asarray(function(*(one.handle.data for one in tensors)))
        scalar = tl.int32 if whole else tensors[0].dtype
        data = found.astype(np.int32 if whole else tensors[0].handle.data.dtype)
        shape = [int(size) for size in tensors[0].shape]
        return tl.tensor(interpreter.TensorHandle(data, scalar), tl.block_type(scalar, shape) if shape else scalar)

    return computed


def _mend_loops() -> None:
    """Let what `tl.range` counts be converted: on a GPU it is a tensor, in the interpreter a plain number."""
    import triton.language as tl
    from triton.runtime import interpreter

    class Counted(int):
        def to(self, *given: Any, **options: Any) -> Any:
            return interpreter.interpreter_semantic.to_tensor(int(self)).to(*given, **options)

    patch = interpreter._patch_lang  # noqa: SLF001 - no public hook

    def patch_loops(fn: Any) -> Any:
        scope, count = patch(fn), tl.range
        tl.range = lambda *given, **options: map(Counted, count(*given, **options))
        return scope

    interpreter._patch_lang = patch_loops  # noqa: SLF001 - no public hook


def _mend_patching() -> None:
    """Rewire triton.language once: the interpreter looks at each of its 500 names again for every call of a device
    function, which is most of the time of a small launch."""
    import triton.language as tl
    from triton.runtime import interpreter

    class Kept:
        @staticmethod
        def restore() -> None:
            """Nothing, so that triton.language stays as it is for the next launch."""

    patch, done = interpreter._patch_lang, set[frozenset[int]]()  # noqa: SLF001 - no public hook

    def patch_once(fn: Any) -> type[Kept]:
        langs = frozenset(id(value) for value in fn.__globals__.values() if value is tl or value is tl.core)
        if langs not in done:
            patch(fn)
            # Triton 3.6.0 has int(data) here, which numpy from 2.5 on refuses for an array of one element.
            tl.core.tensor.__index__ = lambda self: int(self.handle.data.item())
            done.add(langs)
        return Kept

    interpreter._patch_lang = patch_once  # noqa: SLF001 - no public hook


def _mend_types() -> None:
    """Look a type up in one table: the interpreter builds it anew for every value that it makes."""
    import numpy as np
    from triton.runtime import interpreter

    compute, known = interpreter._get_np_dtype, dict[str, Any]()  # noqa: SLF001 - no public hook
    pointer = interpreter.tl.pointer_type

    def look_up(given: Any) -> Any:
        element = getattr(given, "element_ty", given)
        if isinstance(given, pointer) or isinstance(element, pointer):
            return np.dtype(np.uint64)
        found = known.get(element.name)
        if found is None:
            found = known[element.name] = compute(element)
        return found

    interpreter._get_np_dtype = look_up  # noqa: SLF001 - no public hook


def _mend_shapes() -> None:
    """Wrap a shape up once, and broadcast only what has another: the interpreter does both for every value it makes."""
    import triton.language as tl
    from triton.runtime import interpreter

    core, semantic = tl.core, type(interpreter.interpreter_semantic)
    known = dict[tuple[int, ...], tuple[Any, Any]]()
    broadcast = semantic.broadcast_impl_value

    def wrapped(sizes: tuple[int, ...]) -> tuple[Any, Any]:
        if sizes not in known:
            known[sizes] = core.tuple([core.constexpr(size) for size in sizes]), core.constexpr(math.prod(sizes))
        return known[sizes]

    def begin(self: Any, handle: Any, type: Any) -> None:  # noqa: A002 - as triton calls it
        self.handle, self.type, self.dtype = handle, type, type.scalar
        self.shape, self.numel = wrapped(tuple(type.shape) if type.is_block() else ())

    def broadcast_others(self: Any, lhs: Any, rhs: Any) -> tuple[Any, Any]:
        return (lhs, rhs) if lhs.shape is rhs.shape else broadcast(self, lhs, rhs)

    core.tensor.__init__ = begin
    semantic.broadcast_impl_value = broadcast_others


def _mend_overflow() -> None:
    """Leave out what would tell whether a whole number overflows: it costs six operations for each, and without debug
    nobody asserts what it finds, here or on a GPU, where the compiler leaves it out too."""
    from triton.runtime import interpreter

    builder = interpreter.interpreter_builder
    if not builder.options.debug:
        builder.options = dataclasses.replace(builder.options, sanitize_overflow=False)
