"""A scan to what is printed of it: a table, one JSON object, or a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from kmaint.console import ScanFormat, lines_text, plain_table, print_lines, print_table, print_text, terminal_rows
from kmaint.ranking import CALLED, Selection, callers_of, ranked, select, signals_of
from kmaint.records.kernel import Kernel, Scan
from kmaint.wire import fields_of

MOST_UNMATCHED = 10
"""Names of a trace that no kernel of the tree bears, as the table shows them."""


def scan(found: Scan, output: ScanFormat, into: Path | None, selection: Selection) -> None:
    """Write the chosen kernels of a scan to a file or to standard output, where a terminal gets the best ranked."""
    chosen = select(found, selection)
    if output is ScanFormat.TABLE and into is None and (rows := terminal_rows()) is not None:
        shown = chosen if selection.top is not None else select(chosen, Selection(top=max(rows - 6, 10)))
        print_table(*_scan_table(shown, narrow=True))
        left = len(chosen.kernels) - len(shown.kernels)
        more = [f"and {left:,} more: a pipe, -o FILE or --top N shows them, --format html makes a page"] if left else []
        print_lines([*more, *_scan_summary(chosen)])
        return
    text = SCAN_TEXTS[output](chosen)
    if into is None:
        print_text(text)
        return
    from kmaint.folder import write_text  # its import costs a third of a scan that nobody wants in a file

    write_text(into, text)


def _scan_json(found: Scan) -> str:
    """Kernels in path order, each with its id, its rank from 1 and the keys of its signals."""
    place = {kernel.id: rank for rank, kernel in enumerate(ranked(found), start=1)}
    kernels = [
        {
            "id": kernel.id,
            **fields_of(kernel),
            "rank": place[kernel.id],
            "signals": [signal.key for signal in signals_of(kernel, found)],
        }
        for kernel in found.kernels
    ]
    return lines_text("kmaint.scan/1", {**fields_of(found), "kernels": kernels})


def _scan_text(found: Scan) -> str:
    return plain_table(*_scan_table(found)) + "".join(f"{line}\n" for line in _scan_summary(found))


def _scan_table(found: Scan, *, narrow: bool = False) -> tuple[list[str], list[list[str]]]:
    """Columns and rows, best ranked first; evidence that the tree cannot know has no column."""
    columns: dict[str, Callable[[Kernel], str]] = {
        "GPU time": lambda kernel: f"{kernel.heat.share:.2%}" if kernel.heat else "",
        "where": lambda kernel: f"{kernel.path}:{kernel.line}",
        "kernel": lambda kernel: kernel.qualname,
        "language": lambda kernel: kernel.language,
        "role": lambda kernel: kernel.role,
        "callers": lambda kernel: str(len(callers_of(kernel)) or ""),
        "tests": lambda kernel: str(len(kernel.tests) or ""),
        "benchmarks": lambda kernel: str(len(kernel.benchmarks) or ""),
        "changed": lambda kernel: kernel.history.changed if kernel.history else "",
        "signals": lambda kernel: ", ".join(s.key for s in signals_of(kernel, found) if s is not CALLED),
        "launched by": lambda kernel: ", ".join(host.qualname for host in kernel.launchers),
        "decorators": lambda kernel: _decorators(kernel.decorators),
    }
    hidden = {
        "GPU time": found.trace is None,
        "changed": not any(kernel.history for kernel in found.kernels),
        "tests": "tests" in found.unknown,
        "benchmarks": "benchmarks" in found.unknown or narrow,
        "role": narrow,
        "launched by": narrow,
        "decorators": narrow,
    }
    names = [name for name in columns if not hidden.get(name)]
    return names, [[columns[name](kernel) for name in names] for kernel in ranked(found)]


def _scan_summary(found: Scan) -> list[str]:
    roles = Counter(kernel.role for kernel in found.kernels)
    counts = ", ".join(f"{count:,} {role}" for role, count in sorted(roles.items()))
    kernels = "1 kernel" if len(found.kernels) == 1 else f"{len(found.kernels):,} kernels"
    lines = [f"{kernels} ({counts}) in {found.files:,} files, {found.seconds:.2f} s"]
    if found.unknown:
        lines.append(f"the tree holds no {' and no '.join(found.unknown)}, so who lacks them is unknown")
    if trace := found.trace:
        lines.append(
            f"{trace.matched:.1%} of {trace.total_us / 1000:,.1f} ms of GPU time is kernels of this tree; the rest:"
        )
        lines += [f"  {other.share:6.2%}  {other.name[:100]}" for other in trace.unmatched[:MOST_UNMATCHED]]
    lines += [f"could not read {problem.path}:{problem.line or 1}: {problem.reason}" for problem in found.problems]
    return lines


def _inventory(name: str) -> Callable[[Scan], str]:
    def write(found: Scan) -> str:
        from reports import inventory  # jinja2 takes longer to import than a scan may

        text: str = getattr(inventory, name)(found)
        return text

    return write


SCAN_TEXTS: dict[ScanFormat, Callable[[Scan], str]] = {
    ScanFormat.TABLE: _scan_text,
    ScanFormat.JSON: _scan_json,
    ScanFormat.MARKDOWN: _inventory("markdown"),
    ScanFormat.SARIF: _inventory("sarif"),
    ScanFormat.HTML: _inventory("page"),
}


def _decorators(sources: Sequence[str]) -> str:
    """Names only: an autotuner's list of configurations fills a screen, and stands in the JSON whole."""
    return " ".join(source.split("(")[0] for source in sources)
