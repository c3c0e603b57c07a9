"""Writes the Hypothesis suite of a harness: one readable file, specific to its kernel, that needs nothing of kmaint."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import jinja2

from kmaint import wire
from kmaint.folder import KERNEL, SUITE
from kmaint.formatting import format_python
from kmaint.records.harness import Harness, Suite
from kmaint.records.workload import Axis, Binding, Contract, Workload
from testgen import axes
from testgen.reading import boundaries
from testgen.tried import NOTHING, Tried, read_tried

MANY = 65_536
"""One more program than the second and third dimension of a grid may have."""

PROPERTY = re.compile(r"^def (test_\w+)\(", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class AxisText:
    """How one axis stands in the file: its name, the source of its values and strategy, and what it is in words."""

    name: str
    values: str
    strategy: str
    comment: str


@dataclass(frozen=True, kw_only=True)
class WorkloadText:
    """How one workload stands in the file."""

    key: str
    case: str
    comment: str


def write_suite(harness: Harness) -> Suite:
    """Write test_kernel.py into the harness folder; equal harnesses give equal files."""
    source = format_python(render(harness), columns=120)
    path = harness.folder / SUITE
    path.write_text(source)
    return Suite(path=path, properties=tuple(PROPERTY.findall(source)), examples=len(harness.contract.workloads))


def render(harness: Harness) -> str:
    """The suite's source before formatting."""
    contract = harness.contract
    leading = axes.leading_axis(contract)
    origin = harness.provenance
    large = axes.smallest(contract, {leading: MANY}) if leading else None
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - the output is Python
    )
    tried = read_tried(harness)
    found = axes.ordinary(contract) if tried.base is None else dict(tried.base)
    return environment.get_template("test_kernel.py.j2").render(
        interpreted=harness.language == "triton",
        entry=harness.entry,
        kernel=harness.kernel,
        release=f"{origin.framework} {origin.version or origin.commit or ''}".strip(),
        oracle=harness.oracle,
        kept_as=repr(kept_as(harness)),
        axes=[axis_text(harness, tried, axis) for axis in contract.axes],
        values="list(PROFILES)" if tried.base is None else repr(list(tried.values)),
        layouts=layouts(contract, tried),
        far=[" ".join(["far", *names]) for layout, names in tried.layouts.items() if layout == "far"],
        dtypes=[{}, *map(dict, tried.dtypes)],
        poked=poked(contract),
        base=case_text(found) if found else None,
        races=tried.races,
        float_axes=axes.float_axes(contract),
        settled=settled(contract, tried),
        refused=[refusal_text(contract, case) for case in tried.refused],
        wide=dict(tried.wide),
        tried_comment=comment(tried_text(tried)),
        inert=comment(inert_text(tried)),
        workloads=[workload_text(workload) for workload in contract.workloads],
        smallest=smallest_workload(contract),
        leading=leading,
        most_rows=axes.ROWS,
        rows_each=axes.rows_each(contract, leading) if leading else "1",
        cuts=cuts(contract, leading),
        long={name: list(map(case_text, cases)) for name, cases in axes.long_cases(contract).items()},
        batched=leading is not None and axes.keeps_rows_apart(contract, leading),
        large=case_text({**large, str(leading): Name(str(leading))}) if large else None,
    )


class Name(str):
    """Text that stands in source as a name, not as a string."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def axis_text(harness: Harness, tried: Tried, axis: Axis) -> AxisText:
    """One axis of the contract as it stands in the file, with the sizes that the kernel's own text speaks of."""
    near = boundaries((harness.folder / KERNEL).read_text())
    more = tried.sizes.get(axis.name, ())
    values = axes.values(axis, more, near)
    large = [size for size in more if isinstance(size, int) and size > axes.MOST_DRAWN]
    drawn = [value for value in values if value not in large]
    inner = f"st.sampled_from({drawn!r})" if axis.choices else f"st.sampled_from({axis.name}_AT)"
    return AxisText(
        name=axis.name,
        values=repr(values),
        strategy=inner if axis.choices else f"{inner} | st.integers({axis.low}, {axis.high})",
        comment=comment(axes.meaning(axis, harness.contract.arguments)),
    )


def comment(text: str) -> str:
    """Text that fits behind a hash, over as many lines as it takes."""
    return textwrap.fill(text, 116, subsequent_indent="# ")


def kept_as(harness: Harness) -> str:
    """What failing cases are kept under: the op and how it is called, not the text of its kernel or of its tests."""
    called = {"axes": harness.contract.axes, "arguments": harness.contract.arguments}
    return f"{harness.op} {wire.digest(called, length=8)}"


def poked(contract: Contract) -> list[str]:
    """Arguments that hold numbers for the kernel to compute with."""
    floating = {"", *axes.FLOATS, *(axis.name for axis in contract.axes if set(axis.choices) & set(axes.FLOATS))}
    given = [a for a in contract.arguments if a.kind == "tensor" and a.dtype in floating]
    return [a.name for a in given if a.values in ("normal", "log_sum_exp", "scale", "probability")]


def settled(contract: Contract, tried: Tried) -> str:
    """The source of whether the original itself has one answer on a case; empty where it always has.

    A contract that nobody worked out may leave a relation unsaid, without which the kernel reads past a tensor.
    """
    asked = {
        "pair.in_any_order(case)": tried.races,
        "pair.wherever_it_lies(case)": bool(layouts(contract, tried)[2:]),
        "pair.reads_only_inside(case)": not contract.flops,
    }
    return " and ".join(source for source, needed in asked.items() if needed)


def refusal_text(contract: Contract, case: Mapping[str, object]) -> str:
    """The source of a case that the launcher turns away."""
    names = [axis.name for axis in contract.axes]
    twist = [f"twist={case['twist']!r}"] if case.get("twist") else []
    return f"Case({', '.join([*(f'{name}={case[name]!r}' for name in names), *twist])})"


def tried_text(tried: Tried) -> str:
    """What is known from running the original, in words."""
    if tried.base is None:
        return tried.reason and f"Not tried further than the contract goes: {tried.reason}."
    text = "What follows was found by running the original: nothing that it does not take is asked of a candidate."
    return f"{text} Time ran out before all was tried." if tried.cut_short else text


def inert_text(tried: Tried) -> str:
    """Which inputs a test on the small case says nothing about, in words."""
    if not tried.inert:
        return ""
    return f"On the small case the contents of {', '.join(tried.inert)} make no difference to what the original gives."


def workload_text(workload: Workload) -> WorkloadText:
    """One workload as it stands in the file, with its share of the calls and where it came from."""
    share = f"{workload.weight:.0%}" if workload.weight else "not timed"
    comment = f"{share}; {workload.origin}: {' '.join(workload.source.split())}"
    return WorkloadText(key=repr(workload.name), case=case_text(workload.axes), comment=textwrap.shorten(comment, 90))


def smallest_workload(contract: Contract) -> str | None:
    """The key of the workload whose sizes multiply to the least, the first of them where several do."""

    def size(workload: Workload) -> int:
        return math.prod(max(1, bound) for bound in workload.axes.values() if isinstance(bound, int))

    return repr(min(contract.workloads, key=size).name) if contract.workloads else None


def case_text(bound: dict[str, Binding]) -> str:
    """The source of a case with these axes."""
    return f"Case({', '.join(f'{name}={value!r}' for name, value in bound.items())})"


def layouts(contract: Contract, tried: Tried = NOTHING) -> list[str]:
    """Layouts that some argument admits: those of the contract, and those found, with the arguments they are for."""
    known = dict.fromkeys(layout for a in contract.arguments if a.kind == "tensor" for layout in a.layouts)
    return [*known, *(" ".join([layout, *names]) for layout, names in tried.layouts.items() if layout != "far")]


def cuts(contract: Contract, leading: str | None) -> list[str]:
    """The keyword arguments that make a case small enough for the interpreter."""
    found = []
    for axis in axes.cut_axes(contract):
        if axis.name == leading:
            found.append(f'{leading}=min(axes["{leading}"], max(1, MOST_ROWS // rows_each))')
        else:
            # what is even stays even, and what is a multiple of a block stays one
            size = f'axes["{axis.name}"]'
            found.append(f"{axis.name}={size} if {size} <= {axes.SMALL} else 128 + {size} % 128")
    return found
