"""One engine in one process: reads a request a line, answers each with a line of JSON.

    {"engine": "vllm", "model": DIR, "arguments": {...}}     first; answered by "version", "device" and "folder";
                                                             "logprobs": whether each token's is always asked for
    {"prompts": [[...]], "tokens": N, "nats": false}         answered by times, or with "nats" by what was said;
                                                             "waking": that many tokens first, untimed;
                                                             "busy": answered by how long the device was

Needs the engine and the standard library, and nothing of kmaint. What the engine prints goes to standard error.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
import tempfile
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

Prompts = Sequence[Sequence[int]]
Chunk = tuple[int, int, list[dict[str, Any]]]
"""A sequence's number, how many tokens it has by now, and what is known of each where that was asked for."""
Span = tuple[float, float]
"""From one microsecond to another."""

ON_DEVICE = frozenset({"kernel", "gpu_memcpy", "gpu_memset"})
"""What torch's profiler calls the work of a device in the traces that it writes."""


class Engine(Protocol):
    """Greedy generation, watched token by token."""

    version: str

    def stream(self, prompts: Prompts, tokens: int, *, nats: int | None) -> Iterator[Chunk]:
        """A chunk whenever a sequence got longer, until every sequence has `tokens` more.

        `nats`: log-probabilities of how many of the likeliest are asked for beside each token's own; None for neither.
        """

    def recorded(self, chunks: Iterator[Chunk]) -> list[Span]:
        """When the device ran something while these were made; nothing where no profiler sees it."""


class Vllm:
    """vLLM in this process, or with its core in another: as VLLM_ENABLE_V1_MULTIPROCESSING says."""

    def __init__(self, model: str, arguments: dict[str, Any]) -> None:
        import vllm

        self.version = vllm.__version__
        self._parameters, self._asked = vllm.SamplingParams, 0
        self._engine = vllm.LLM(
            model=model, **{"skip_tokenizer_init": True, "enable_prefix_caching": True, **arguments}
        ).llm_engine

    def stream(self, prompts: Prompts, tokens: int, *, nats: int | None) -> Iterator[Chunk]:
        parameters = self._parameters(
            temperature=0.0, max_tokens=tokens, ignore_eos=True, detokenize=False, logprobs=nats
        )
        numbers = {}
        for number, prompt in enumerate(prompts):
            self._asked += 1
            numbers[str(self._asked)] = number
            self._engine.add_request(str(self._asked), {"prompt_token_ids": list(prompt)}, parameters)
        while self._engine.has_unfinished_requests():
            for output in self._engine.step():
                said = output.outputs[0]
                yield (
                    numbers[output.request_id],
                    len(said.token_ids),
                    _of_vllm(said) if nats and output.finished else [],
                )

    def recorded(self, chunks: Iterator[Chunk]) -> list[Span]:
        return recorded_here(chunks)


def _of_vllm(said: Any) -> list[dict[str, Any]]:
    found = []
    for token, known in zip(said.token_ids, said.logprobs or (), strict=False):
        best = sorted((one.logprob for one in known.values()), reverse=True)
        found.append(
            {"token": token, "nats": known[token].logprob, "lead": best[0] - best[1] if len(best) > 1 else 0.0}
        )
    return found


class Sglang:
    """SGLang's engine; its scheduler is a process of its own, which has to sleep while another engine is measured."""

    def __init__(self, model: str, arguments: dict[str, Any]) -> None:
        import sglang

        self.version = sglang.__version__
        own = {"skip_tokenizer_init": True, "sleep_on_idle": True}
        self._engine = sglang.Engine(model_path=model, **{**own, **arguments})

    def stream(self, prompts: Prompts, tokens: int, *, nats: int | None) -> Iterator[Chunk]:
        asked = {"temperature": 0.0, "max_new_tokens": tokens, "ignore_eos": True}
        more = {} if nats is None else {"return_logprob": True, "top_logprobs_num": nats}
        for output in self._engine.generate(
            input_ids=[list(prompt) for prompt in prompts], sampling_params=asked, stream=True, **more
        ):
            told = output["meta_info"]
            finished = told.get("finish_reason") is not None
            yield output.get("index", 0), told["completion_tokens"], _of_sglang(told) if nats and finished else []

    def recorded(self, chunks: Iterator[Chunk]) -> list[Span]:
        """As the profiler in the scheduler's process writes them down."""
        with tempfile.TemporaryDirectory() as folder:
            self._engine.start_profile(output_dir=folder, activities=["GPU"], with_stack=False)
            deque(chunks, maxlen=0)
            self._engine.stop_profile()
            return [span for file in Path(folder).glob("*.json.gz") for span in of_trace(file)]


def _of_sglang(told: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for (nats, token, _), best in zip(told["output_token_logprobs"], told["output_top_logprobs"], strict=True):
        found.append({"token": token, "nats": nats, "lead": best[0][0] - best[1][0] if len(best) > 1 else 0.0})
    return found


def of_trace(file: Path) -> list[Span]:
    """Of a trace as torch's profiler writes it."""
    with gzip.open(file, "rt") as text:
        events = json.load(text)["traceEvents"]
    return [(one["ts"], one["ts"] + one["dur"]) for one in events if one.get("cat") in ON_DEVICE]


def recorded_here(chunks: Iterator[Chunk]) -> list[Span]:
    """As torch's profiler sees it from this process: nothing of an engine whose core is another one."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return []
    from torch.autograd import DeviceType
    from torch.profiler import ProfilerActivity, profile

    try:
        with profile(activities=[ProfilerActivity.CUDA]) as profiler:
            deque(chunks, maxlen=0)
            torch.cuda.synchronize()
        events = [one.time_range for one in profiler.events() if one.device_type == DeviceType.CUDA]
    except RuntimeError:
        events = []
    return [(one.start, one.end) for one in events]


ENGINES: dict[str, type[Vllm | Sglang]] = {"vllm": Vllm, "sglang": Sglang}


def measure(engine: Engine, prompts: Prompts, tokens: int, nats: int | None = None) -> dict[str, Any]:
    """Seconds until all is there, and each sequence's first and last token; None between them where there is one."""
    first: dict[int, float] = {}
    last: dict[int, float] = {}
    started = perf_counter()
    for number, _count, _known in engine.stream(prompts, tokens, nats=nats):
        last[number] = perf_counter() - started
        first.setdefault(number, last[number])
    each = [(last[n] - first[n]) / (tokens - 1) for n in first] if tokens > 1 else []
    return {
        "seconds": max(last.values()),
        "first_s": sum(first.values()) / len(first),
        "token_s": sum(each) / len(each) if each else None,
    }


def say(engine: Engine, prompts: Prompts, tokens: int) -> dict[str, Any]:
    """What each sequence says, in the prompts' order."""
    said = {number: known for number, _count, known in engine.stream(prompts, tokens, nats=2) if known}
    return {"said": [said[number] for number in range(len(prompts))]}


def busy(engine: Engine, prompts: Prompts, tokens: int, nats: int | None = None) -> dict[str, Any]:
    """Seconds in which the device ran anything, for each token; None where no profiler sees anything of it."""
    spans = engine.recorded(engine.stream(prompts, tokens, nats=nats))
    return {"busy_s": covered(spans) * 1e-6 / tokens if spans else None}


def covered(spans: Sequence[Span]) -> float:
    """How much lies in any of the spans: what overlaps counts once."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def _device() -> str:
    torch = sys.modules.get("torch")
    return str(torch.cuda.get_device_name()) if torch is not None and torch.cuda.is_available() else ""


def _folder(package: str) -> str:
    return os.path.dirname(os.path.realpath(sys.modules[package].__file__ or ""))  # noqa: PTH120


def _answered(engine: Engine, asked: dict[str, Any], nats: int | None) -> dict[str, Any]:
    prompts, tokens = asked["prompts"], asked["tokens"]
    if waking := asked.get("waking", 0):
        deque(engine.stream(prompts, waking, nats=nats), maxlen=0)
    if asked["nats"]:
        return say(engine, prompts, tokens)
    return (busy if asked.get("busy") else measure)(engine, prompts, tokens, nats)


def main() -> int:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    setup = json.loads(sys.stdin.readline())
    try:
        engine = ENGINES[setup["engine"]](setup["model"], setup["arguments"])
        ready = {"version": engine.version, "device": _device(), "folder": _folder(setup["engine"])}
        answers.write(json.dumps(ready) + "\n")
        for line in sys.stdin:
            answer = _answered(engine, json.loads(line), 0 if setup.get("logprobs") else None)
            answers.write(json.dumps(answer) + "\n")
    except Exception as error:  # noqa: BLE001 - whatever an engine raises is the answer
        answers.write(json.dumps({"error": f"{type(error).__name__}: {error}", "log": traceback.format_exc()}) + "\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
