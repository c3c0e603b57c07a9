"""A scan as Markdown: what is there, what is worth a look first, and everything by file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from kmaint.ranking import callers_of, ranked, signals_of
from kmaint.records.kernel import Kernel, Role, Scan
from reports.numbers import percent

MOST_WORTH_IT = 25


def markdown(scan: Scan) -> str:
    """The whole inventory; a table of all kernels stands at the end."""
    return "\n".join(_lines(scan)) + "\n"


def _lines(scan: Scan) -> Iterator[str]:
    release = scan.release
    yield f"# Kernels of {release.framework} {release.version or ''}".rstrip()
    yield ""
    at = f", commit `{release.commit[:12]}`" if release.commit else ""
    yield f"{len(scan.kernels):,} kernels in {scan.files:,} files{at}."
    if scan.unknown:
        yield f"The tree holds no {' and no '.join(scan.unknown)}: what is said of them is unknown, not none."
    yield ""
    yield from _counts(scan)
    yield from _hot(scan) if scan.trace else _signals(scan)
    yield from _everything(scan)
    if scan.problems:
        yield from _section("Could not be read", ("file", "reason"))
        yield from (_row((f"`{p.path}`" + (f":{p.line}" if p.line else ""), p.reason)) for p in scan.problems)
        yield ""


def _counts(scan: Scan) -> Iterator[str]:
    roles: tuple[Role, ...] = ("kernel", "device", "declaration", "unknown")
    counts = Counter((kernel.language, kernel.role) for kernel in scan.kernels)
    yield from _section("What is there", ("language", *roles, "tested", "tuned by tables"), "lrrrrrr")
    for language in sorted({kernel.language for kernel in scan.kernels}):
        launched = [k for k in scan.kernels if k.language == language and k.role == "kernel"]
        tested = "unknown" if "tests" in scan.unknown else str(sum(bool(k.tests) for k in launched))
        tuned = str(sum(k.tables is not None for k in launched))
        yield _row((language, *(str(counts[language, role]) for role in roles), tested, tuned))
    yield ""


def _signals(scan: Scan) -> Iterator[str]:
    yield from _section("Worth a look first", ("kernel", "callers", "tests", "signals"), "lrrl")
    for kernel in ranked(scan)[:MOST_WORTH_IT]:
        signals = ", ".join(signal.key for signal in signals_of(kernel, scan) if signal.key != "called")
        yield _row((_named(kernel), str(len(callers_of(kernel))), _tests(kernel, scan), signals))
    yield ""


def _hot(scan: Scan) -> Iterator[str]:
    assert scan.trace is not None
    yield from _section("Share of GPU time", ("kernel", "share", "launches", "total ms", "tests"), "lrrrr")
    for kernel in ranked(scan)[:MOST_WORTH_IT]:
        if heat := kernel.heat:
            name = _named(kernel) + (f" (one of {len(heat.ambiguous) + 1} of that name)" if heat.ambiguous else "")
            time = f"{heat.total_us / 1000:.1f}"
            yield _row((name, percent(heat.share), f"{heat.launches:,}", time, _tests(kernel, scan)))
    yield ""
    yield f"{percent(scan.trace.matched)} of {scan.trace.total_us / 1000:,.1f} ms is kernels of this tree. The rest:"
    yield ""
    yield from _head(("not of this tree", "share", "launches"), "lrr")
    for other in scan.trace.unmatched[:MOST_WORTH_IT]:
        yield _row((f"`{other.name[:100]}`", percent(other.share), f"{other.launches:,}"))
    yield ""


def _everything(scan: Scan) -> Iterator[str]:
    columns = ("kernel", "where", "language", "role", "launched by", "tests", "benchmarks", "registered as")
    yield from _section("Everything", columns, "lllllrrl")
    for kernel in scan.kernels:
        hosts = ", ".join(f"`{host.qualname}`" for host in kernel.launchers)
        names = ", ".join(f"`{found.name}`" for found in kernel.registrations)
        where = f"`{kernel.path}:{kernel.line}`"
        counts = (_tests(kernel, scan), _count(len(kernel.benchmarks), unknown="benchmarks" in scan.unknown))
        yield _row((f"`{kernel.qualname}`", where, kernel.language, kernel.role, hosts, *counts, names))
    yield ""


def _named(kernel: Kernel) -> str:
    return f"`{kernel.qualname}` in `{kernel.path}:{kernel.line}`"


def _tests(kernel: Kernel, scan: Scan) -> str:
    return _count(len(kernel.tests), unknown="tests" in scan.unknown)


def _count(found: int, *, unknown: bool) -> str:
    return "" if unknown and not found else str(found)


def _section(title: str, columns: Sequence[str], sides: str = "") -> Iterator[str]:
    yield f"## {title}"
    yield ""
    yield from _head(columns, sides or "l" * len(columns))


def _head(columns: Sequence[str], sides: str) -> Iterator[str]:
    yield _row(columns)
    yield _row("---:" if side == "r" else "---" for side in sides)


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
