"""The module that a backend gets: its name, and its text with no more imports than it needs."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

from kmaint.formatting import format_python
from reintegrate.imports import COLUMNS, in_groups
from reintegrate.kinds.standing import Beside, suffix_of
from reintegrate.kinds.win import Win
from reintegrate.names import bound_names, dotted, needed_names


def operator(win: Win) -> str:
    """The operator's bare name."""
    return win.harness.op.rpartition(".")[2]


def backend_name(win: Win) -> str:
    """What the backend is called: its function, its module, and what is registered."""
    return f"{operator(win)}_{suffix_of(win)}"


def module_text(win: Win, tree: Path, found: Beside, parts: tuple[str, str], also: Mapping[str, str]) -> str:
    """Header and body, which are `parts`, with the imports between them that the body needs.

    They are those of the original launcher's file, and for what is in none of them `also`, by name; what neither has is
    defined in that file, and imported from there.
    """
    header, body = parts
    path = found.variant.region.path
    original, needed = (tree / path).read_text(), needed_names(body)
    imports = [
        ast.get_source_segment(original, node) or ""
        for node in ast.parse(original).body
        if isinstance(node, ast.Import | ast.ImportFrom) and bound_names(ast.unparse(node)) & needed
    ]
    lacking = needed - bound_names("\n".join(imports))
    known = {name: text for name, text in also.items() if name in lacking}
    imports += sorted(set(known.values()))
    if own := sorted(lacking - known.keys()):
        imports.append(f"from {dotted(path, win.harness.provenance.framework)} import {', '.join(own)}")
    return format_python(f"{header}\n{in_groups(imports)}\n\n\n{body}", columns=COLUMNS)
