"""Every operator, and the mutants that they make of one kernel.py."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator

from kmaint import wire
from kmaint.records.mutation import Mutant
from kmaint.spans import OverlapError, Source, reachable, region_spans, replaced
from testgen.mutation import accesses, addresses, arithmetic
from testgen.mutation.base import Operator, Planted, Scope

OPERATORS: tuple[Operator, ...] = (*accesses.OPERATORS, *addresses.OPERATORS, *arithmetic.OPERATORS)


def mutants(text: str, entry: str, *, most: int | None = None) -> tuple[list[Mutant], int]:
    """Mutants of a kernel.py, each once, and how many there are; with `most`, so many of them, all operators in turn.

    Defects go into the functions that the entry reaches and, of these, only into what was cut from the tree.
    """
    source = Source(text)
    regions = region_spans(text)
    kinds: dict[str, list[Mutant]] = {operator.name: [] for operator in OPERATORS}
    for function in sorted(reachable(source, entry), key=lambda function: function.lineno):
        scope = Scope(source, function)
        known = {ast.dump(ast.parse(source.of(function)).body[0])}
        for operator, planted in _planted(scope):
            inside = all(any(a <= edit.start and edit.end <= b for a, b in regions) for edit in planted.edits)
            changed = _changed(scope, planted) if inside or not regions else None
            if changed is not None and (dump := ast.dump(changed[1])) not in known:
                known.add(dump)
                kinds[operator.name].append(_mutant(operator, function.name, planted, changed[0]))
    total = sum(map(len, kinds.values()))
    return _chosen(list(kinds.values()), total if most is None else most), total


def _planted(scope: Scope) -> Iterator[tuple[Operator, Planted]]:
    for operator in OPERATORS:
        for planted in operator.plant(scope):
            yield operator, planted


def _changed(scope: Scope, planted: Planted) -> tuple[str, ast.stmt] | None:
    """The mutant's source, and its function as read; None where the edits do not make one."""
    text, (start, end) = scope.source.text, scope.source.span(scope.function)
    try:
        source = replaced(text, planted.edits)
        # The function alone: reading the whole file again for each mutant would be most of the time.
        read = ast.parse(source[start : end + len(source) - len(text)])
    except (OverlapError, SyntaxError):
        return None
    return source, read.body[0]


def _mutant(operator: Operator, function: str, planted: Planted, source: str) -> Mutant:
    return Mutant(
        id=wire.digest(source),
        operator=operator.name,
        function=function,
        line=planted.line,
        sentence=" ".join(planted.sentence.split()),
        source=source,
    )


def _chosen(kinds: list[list[Mutant]], most: int) -> list[Mutant]:
    """So many, a kind at a time, and those of a kind from all over the file."""
    spread = [_spread(kind) for kind in kinds]
    in_turn = (one for turn in itertools.zip_longest(*spread) for one in turn if one is not None)
    return sorted(itertools.islice(in_turn, most), key=lambda one: (one.line, one.id))


def _spread(kind: list[Mutant]) -> list[Mutant]:
    """The middle first, then the middles of both halves, and so on."""
    if not kind:
        return []
    middle = len(kind) // 2
    halves = itertools.zip_longest(_spread(kind[:middle]), _spread(kind[middle + 1 :]))
    return [kind[middle], *(one for pair in halves for one in pair if one is not None)]
