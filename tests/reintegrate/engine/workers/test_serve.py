"""What an engine's own process works out of what its profiler and its clock say, and what it asks of SGLang."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reintegrate.engine.workers.serve import Chunk, Prompts, Sglang, Span, busy, covered, measure, recorded_here, say

SPANS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), max_size=12)


class Silent:
    version = "1"

    def stream(self, prompts: Prompts, tokens: int, *, nats: int | None) -> Iterator[Chunk]:
        assert nats is None
        for count in range(tokens):
            for number in range(len(prompts)):
                yield number, count + 1, []

    def recorded(self, chunks: Iterator[Chunk]) -> list[Span]:
        return recorded_here(chunks)


class Played:
    """SGLang's engine as far as it is asked: sequences in turns, two tokens a chunk, the whole of each so far."""

    def __init__(self, **arguments: Any) -> None:
        self.arguments, self.folder = arguments, Path()
        self.asked: list[dict[str, Any]] = []

    def generate(self, *, input_ids: Prompts, sampling_params: dict[str, Any], **more: Any) -> Iterator[dict[str, Any]]:
        self.asked.append(more)
        for count in range(1, sampling_params["max_new_tokens"] + 1, 2):
            for index, prompt in enumerate(input_ids):
                told: dict[str, Any] = {
                    "completion_tokens": count,
                    "finish_reason": {"type": "length"} if count > 2 else None,
                }
                if more.get("return_logprob"):
                    told["output_token_logprobs"] = [(-0.5, prompt[0], None)] * count
                    told["output_top_logprobs"] = [[(-0.5, prompt[0], None), (-2.0, 7, None)]] * count
                yield {"index": index, "meta_info": told}

    def start_profile(self, *, output_dir: str, activities: list[str], with_stack: bool) -> None:
        assert activities == ["GPU"]
        assert not with_stack
        self.folder = Path(output_dir)

    def stop_profile(self) -> None:
        kernel, copy = ({"cat": cat, "ts": 2, "dur": 6, "ph": "X"} for cat in ("kernel", "gpu_memcpy"))
        events = [kernel, copy, {"cat": "cuda_runtime", "ts": 0, "dur": 90}, {"ph": "M"}]
        with gzip.open(self.folder / "1-TP-0.trace.json.gz", "wt") as file:
            json.dump({"traceEvents": events}, file)


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> tuple[Sglang, Played]:
    monkeypatch.setitem(sys.modules, "sglang", SimpleNamespace(__version__="0.5", Engine=Played))
    engine = Sglang("a model", {"load_format": "dummy"})
    return engine, engine._engine


@given(SPANS)
def test_what_overlaps_counts_once(spans: list[tuple[int, int]]) -> None:
    at = {second for start, length in spans for second in range(start, start + length)}
    assert covered([(float(start), float(start + length)) for start, length in spans]) == len(at)


def test_an_engine_that_leaves_the_gpu_alone_has_no_record_of_it() -> None:
    """On a machine without one, and on one with."""
    assert busy(Silent(), [[1, 2]], 3) == {"busy_s": None}


def test_sglang_sleeps_while_another_engine_is_measured(played: tuple[Sglang, Played]) -> None:
    """Its scheduler would spin otherwise, on the very processors that the other one is measured on."""
    assert played[1].arguments == {
        "model_path": "a model",
        "skip_tokenizer_init": True,
        "sleep_on_idle": True,
        "load_format": "dummy",
    }


def test_sglang_says_each_token_with_its_lead(played: tuple[Sglang, Played]) -> None:
    said = say(played[0], [[3], [4]], 3)["said"]
    assert said == [[{"token": first, "nats": -0.5, "lead": 1.5}] * 3 for first in (3, 4)]


@pytest.mark.parametrize(("nats", "more"), [(None, {}), (0, {"return_logprob": True, "top_logprobs_num": 0})])
def test_log_probabilities_are_asked_of_sglang_as_told(
    played: tuple[Sglang, Played], nats: int | None, more: dict[str, Any]
) -> None:
    found = measure(played[0], [[3], [4]], 3, nats)
    assert 0 < found["token_s"] < found["seconds"]
    assert played[1].asked == [{"stream": True, **more}]


def test_the_records_of_sglangs_own_profiler_are_read(played: tuple[Sglang, Played]) -> None:
    """Its device works in another process; what ran at once counts once, and what the host did does not count."""
    assert busy(played[0], [[3]], 3) == {"busy_s": pytest.approx(2e-6)}
