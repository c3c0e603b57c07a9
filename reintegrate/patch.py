"""What a winner changes, as edits of the spans its regions were cut from, and those edits made in a file's text.

Pure but for reading the harness's kernel.py: nothing here knows git.
"""

from __future__ import annotations

import ast
import io
import re
import textwrap
from pathlib import PurePosixPath

from kmaint.errors import HarnessError, UsageError
from kmaint.folder import END, KERNEL, MARKER, indented, sha256, split_regions
from kmaint.records.change import Edit, Patch
from kmaint.records.harness import Harness, Region
from reintegrate.names import bound_names, imports_everything, needed_names


def patch_of(harness: Harness, source: str) -> Patch:
    """The regions that the source changes, as edits of the tree.

    UsageError where it changes nothing, changes text outside regions, uses a name its file would lack, or no longer
    defines what others use; HarnessError where kernel.py no longer holds what was cut from the tree.
    """
    original = (harness.folder / KERNEL).read_text()
    try:
        ast.parse(source)
    except SyntaxError as error:
        raise UsageError(f"the candidate does not parse: {error}", "take one that passed 'kmaint check'") from error
    _refuse_changes_outside(original, source)
    before, after = split_regions(original), split_regions(source)
    # What one region defines, another of its file may use; of the rest it is kernel.py that says what there is.
    known = {path: bound_names(original) | _bound_in(path, after) for path, _ in after}
    edits = [
        _edit(region, before[region.path, region.symbol], after[region.path, region.symbol], known[region.path])
        for region in harness.regions
        if _as_cut(harness, region, before) != after[region.path, region.symbol]
    ]
    if not edits:
        raise UsageError(f"the candidate is {harness.entry} as it stands in the tree", "there is nothing to land")
    edits.sort(key=lambda edit: (edit.path, edit.line))
    return Patch(edits=tuple(edits), files={edit.path: harness.provenance.files[edit.path] for edit in edits})


def _as_cut(harness: Harness, region: Region, texts: dict[tuple[str, str], str]) -> str:
    """The region's text in kernel.py, once it is certain that it is still the tree's."""
    text = texts.get((region.path, region.symbol))
    if text is None or not has_digest(indented(text, region.indent), region.sha256):
        raise HarnessError(
            f"{harness.folder / KERNEL}: {region.symbol} is not what was cut from {region.path}", "extract it again"
        )
    path = PurePosixPath(region.path)
    if path.is_absolute() or ".." in path.parts or region.path not in harness.provenance.files:
        raise HarnessError(f"{harness.folder}: {region.path!r} is not a file it was cut from", "extract it again")
    return text


def _bound_in(path: str, texts: dict[tuple[str, str], str]) -> set[str]:
    """What the regions of one file define together."""
    return {name for (own, _), text in texts.items() if own == path for name in bound_names(text)}


def _edit(region: Region, before: str, after: str, known: set[str]) -> Edit:
    """The edit, once its names are certain: the tree has what kernel.py has, but for what kmaint itself wrote there."""
    known = known | needed_names(before)
    if lacking := sorted(needed_names(after) - known):
        raise _lacks(region.path, region.symbol, lacking[0])
    if gone := sorted(set(region.symbol.split(",")) & bound_names(before) - bound_names(after)):
        raise UsageError(
            f"{region.path}: the candidate no longer defines {gone[0]!r}", "keep it: the tree's other code uses it"
        )
    return Edit(
        path=region.path,
        symbol=region.symbol,
        line=region.line,
        end_line=region.end_line,
        before_sha256=region.sha256,
        after=indented(after, region.indent),
        adds=tuple(sorted(bound_names(after) - bound_names(before))),
    )


def _lacks(path: str, symbol: str, name: str) -> UsageError:
    return UsageError(
        f"{path}: the candidate's {symbol} uses {name!r}, which that file does not bind",
        "use what the file imports already, or define it inside the region",
    )


def _refuse_changes_outside(original: str, source: str) -> None:
    wanted = [line for _, line in _outside(original)]
    found = _outside(source)
    missing = [(len(source.splitlines()), "")] * max(0, len(wanted) - len(found))
    surplus = [""] * max(0, len(found) - len(wanted))
    for (number, line), expected in zip([*found, *missing], [*wanted, *surplus], strict=True):
        if line != expected:
            raise UsageError(
                f"the candidate changes line {number} of {KERNEL}, outside its regions: {line.strip()!r}",
                "change only what stands between '# region' and '# endregion'",
            )


def _outside(source: str) -> list[tuple[int, str]]:
    """Lines outside regions with their numbers, the markers among them; blank lines do not count."""
    kept, inside = [], False
    for number, line in enumerate(source.splitlines(), start=1):
        if MARKER.match(line):
            inside = True
        elif line == END:
            inside = False
        elif inside:
            continue
        if line.strip():
            kept.append((number, line))
    return kept


def splice(text: str, edits: tuple[Edit, ...]) -> str:
    """The file's text with its edits made: every other byte as it was, line endings and the last newline kept.

    UsageError where a span is not what the edit replaces, or where the result uses a name that the file does not bind.
    """
    lines = split_lines(text)
    for edit in sorted(edits, key=lambda edit: edit.line, reverse=True):
        span = "".join(lines[edit.line - 1 : edit.end_line])
        if not has_digest(span, edit.before_sha256):
            raise UsageError(
                f"{edit.path}: lines {edit.line} to {edit.end_line} are not the {edit.symbol} that was extracted",
                "extract it again",
            )
        lines[edit.line - 1 : edit.end_line] = [_in_the_manner_of(span, edit.after)]
    spliced = "".join(lines)
    if any(edit.path.endswith(".py") for edit in edits):
        _refuse_foreign_names(text, spliced, edits)
    return spliced


def _in_the_manner_of(span: str, after: str) -> str:
    """`after` with the span's line endings, and without a last newline where the span has none."""
    after = after.replace("\r\n", "\n")
    if not span.endswith("\n"):
        after = after.removesuffix("\n")
    return after.replace("\n", "\r\n") if "\r\n" in span else after


def _refuse_foreign_names(before: str, after: str, edits: tuple[Edit, ...]) -> None:
    if imports_everything(after):
        return
    lines = split_lines(before)
    for edit in edits:
        new_text = textwrap.dedent(edit.after)  # a kernel in a class or function stands indented
        # inside a function, what was read there may be bound there
        old_text = textwrap.dedent("".join(lines[edit.line - 1 : edit.end_line]))
        known = bound_names(after) | needed_names(before) | needed_names(old_text)
        if lacking := sorted(needed_names(new_text) - known):
            raise _lacks(edit.path, edit.symbol, lacking[0])
        new = bound_names(new_text) - set(edit.symbol.split(",")) - bound_names(old_text)
        if taken := sorted(new & _bound_elsewhere(before, edits)):
            raise UsageError(
                f"{edit.path}: the candidate defines {taken[0]!r}, which that file has already", "give it another name"
            )


def _bound_elsewhere(text: str, edits: tuple[Edit, ...]) -> set[str]:
    """What the file binds outside the spans that are replaced; other lines keep their numbers."""
    lines = split_lines(text)
    for edit in edits:
        first = lines[edit.line - 1]
        indent = first[: len(first) - len(first.lstrip())]
        nothing = f"{indent}def _(): ..." if indent else ""  # a decorator above it, or a class, may not end there
        lines[edit.line - 1 : edit.end_line] = [f"{nothing}\n", *["\n"] * (edit.end_line - edit.line)]
    return bound_names("".join(lines))


def standing_at(text: str, edit: Edit) -> list[int]:
    """First lines of the places where what the edit replaces still stands, to the letter."""
    lines, length = split_lines(text), edit.end_line - edit.line + 1
    return [
        start + 1
        for start in range(len(lines) - length + 1)
        if has_digest("".join(lines[start : start + length]), edit.before_sha256)
    ]


def split_lines(text: str) -> list[str]:
    """Lines with their ends, as Python numbers them: `str.splitlines` would also split at form feeds."""
    return list(io.StringIO(text, newline="\n"))


def has_digest(text: str, digest: str) -> bool:
    """Whether this is the text of that sha256, be it with other line endings or without its last newline."""
    plain = text.replace("\r\n", "\n")
    ended = re.sub(r"\n*\Z", "\n", plain, count=1)
    return digest in {sha256(form) for form in (text, plain, ended, ended.removesuffix("\n"))}
