"""A guarded variant in CUDA C++: beside the shipped code, reached by a branch at the top of the host operator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kmaint.errors import UsageError
from kmaint.folder import sha256
from kmaint.records.change import Check, Patch, Trap
from reintegrate.kinds.cuda.edit import edits_between, shipped
from reintegrate.kinds.cuda.host import HOSTS, Host
from reintegrate.kinds.cuda.layout import nested, packed
from reintegrate.kinds.cuda.operator import Operator, operator_of
from reintegrate.kinds.cuda.pieces import WORD, Piece, UnreadableError, read_pieces
from reintegrate.kinds.cuda.predicate import HostPredicate, host_predicate
from reintegrate.kinds.cuda.variant import CudaVariant, Naming, Sides, cuda_variant
from reintegrate.kinds.guard import Guard, guard_of, turned_away
from reintegrate.kinds.guarded import why
from reintegrate.kinds.standing import suffix_of
from reintegrate.kinds.win import Declined, Win
from reintegrate.patch import splice

Insertion = tuple[int, str]
"""An offset in a text, and what is put in there."""

REACHED = "the variant was reached"
"""Raised as an error of a type that no operator's own checks raise: errors are compared by their types."""
ONLY_CUDA, ENDED = "#ifndef USE_ROCM\n", "#endif  // USE_ROCM\n"
"""What is measured on CUDA is built there only: an architecture's number says another thing on ROCm."""


def guarded_patch(win: Win, tree: Path) -> Patch | Declined:
    """The variant, its guard and the branch, as edits that take no line away.

    UsageError where the file has such names already; HarnessError where the harness's file is not the tree's any more.
    """
    before, guard, path = shipped(win), guard_of(win), win.harness.provenance.path
    if isinstance(guard, Declined):
        return guard
    parts = _parts(win, guard, before)
    if isinstance(parts, Declined):
        return parts
    headers = _headers(parts.host, parts.sides.before, (tree, path))
    if isinstance(headers, Declined):
        return headers
    variant, test, operator = parts.variant, parts.test, parts.operator
    _refuse_taken(path, before, (test.name, *variant.names))
    includes = [(piece.end if piece else 0, text) for piece, text in variant.includes]
    source = f"{nested(variant.source, parts.host.nested)}\n{test.source}"
    above = (operator.piece.begin, f"{ONLY_CUDA}{source}{ENDED}\n")
    branch = (operator.body, f"{ONLY_CUDA}{_branch(before, parts)}{ENDED}")
    return Patch(
        edits=edits_between(path, win.harness.kernel, before, spliced(before, [*headers, *includes, above, branch])),
        files={path: sha256(before)},
        kind="guarded",
        reason=why(win, guard),
        shown=(
            Check(
                name="outside the guard",
                state="not_run",
                detail="no shipped line is changed; CUDA C++ has no interpreter",
            ),
        ),
    )


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """What a guarded patch is made of."""

    host: Host
    sides: Sides
    operator: Operator
    variant: CudaVariant
    test: HostPredicate


def _parts(win: Win, guard: Guard, before: str) -> _Parts | Declined:
    try:
        sides = Sides(read_pieces(before), read_pieces(win.source))
    except UnreadableError as error:
        return Declined(f"its file cannot be told apart into definitions: {error}")
    operator = operator_of(win.harness, before, sides.before)
    if isinstance(operator, Declined):
        return operator
    host = HOSTS[win.harness.provenance.framework]
    naming = Naming(suffix=suffix_of(win), columns=host.columns, elsewhere=_in_headers(win))
    variant = cuda_variant(sides, operator, naming)
    if isinstance(variant, Declined):
        return variant
    test = host_predicate(win, guard, operator, f"use_{variant.symbol}")
    if isinstance(test, Declined):
        return test
    return _Parts(host=host, sides=sides, operator=operator, variant=variant, test=test)


def _refuse_taken(path: str, text: str, names: tuple[str, ...]) -> None:
    if taken := sorted(set(names) & set(WORD.findall(text))):
        raise UsageError(f"{path}: {taken[0]!r} stands in it already", "an earlier variant is there: revise that")


def _in_headers(win: Win) -> frozenset[str]:
    """What the files that came along with the kernel's define, or, where they cannot be read so, all their words."""
    found: set[str] = set()
    for path in sorted((win.harness.folder / "include").rglob("*")):
        if path.is_file() and not path.is_symlink():
            found |= _defined(path)
    return frozenset(found)


def _defined(path: Path) -> set[str]:
    text = path.read_text(errors="replace")
    try:
        return {name for piece in read_pieces(text) for name in piece.names}
    except UnreadableError:
        return set(WORD.findall(text))


def _headers(host: Host, pieces: list[Piece], place: tuple[Path, str]) -> list[Insertion] | Declined:
    """The include that the test of the architecture needs, behind the last one of its kind, unless it is there."""
    tree, path = place
    name = host.header.strip('<>"')
    includes = [piece for piece in pieces if piece.kind == "include"]
    if any(name in piece.said for piece in includes):
        return []
    alike = [piece for piece in includes if host.header.partition("/")[0] in piece.said]
    if not alike or not (tree / path.partition("/csrc/")[0] / "include" / name).is_file():
        return Declined(f"its file does not include {host.header}, which a guard asks for the architecture")
    return [(alike[-1].end, f"#include {host.header}\n")]


def _branch(before: str, parts: _Parts, *, instead: str = "") -> str:
    """The statement at the top of the operator that hands the call on, indented as the one that was first; or does
    something else `instead`."""
    operator, test, columns = parts.operator, parts.test, parts.host.columns
    first = before[operator.body : before.find("\n", operator.body)]
    pad = first[: len(first) - len(first.lstrip(" "))]
    void = operator.returns.split()[-1] == "void"
    call = f"{pad}  {'' if void else 'return '}{operator.twin(parts.variant.symbol)}("
    handed_on = packed(call, [one.name for one in operator.parameters], (", ", ");"), columns)
    lines = [
        *packed(f"{pad}if ({test.name}(", test.parameters, (", ", ")) {"), columns),
        *([f"{pad}  {instead}"] if instead else [*handed_on, *([f"{pad}  return;"] if void else [])]),
        f"{pad}}}",
    ]
    return "".join(f"{line}\n" for line in lines)


def trap(win: Win, patch: Patch) -> Trap:
    """The kernel's file as a guarded patch leaves it, with a trap where it hands a call on to the variant."""
    guard = guard_of(win)
    assert isinstance(guard, Guard)
    before = shipped(win)
    parts = _parts(win, guard, before)
    assert isinstance(parts, _Parts)
    landed = splice(before, patch.edits)
    taken, refused = _branch(before, parts), _branch(before, parts, instead=f'throw std::overflow_error("{REACHED}");')
    assert landed.count(taken) == 1
    return Trap(
        source=f"#include <stdexcept>\n{landed.replace(taken, refused)}",
        said=REACHED,
        outside=tuple(turned_away(win.harness, guard)),
        inside=next(one.axes for one in win.harness.contract.timed if guard.admits(one.axes)),
    )


def spliced(text: str, added: list[Insertion]) -> str:
    """The text with each of these put in at its offset; what goes to one place keeps its order."""
    parts, position = list[str](), 0
    for at, new in sorted(added, key=lambda one: one[0]):
        parts += (text[position:at], new)
        position = at
    return "".join([*parts, text[position:]])
