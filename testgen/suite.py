"""Writes the Hypothesis suite of a harness: one readable file, specific to its kernel, that needs nothing of kmaint."""

from __future__ import annotations

import math
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

import jinja2

from kmaint.folder import SUITE
from kmaint.formatting import format_python
from kmaint.records.harness import Harness, Suite
from kmaint.records.workload import Binding, Contract, Workload
from testgen import axes

MANY = 65_536
"""One more program than the second and third dimension of a grid may have."""

PROPERTY = re.compile(r"^def (test_\w+)\(", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class AxisText:
    """How one axis stands in the file: its name, the source of its strategy, and what it is in words."""

    name: str
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
    return environment.get_template("test_kernel.py.j2").render(
        entry=harness.entry,
        kernel=harness.kernel,
        release=f"{origin.framework} {origin.version or origin.commit or ''}".strip(),
        oracle=harness.oracle,
        axes=[axis_text(contract, name) for name in (axis.name for axis in contract.axes)],
        values="st.sampled_from(PROFILES)",
        layouts=layouts(contract),
        workloads=[workload_text(workload) for workload in contract.workloads],
        smallest=smallest_workload(contract),
        leading=leading,
        rows_each=axes.rows_each(contract, leading) if leading else "1",
        cuts=cuts(contract, leading),
        batched=leading is not None and axes.keeps_rows_apart(contract, leading),
        large=case_text({**large, str(leading): Name(str(leading))}) if large else None,
    )


class Name(str):
    """Text that stands in source as a name, not as a string."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def axis_text(contract: Contract, name: str) -> AxisText:
    """One axis of the contract as it stands in the file."""
    axis = next(axis for axis in contract.axes if axis.name == name)
    comment = textwrap.fill(axes.meaning(axis, contract.arguments), 116, subsequent_indent="# ")
    return AxisText(name=name, strategy=axes.strategy(axis), comment=comment)


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


def layouts(contract: Contract) -> list[str]:
    """Every layout that some argument of the launcher admits, in the order of the contract."""
    return list(dict.fromkeys(layout for a in contract.arguments if a.kind == "tensor" for layout in a.layouts))


def cuts(contract: Contract, leading: str | None) -> list[str]:
    """The keyword arguments that make a case small enough for the interpreter."""
    found = []
    for axis in contract.axes:
        bound = [size for workload in contract.workloads if isinstance(size := workload.axes[axis.name], int)]
        if axis.name == leading:
            found.append(f'{leading}=min(axes["{leading}"], max(1, MOST_ROWS // rows_each))')
        elif not axis.choices and max([axis.high, *bound]) > axes.SMALL:
            found.append(f'{axis.name}=min(axes["{axis.name}"], {axes.SMALL})')
    return found
