"""A scan as one HTML page that needs nothing else: search, filters, sortable columns, light and dark."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import jinja2

from kmaint.ranking import SIGNALS, callers_of, points_of, ranked, signals_of
from kmaint.records.kernel import Kernel, Scan

MOST_LISTED = 12
"""Tests and callers that the page lists for a kernel: the JSON has them all, a page should load in a moment."""


def page(scan: Scan) -> str:
    """The page's text; a scan of 1,800 kernels stays under 2 MB."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent.parent / "templates"),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
    )
    order = {kernel.id: place for place, kernel in enumerate(ranked(scan))}
    kernels = sorted(scan.kernels, key=lambda kernel: order[kernel.id])
    return environment.get_template("inventory.html.j2").render(
        scan=scan,
        roles=Counter(kernel.role for kernel in scan.kernels),
        languages=sorted({kernel.language for kernel in scan.kernels}),
        devices=sorted({device for kernel in scan.kernels if kernel.tables for device in kernel.tables.missing}),
        names=[signal.key for signal in SIGNALS],
        meanings=[signal.meaning for signal in SIGNALS],
        lacks=[place for place, signal in enumerate(SIGNALS) if signal.key.startswith("no ")],
        data=_embedded([_row(kernel, scan) for kernel in kernels]),
        dated=any(kernel.history for kernel in scan.kernels),
    )


def _embedded(data: Any) -> str:
    """JSON inside a script element: no text of a tree can end the element or begin a comment in it."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026").replace("\u2028", "\\u2028")


def _row(kernel: Kernel, scan: Scan) -> dict[str, Any]:
    """What the page's script reads of a kernel; empty entries are left out."""
    row = {
        "n": kernel.qualname,
        "p": kernel.path,
        "l": kernel.line,
        "g": kernel.language,
        "r": kernel.role,
        "c": len(callers_of(kernel)),
        "t": len(kernel.tests),
        "b": len(kernel.benchmarks),
        "s": [SIGNALS.index(signal) for signal in signals_of(kernel, scan)],
        "o": points_of(kernel, scan),
        "h": [f"{host.id}:{host.line}" for host in kernel.launchers[:MOST_LISTED]],
        "a": callers_of(kernel)[:MOST_LISTED],
        "u": list(kernel.used_by[:MOST_LISTED]),
        "T": list(kernel.tests[:MOST_LISTED]),
        "B": list(kernel.benchmarks[:MOST_LISTED]),
        "R": [f"{found.registry}: {found.name} ({found.path}:{found.line})" for found in kernel.registrations],
        "d": list(dict.fromkeys(decorator.partition("(")[0] for decorator in kernel.decorators)),
    }
    if tables := kernel.tables:
        row["f"] = {"f": tables.folder, "n": tables.files, "d": list(tables.devices), "m": list(tables.missing)}
    if history := kernel.history:
        row["y"] = [history.created, history.changed, history.commits, list(history.authors[:3])]
    if heat := kernel.heat:
        row["x"] = [heat.share, heat.launches, heat.total_us, list(heat.ambiguous)]
    return {key: value for key, value in row.items() if value != [] and value != 0}
