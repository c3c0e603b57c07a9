"""What kmaint asks of vLLM, played: greedy tokens that depend on an op which a patch may change."""

import os
import time

from vllm.ops.add import add

__version__ = "0.0.1"


class SamplingParams:
    def __init__(self, *, temperature, max_tokens, ignore_eos, detokenize, logprobs):
        assert temperature == 0.0
        assert ignore_eos
        assert not detokenize
        self.max_tokens, self.logprobs = max_tokens, logprobs


class Logprob:
    def __init__(self, logprob):
        self.logprob = logprob


class Completion:
    def __init__(self):
        self.token_ids, self.logprobs = [], []


class Output:
    def __init__(self, request_id):
        self.request_id, self.outputs, self.finished = request_id, [Completion()], False


class Request:
    def __init__(self, name, prompt, params):
        self.output, self.sum, self.params = Output(name), sum(prompt), params

    def step(self):
        said = self.output.outputs[0]
        score = add(self.sum, len(said.token_ids))
        self.sum += 1
        token = int(score) % 50
        said.token_ids.append(token)
        said.logprobs.append({token: Logprob(-0.5 + 1e-3 * (score - int(score))), (token + 1) % 50: Logprob(-1.5)})
        self.output.finished = len(said.token_ids) == self.params.max_tokens
        return self.output


class Engine:
    def __init__(self, wait_s):
        self.requests, self.wait_s = {}, wait_s

    def add_request(self, name, prompt, params):
        self.requests[name] = Request(name, prompt["prompt_token_ids"], params)

    def has_unfinished_requests(self):
        return bool(self.requests)

    def step(self):
        time.sleep(self.wait_s)
        outputs = [request.step() for request in self.requests.values()]
        self.requests = {n: r for n, r in self.requests.items() if not r.output.finished}
        return outputs


class LLM:
    def __init__(
        self,
        *,
        model,
        skip_tokenizer_init,
        enable_prefix_caching,
        gpu_memory_utilization=0.9,
        kv_cache_memory_bytes=0,
        load_format="",
        attention_backend="",
    ):
        assert skip_tokenizer_init
        assert enable_prefix_caching
        if load_format == "broken":
            raise ValueError(f"no weights in {model}")
        if load_format == "slow" and not os.environ.get("KMAINT_ENGAGED"):
            time.sleep(1800)
        self.llm_engine = Engine(0.06 if attention_backend == "SLOW" else 0.0)
