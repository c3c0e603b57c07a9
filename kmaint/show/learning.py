"""What commands on many runs print: figures of merit, and the data sets made of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path

from kmaint.console import Format, print_lines, print_object, print_table
from kmaint.learning import Funnel, Statistics, funnel
from kmaint.learning.statistics import AtK
from kmaint.records.evaluation import Evaluation
from kmaint.records.spent import Spent
from kmaint.show.harnesses import interval
from kmaint.show.runs import NO_RUN
from kmaint.wire import dump

STAGES = tuple(field.name for field in fields(Funnel))
UNKNOWN = "unknown"


def statistics(found: Statistics, output: Format) -> None:
    """Tables of what it took, how far candidates got, and what k of them give; or one object with all of it."""
    if output is Format.JSON:
        print_object("kmaint.stats/1", dump(found))
        return
    if not found.runs:
        print_lines([NO_RUN])
        return
    _took(found)
    _section("how far candidates got", ("", *STAGES), _funnels(found))
    groups = [("all", found.at_k), *((group.name, group.at_k) for group in found.providers)]
    rows = [(name, *_at_k(one)) for name, at_k in groups for one in at_k]
    _section("what k attempts give", ("provider", "k", "kernels", "pass@k", "accept@k", "speedup@k"), rows)
    shares = [(f"{one.p:g}", _share(one.candidates), _share(one.kernels)) for one in found.fast]
    _section("fast_p: speedup above p, by the lower end of its interval", ("p", "candidates", "kernels"), shares)


def _took(found: Statistics) -> None:
    columns = ("run", "state", "speedup", "provider", "candidates", "money", "tokens", "device min", "wall min")
    rows = [
        (one.run, one.state, interval(one.speedup) if one.speedup else "", one.provider, *_amounts(one.spent))
        for one in found.runs
    ]
    rows.append((f"all {len(found.runs)}", f"{found.wins} won", "", "", *_amounts(found.spent)))
    if each := found.per_win:
        minutes = (_minutes(each.device_minutes), _minutes(each.wall_minutes))
        rows.append(
            ("per win", "", "", "", f"{each.candidates:.1f}", money(each.cost_usd), f"{each.tokens:,.0f}", *minutes)
        )
    print_table(columns, rows)


def _amounts(spent: Spent) -> tuple[str, ...]:
    minutes = (_minutes(spent.device_minutes), _minutes(spent.wall_minutes))
    return (str(spent.candidates), money(spent.usage.cost_usd), f"{spent.usage.tokens:,}", *minutes)


def _funnels(found: Statistics) -> list[tuple[str, ...]]:
    """Of all candidates, then by provider where there are several, then by kind of edit."""
    providers = [(f"by {group.name}", group.funnel) for group in found.providers if len(found.providers) > 1]
    edits = [(group.name, group.funnel) for group in found.edits]
    return [
        (name, *(str(getattr(one, stage)) for stage in STAGES))
        for name, one in [("all", found.funnel), *providers, *edits]
    ]


def _at_k(one: AtK) -> tuple[str, ...]:
    speedup = "" if one.speedup is None else f"{one.speedup:.2f}x"
    return (str(one.k), str(one.kernels), _share(one.passed), _share(one.accepted), speedup)


def funnel_line(evaluations: Iterable[Evaluation]) -> str:
    """`8 attempted, 7 built, 5 right, ...`"""
    found = funnel(evaluations)
    return ", ".join(f"{getattr(found, stage)} {stage}" for stage in STAGES)


def money(amount_usd: float | None) -> str:
    """In dollars; `unknown` where nobody named a price, which is not the same as nothing."""
    return UNKNOWN if amount_usd is None else f"${amount_usd:,.2f}"


def _minutes(amount: float | None) -> str:
    return UNKNOWN if amount is None else f"{amount:,.1f}"


def _share(amount: float | None) -> str:
    """Per cent; empty of nothing."""
    return "" if amount is None else f"{amount:.0%}"


def _section(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    print_lines(["", title])
    print_table(columns, rows)


def exported(into: Path, rows: int) -> None:
    """The file, and how many rows it has."""
    print_lines([f"{into}: {rows} rows"])
