"""Makes several calls one after another, as a server does and a test of single calls does not.

Copied unchanged into every harness. Each step makes one call: on new tensors or on those of the step before with other
bytes, from one place or another, with or without the red zones. What a step gives must not depend on any of that.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from .building import Call, build
from .cases import Case, Contract
from .outcomes import Leaf, Outcome, argument_leaves, lazy, returned_leaves
from .performing import Allocations, counted, error_of, filled, raised

SMALL = 1e-2

_equal, _collect, _objects = torch.equal, gc.collect, gc.get_objects  # as they are before any candidate


@dataclass(frozen=True)
class Step:
    """One call. `buffers` is "fresh" (new tensors), "refilled" (the tensors of the step before, with the bytes of this
    case) or "same" (the very objects of the step before, with the bytes they had before it).

    `edit` names a tensor argument of which one element, `at` this part of the way through it, then becomes that of
    another seed, or with `swap` changes places with the first; `other_values` gives every floating-point argument that
    is no tensor another value; `caller` is one of CALLERS; `guarded` is with red zones and filled memory; `bad` calls
    without a needed argument first.
    """

    case: Case
    buffers: str = "fresh"
    edit: str = ""
    at: float = 1.0
    swap: bool = False
    other_values: bool = False
    caller: str = "plain"
    guarded: bool = False
    bad: bool = False

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "case": self.case.to_json()}

    @staticmethod
    def of_json(data: dict[str, Any]) -> Step:
        return Step(**{**data, "case": Case(**data["case"])})


def perform_steps(
    entry: Callable[..., Any],
    contract: Contract,
    steps: Sequence[Step],
    device: str,
    running: Callable[[], bool] = lambda: False,
) -> list[Outcome]:
    """What each step's call did, read as it returned; what changed after that is a finding of the last outcome."""
    outcomes: list[Outcome] = []
    kept: list[Any] = []
    own: list[list[tuple[int, int]]] = []
    call: Call | None = None
    for step in steps:
        call = called_with(contract, step, call, device)
        given = {name: buffer.raw.clone() for name, buffer in call.buffers.items()}
        outcome, returned = _made(entry, step, call)
        if running():
            outcome.findings.append(("hidden_thread", "a thread that it started runs on after the call"))
        if not outcome.error:
            outcome.leaves = [*returned_leaves("return", returned, call), *argument_leaves(contract, call, given)]
        outcomes.append(outcome)
        kept.append(returned)
        own.append([_extent(buffer.raw) for buffer in call.buffers.values()])
    outcomes[-1].findings += [*_changed(outcomes, kept), *_reused(kept, own)]
    return outcomes


def called_with(contract: Contract, step: Step, before: Call | None, device: str) -> Call:
    """The step's arguments; without the call `before` it, in new memory, they hold the same."""
    call = build(contract, step.case, device)
    if before is not None and step.buffers != "fresh":
        for name, buffer in before.buffers.items():
            if name in call.buffers and buffer.raw.shape == call.buffers[name].raw.shape:
                # Past autograd: the version counter of the tensor does not tell that its bytes are others.
                buffer.raw.data.copy_(call.buffers[name].raw)
                call.buffers[name] = buffer
                call.arguments[name] = before.arguments[name]
    if step.edit in call.buffers:
        _edit(contract, step, call, device)
    if step.other_values:
        for name, value in call.arguments.items():
            if type(value) is float:  # a small one is an epsilon, whose double nobody would notice
                call.arguments[name] = value * 1.75 if abs(value) >= SMALL else 0.25
    return call


def _edit(contract: Contract, step: Step, call: Call, device: str) -> None:
    """Change one element of one tensor."""
    other = build(contract, step.case.but(seed=step.case.seed + 77), device).buffers[step.edit].view
    view = call.buffers[step.edit].view.data
    if not view.numel() or other.shape != view.shape:
        return
    rest, at = round(step.at * (view.numel() - 1)), list[int]()
    for size in reversed(view.shape):
        at.insert(0, rest % size)
        rest //= size
    first = (0,) * view.dim()
    if step.swap:
        view[first], view[tuple(at)] = view[tuple(at)].clone(), view[first].clone()
    else:
        view[tuple(at)] = other[tuple(at)]


def _made(entry: Callable[..., Any], step: Step, call: Call) -> tuple[Outcome, Any]:
    if step.bad:
        with contextlib.suppress(*raised()):
            entry(**{**call.arguments, next(iter(call.buffers)): None})
    findings: list[tuple[str, str]] = []
    allocations = Allocations()
    guards = (filled(findings), allocations) if step.guarded else ()
    with counted() as launches, contextlib.ExitStack() as stack:
        for one in guards:
            stack.enter_context(one)
        try:
            returned = CALLERS[step.caller](entry, call.arguments)
            if torch.cuda.is_available():
                torch.cuda.synchronize()
        except raised() as error:
            return Outcome([], error_of(error), findings=findings), None
    if why := lazy(returned):
        findings.append(("lazy_output", f"returns {why}"))
    return Outcome([], overrun=allocations.overrun(), findings=findings, launches=len(launches)), returned


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if type(value) is torch.Tensor and value.layout is torch.strided and not value.is_meta:
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _tensors(item)


def _changed(outcomes: Sequence[Outcome], kept: Sequence[Any]) -> Iterator[tuple[str, str]]:
    """Results that are no longer what they were as their call returned; those that share memory with another are not
    looked at here."""
    spans = [[_span(value) for value in _tensors(returned)] for returned in kept]
    for index, (outcome, returned) in enumerate(zip(outcomes, kept, strict=True)):
        others = [span for number, some in enumerate(spans) if number != index for span in some]
        now: list[Leaf] = [] if outcome.error else list(returned_leaves("return", returned, Call({}, {})))
        was = [leaf for leaf in outcome.leaves if not leaf.path.startswith("argument")]
        for before, after in zip(was, now, strict=False):
            if before.alias or before.kind != "tensor" or _equal(before.raw, after.raw):
                continue
            if not any(_overlap(_span(value), other) for value in _tensors(returned) for other in others):
                yield "changed_after_return", f"{before.path} of call {index + 1} changed after the call had returned"


def _reused(kept: Sequence[Any], own: Sequence[Sequence[tuple[int, int]]]) -> Iterator[tuple[str, str]]:
    """Results of two calls in the same memory, where it is not that of an argument of either."""
    seen: list[tuple[int, tuple[int, int]]] = []
    for index, returned in enumerate(kept):
        for value in _tensors(returned):
            span = _span(value)
            if any(_overlap(span, other) for other in own[index]):
                continue
            for number, other in seen:
                if number != index and _overlap(span, other):
                    yield (
                        "reused_output",
                        f"the result of call {index + 1} is in the memory of that of call {number + 1}",
                    )
                    return
            seen.append((index, span))


def _span(value: torch.Tensor) -> tuple[int, int]:
    """First and last byte address of a tensor, the same where it is empty."""
    if not value.numel():
        return 0, 0
    reach = sum((size - 1) * stride for size, stride in zip(value.shape, value.stride(), strict=True))
    return value.data_ptr(), value.data_ptr() + (reach + 1) * value.element_size()


def _extent(raw: torch.Tensor) -> tuple[int, int]:
    return raw.data_ptr(), raw.data_ptr() + raw.numel()


def _overlap(left: tuple[int, int], right: tuple[int, int]) -> bool:
    return max(left[0], right[0]) < min(left[1], right[1])


def growth(entry: Callable[..., Any], contract: Contract, cases: Sequence[Case], device: str) -> list[int]:
    """Bytes of tensors alive after each third of these calls, whose results and arguments are gone by then."""
    alive = []
    for number, case in enumerate(cases, start=1):
        call = build(contract, case, device)
        with contextlib.suppress(*raised()):
            entry(**call.arguments)
        del call
        if number % (len(cases) // 3) == 0:
            _collect()
            alive.append(torch.cuda.memory_allocated() if device == "cuda" else _live_bytes())
    return alive


def _live_bytes() -> int:
    """Of all tensors that Python's garbage collector knows, each storage once."""
    storages = {}
    for one in _objects():
        if issubclass(type(one), torch.Tensor) and one.layout is torch.strided and not one.is_meta:
            storage = one.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
    return sum(storages.values())


# --- Where a call comes from


def _plain(entry: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    return entry(**arguments)


def _deep(entry: Callable[..., Any], arguments: dict[str, Any], depth: int = 40) -> Any:
    return _deep(entry, arguments, depth - 1) if depth else entry(**arguments)


def _from(file: str, name: str) -> Callable[..., Any]:
    """A caller of another name in another file, as a frame shows them."""
    code = compile(f"def {name}(entry, arguments):\n    return entry(**arguments)\n", file, "exec")
    scope: dict[str, Any] = {"__name__": file.rpartition("/")[2].removesuffix(".py")}
    exec(code, scope)  # noqa: S102 - two lines of our own
    function: Callable[..., Any] = scope[name]
    return function


def _in_mode(mode: Callable[[], Any]) -> Callable[..., Any]:
    def called(entry: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        with mode():
            return entry(**arguments)

    return called


CALLERS: dict[str, Callable[[Callable[..., Any], dict[str, Any]], Any]] = {
    "plain": _plain,
    "deep": _deep,
    "server": _from("/srv/sglang/model_runner.py", "forward"),
    "benchmark": _from("/srv/triton/testing.py", "do_bench"),
    "test": _from("/srv/tests/test_kernel.py", "test_kernel"),
    "without gradients": _in_mode(torch.no_grad),
    "with gradients": _in_mode(torch.enable_grad),
    "in inference mode": _in_mode(torch.inference_mode),
}
