"""Derives how to call a kernel at its own level, where no launcher can come along: read, run on nothing, fit, verify.

A draft from the texts of the kernel and its launches is run on virtual memory until it comes through; what was touched
there on three sets of sizes gives each tensor its shape. Believed is only what then runs on tensors of those shapes,
without an error and without an access outside them, with results that follow from what was given.
"""

from __future__ import annotations

import ast
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from extract.derived import Derived, NotDerivable, Subject
from extract.deriving.derive_guess import class_of
from extract.deriving.direct_draft import Draft, Pointer, evaluated, first_draft, names, virtual_strides, with_axis
from extract.deriving.direct_fit import SETS, Term, fitted
from extract.deriving.direct_prober import ALL, FIRST_ONLY, Answer, Effort, Prober, Request
from extract.deriving.direct_read import KernelText, read_kernel
from extract.deriving.direct_site import Site, read_sites
from extract.models import tried_workloads
from kmaint import wire
from kmaint.errors import HarnessError
from kmaint.records.workload import Argument, Axis, Binding, Contract, Json

MOST_CHANGES, BATCH = 60, 10
GROWTHS = 3
"""How often tensors are made larger where indices reach past them."""
LIMIT = "not supported in interpreter"
RANDOM = ("normal", "scale", "log_sum_exp", "index")
DTYPES = ("bfloat16", "float16", "float32")


@dataclass
class _Search:
    """One kernel's derivation: what was read, whom to ask, and what is left to spend."""

    text: KernelText
    prober: Prober
    effort: Effort
    taken: frozenset[str]
    """The entry's parameters."""
    limit_s: float
    trials: int = 0

    @property
    def exhausted(self) -> bool:
        return self.trials >= self.effort.trials or self.prober.spent_s > self.limit_s

    def ask(self, requests: list[Request], *, beyond: int = ALL) -> list[Answer]:
        """Answers in order; with `beyond` only up to the first that succeeds, see direct_probe.answers."""
        limited = [{**one, "limit_s": self.effort.trial_s} for one in requests]
        answers = self.prober.ask(limited, beyond=beyond, within_s=max(0.0, self.limit_s - self.prober.spent_s))
        self.trials += len(answers)
        return answers

    @property
    def grid(self) -> str:
        """What the entry calls its grid."""
        return "grid" if "grid" in self.taken else "launch_grid"

    def options(self, draft: Draft) -> dict[str, int]:
        """The launch options that the entry takes."""
        return {name: value for name, value in draft.options.items() if name in self.taken}

    def virtual(self, draft: Draft, which: int) -> Request:
        """The draft on virtual memory, on one set of axes; HarnessError where its expressions cannot be had."""
        strides = virtual_strides(draft, narrow={n for n, one in self.text.parameters.items() if one.constexpr})
        values: dict[str, Json] = {
            name: evaluated(draft, value, which) for name, value in draft.scalars.items() if value != {"default": True}
        }
        sizes = [evaluated(draft, f"={size}", which) for size in draft.grid]
        values |= {self.grid: {"tuple": sizes}, **self.options(draft)}
        axes = draft.bound(which)
        tensors = {
            name: {
                "dtype": draft.dtype if pointer.dtype == "DT" else pointer.dtype,
                "content": pointer.content,
                "bound": int(axes.get(pointer.bound, 1)),
                "steps": [strides[one] for one in draft.strides.get(name, ())],
            }
            for name, pointer in draft.pointers.items()
        }
        return {"tensors": tensors, "values": values, "strides": strides}

    @staticmethod
    def real(contract: Contract, axes: Mapping[str, Binding], *, seed: int = 1) -> Request:
        """The contract on tensors."""
        return {"contract": wire.dump(contract), "case": {"seed": seed, **axes}}


def derive_direct(subject: Subject, prober: Prober, effort: Effort) -> Derived:
    """The contract of an entry that only launches its kernel, as direct_entry writes them; NotDerivable with
    the reason where none is found."""
    try:
        text = read_kernel(subject.source, subject.kernel)
    except LookupError as error:
        raise NotDerivable(str(error.args[0])) from error
    taken = _entry_parameters(subject.source, subject.entry)
    search = _Search(text, prober, effort, taken, prober.spent_s + effort.seconds)
    own = [name for name in text.parameters if name in search.taken]
    pointers = [name for name, one in text.parameters.items() if one.pointer]
    known = read_sites(subject.sites, subject.kernel, list(text.parameters), pointers)
    draft, answers = _running(search, [first_draft(text, own, site) for site in [*known[:2], Site()]])
    contract = _verified(search, draft, answers)
    op = f"{subject.framework}.{subject.kernel.strip('_')}"
    return Derived(contract=contract, op=op, compute="kernel", reference=None)


def _entry_parameters(source: str, entry: str) -> frozenset[str]:
    node = next(n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef) and n.name == entry)
    return frozenset(one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs))


def _running(search: _Search, drafts: Sequence[Draft]) -> tuple[Draft, list[Answer]]:
    """The first draft that comes through on virtual memory, with its answers on every set of axes; corrected step by
    step where none does as it stands."""
    tried: list[tuple[Draft, Answer]] = []
    for draft in drafts:
        answers = search.ask(_requests(search, draft), beyond=FIRST_ONLY)
        if answers and _through(answers[0]):
            return draft, answers
        tried += [(draft, answer) for answer in answers[:1]]
    problem = NotDerivable("no grid and sizes to try")
    for draft, answer in sorted(tried, key=lambda one: _merit(one[1]), reverse=True)[:2]:
        try:
            better, first = _corrected(search, draft, answer)
        except NotDerivable as error:
            problem = error
            continue
        return better, [first, *search.ask(_requests(search, better)[1:])]
    raise problem


def _requests(search: _Search, draft: Draft) -> list[Request]:
    return [request for which in range(SETS) if (request := _request(search, draft, which)) is not None]


def _request(search: _Search, draft: Draft, which: int = 0) -> Request | None:
    try:
        return search.virtual(draft, which)
    except HarnessError:
        return None


def _through(answer: Answer) -> bool:
    stored = any(one["stored"] for one in answer["touched"].values())
    return not answer["error"] and stored and all(one["low"] >= 0 for one in answer["touched"].values())


def _merit(answer: Answer) -> tuple[bool, int, int]:
    below = sum(one["low"] < 0 for one in answer["touched"].values())
    return not answer["error"], answer["accesses"], -below


def _corrected(search: _Search, draft: Draft, answer: Answer) -> tuple[Draft, Answer]:
    """Climb from draft to better draft, one change at a time."""
    while not _through(answer):
        if LIMIT in answer["error"]:
            raise NotDerivable(_reason(search, answer))
        changes = [
            (changed, request)
            for changed in itertools.islice(_changes(search.text, draft, answer), MOST_CHANGES)
            if (request := _request(search, changed)) is not None
        ]
        better: tuple[Draft, Answer] | None = None
        while changes and better is None:
            if search.exhausted:
                raise NotDerivable(_reason(search, answer))
            batch, changes = changes[:BATCH], changes[BATCH:]
            beyond = answer["accesses"] if answer["error"] else ALL
            answers = search.ask([request for _, request in batch], beyond=beyond)
            for (changed, _), other in zip(batch, answers, strict=False):
                if _through(other) or _merit(other) > _merit(answer):
                    better = changed, other
                    break
            changes = [*batch[len(answers) :], *changes] if better is None else changes
        if better is None:
            raise NotDerivable(_reason(search, answer))
        draft, answer = better
    return draft, answer


def _reason(search: _Search, answer: Answer) -> str:
    if answer["error"]:
        named = ", ".join(sorted(search.text.lines.get(answer["line"], frozenset()))[:3])
        about = f"{named}: " if named else ""
        what = "a limit of Triton's interpreter" if LIMIT in answer["error"] else "no arguments found on which it runs"
        return f"{what}: {about}{answer['error']} (kernel.py line {answer['line']})"
    below = [name for name, one in answer["touched"].items() if one["low"] < 0]
    if below:
        return f"no arguments found on which it runs: {below[0]}: accessed before its first element"
    return "no arguments found on which it writes anything"


def _changes(text: KernelText, draft: Draft, answer: Answer) -> Iterator[Draft]:
    """Drafts one change away; first those that change what the failing line is made of."""
    near = text.lines.get(answer["line"], frozenset()) if answer["error"] else frozenset(answer["touched"])
    owned = {name for those in draft.strides.values() for name in those}
    ordered = sorted(draft.scalars, key=lambda name: name not in near)
    close = [name for name in ordered if name in near and name not in owned]
    for name in close:
        yield from _other_values(text, draft, name)
    for name in [one for one in draft.pointers if one in near]:
        yield from _other_contents(draft, name)
    yield from _all_powers(draft)
    for name in [name for name in ordered if name not in close and name not in owned]:
        yield from _other_values(text, draft, name)
    for name in [one for one in draft.pointers if one not in near]:
        yield from _other_contents(draft, name)
    if draft.dtype == "float32":
        yield replace(draft, dtype="bfloat16")


def _all_powers(draft: Draft) -> Iterator[Draft]:
    changed = replace(draft, axes={})
    for name, values in draft.axes.items():
        changed = (
            replace(changed, axes={**changed.axes, name: values})
            if name.startswith("max_")
            else with_axis(changed, name, powers=True)
        )
    if changed.axes != draft.axes:
        yield changed


def _other_values(text: KernelText, draft: Draft, name: str) -> Iterator[Draft]:
    value = draft.scalars[name]
    known = text.parameters[name]
    options: list[Json] = []
    if isinstance(value, bool):
        options = [not value]
    elif isinstance(value, str) and not value.startswith("="):
        options = [word for word in known.compared if isinstance(word, str)]
    elif isinstance(value, dict):
        options = [{"triton": dtype} for dtype in ("bfloat16", "float16", "int32", "float8e4nv")] + [False, 16]
    elif isinstance(value, float):
        options = [1, 0.0]
    else:
        same = [other for other, its in draft.scalars.items() if other != name and its == f"={other}"]
        options = [*(one for one in known.compared if isinstance(one, int)), 16, 32, 64, 128, 1, 2]
        options += [f"={other}" for other in same if class_of(other) == class_of(name)] + [4, 8, 0, 256, True, 0.5]
        options += [None] if value is not None else []
    for option in options:
        if option != value or type(option) is not type(value):
            yield draft.with_scalar(name, option)


def _other_contents(draft: Draft, name: str) -> Iterator[Draft]:
    pointer = draft.pointers[name]
    axis = pointer.bound or f"max_{name.lower()}"
    axes = {axis: (3, 5, 7), **draft.axes}
    if pointer.content in ("index", "lengths", "arange", "ones"):
        for content in ("index", "lengths", "arange"):
            if content != pointer.content:
                changed = replace(draft, axes=axes)
                yield changed.with_pointer(name, Pointer("int32", content, axis))
        yield draft.with_pointer(name, Pointer("DT"))
    else:
        yield replace(draft, axes=axes).with_pointer(name, Pointer("int32", "index", axis))
        for dtype in ("bfloat16", "float32", "uint8", "bool"):
            content = "normal" if "float" in dtype else "index" if dtype == "uint8" else "ones"
            yield replace(draft, axes=axes).with_pointer(
                name, Pointer(dtype, content, axis if content == "index" else "")
            )


def _verified(search: _Search, draft: Draft, answers: list[Answer]) -> Contract:
    """The widest contract that holds: all axes free, or moving together, or each at one size."""
    if len(answers) == SETS and all(_through(answer) for answer in answers):
        contract = _contract(search, draft, answers)
        if contract is not None:
            holds = search.ask(list(_trials(search, contract, draft)), beyond=FIRST_ONLY)
            if not _failure(holds[:2]):
                return _finished(search, contract, draft, holds)
    fixed = _fixed(draft)
    contract = _contract(search, fixed, answers[:1] * SETS)
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


def _trials(search: _Search, contract: Contract, draft: Draft) -> Iterator[Request]:
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


def _other_dtypes(search: _Search, contract: Contract, draft: Draft) -> list[str]:
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


def _contract(search: _Search, draft: Draft, answers: Sequence[Answer]) -> Contract | None:
    """The draft with a shape for every tensor, as far as what was touched follows the axes; else None."""
    axes = draft.used_axes()
    tiles = sorted({value for value in draft.scalars.values() if type(value) is int and value > 1})
    shapes: dict[str, tuple[str, ...]] = {}
    strides: dict[str, str] = {}
    for name in draft.pointers:
        shape = _shape(name, draft, answers, axes, tiles)
        if shape is None:
            return None
        shapes[name], own = shape
        for one, text_ in own.items():
            if strides.setdefault(one, text_) != text_ and any(len(set(values)) > 1 for values in axes.values()):
                return None
    arguments = [
        _argument(name, draft, shapes, strides) for name in search.text.parameters if _given(name, draft, strides)
    ]
    grid: Json = {"tuple": [draft.json(f"={size}") for size in draft.grid]}
    arguments.append(Argument(name=search.grid, kind="value", value=grid))
    arguments += [Argument(name=name, kind="value", value=value) for name, value in search.options(draft).items()]
    used = _axes_of(draft, shapes)
    if any(pointer.dtype == "DT" for pointer in draft.pointers.values()):
        used.append(Axis(name="DT", choices=(draft.dtype,)))
    return Contract(axes=tuple(used), arguments=tuple(arguments))


def _given(name: str, draft: Draft, strides: Mapping[str, str]) -> bool:
    return name in draft.pointers or name in strides or draft.scalars.get(name, {"default": True}) != {"default": True}


def _axes_of(draft: Draft, shapes: Mapping[str, tuple[str, ...]]) -> list[Axis]:
    mentioned = set(draft.used_axes()) | {n for shape in shapes.values() for size in shape for n in names(size)}
    return [
        Axis(name=name, choices=tuple(sorted(set(values[:2]))))
        for name, values in draft.axes.items()
        if name in mentioned
    ]


def _argument(name: str, draft: Draft, shapes: Mapping[str, tuple[str, ...]], strides: Mapping[str, str]) -> Argument:
    if name in strides:
        value = strides[name]
        return Argument(name=name, kind="value", value=f"={value}" if names(value) else int(ast.literal_eval(value)))
    if name not in draft.pointers:
        return Argument(name=name, kind="value", value=draft.json(draft.scalars[name]))
    pointer = draft.pointers[name]
    return Argument(
        name=name,
        kind="tensor",
        shape=shapes[name],
        dtype=pointer.dtype,
        values=pointer.content,
        bound=pointer.bound,
    )


def _shape(
    name: str, draft: Draft, answers: Sequence[Answer], axes: Mapping[str, tuple[int, ...]], tiles: Sequence[int]
) -> tuple[tuple[str, ...], dict[str, str]] | None:
    """Sizes of a tensor and its strides by name; None where what was touched follows nothing."""
    own = draft.strides.get(name, ())
    touched = [answer["touched"].get(name) for answer in answers]
    if not all(touched):
        return (("1",), dict.fromkeys(own, "1")) if not any(touched) else None
    sizes: list[Term] = []
    for at in range(len(own) + 1):
        wanted = tuple(one["extents"][at] + 1 for one in touched)
        term = fitted(wanted, axes, tiles)
        if term is None:
            return None
        sizes.append(term)
    inner = sizes[-1].shape if sizes[-1].text != "1" or not own else ()
    parts = [(term.text,) for term in sizes[:-1]]
    shape = tuple(size for part in parts for size in part) + tuple(inner)
    strides: dict[str, str] = {}
    for at, one in enumerate(own):
        rest = [size for part in parts[at + 1 :] for size in part] + list(inner)
        strides.setdefault(one, _product(rest))
    return shape, strides


def _product(sizes: Sequence[str]) -> str:
    kept = [size for size in sizes if size != "1"]
    if all(size.isdigit() for size in kept):
        return str(math.prod(int(size) for size in kept))
    return " * ".join(size if size.isidentifier() or size.isdigit() else f"({size})" for size in kept)


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


def _finished(search: _Search, contract: Contract, draft: Draft, holds: list[Answer]) -> Contract:
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
