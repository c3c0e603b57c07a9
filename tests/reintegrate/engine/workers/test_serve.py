"""What an engine's own process works out of what its profiler and its clock say."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from reintegrate.engine.workers.serve import Chunk, Prompts, busy, covered

SPANS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), max_size=12)


class Silent:
    version = "1"

    def stream(self, prompts: Prompts, tokens: int, *, nats: bool) -> Iterator[Chunk]:
        assert not nats
        for count in range(tokens):
            for number in range(len(prompts)):
                yield number, count + 1, []


@given(SPANS)
def test_what_overlaps_counts_once(spans: list[tuple[int, int]]) -> None:
    at = {second for start, length in spans for second in range(start, start + length)}
    assert covered([(float(start), float(start + length)) for start, length in spans]) == len(at)


def test_an_engine_that_leaves_the_gpu_alone_has_no_record_of_it() -> None:
    """On a machine without one, and on one with."""
    assert busy(Silent(), [[1, 2]], 3) == {"busy_s": None}
