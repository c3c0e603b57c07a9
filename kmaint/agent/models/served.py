"""Models that a server speaks for, by OpenAI's or Anthropic's protocol, through pydantic-ai.

pydantic-ai takes a second to import and comes with the extra `agents`, so nothing here imports it before it is asked.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, Protocol

from kmaint.agent.models.model import Answer, Reply
from kmaint.config import Config
from kmaint.errors import MissingError, UsageError
from kmaint.records.exchange import Role, Usage

if TYPE_CHECKING:
    from genai_prices.types import AbstractUsage
    from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
    from pydantic_ai.models import Model as Client

Api = Literal["openai", "anthropic"]

RETRIES = 3
"""By the vendor's own client, of 429 (as its Retry-After says), 5xx and lost connections."""

KEYS: Mapping[Api, str] = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
HOMES: Mapping[Api, str] = {"openai": "https://api.openai.com/v1", "anthropic": "https://api.anthropic.com"}
"""Where a model is asked, and by whose prices, when no address is named."""


@dataclass
class Line:
    """Whether anything was sent to a server yet: what it was not asked costs nothing."""

    used: bool = False

    async def watch(self, request: Sent) -> None:
        """A hook of the vendors' HTTP clients, which tell of each step once they are asked to."""
        request.extensions["trace"] = self._trace

    async def _trace(self, step: str, _said: object) -> None:
        self.used = self.used or step.endswith("send_request_headers.started")


class Sent(Protocol):
    """As httpx has a request, under whichever name a vendor's client depends on it."""

    @property
    def extensions(self) -> MutableMapping[str, Any]:
        """What is said of it to the transport."""


@dataclass(frozen=True, kw_only=True)
class Served:
    """A model of that name at an address."""

    api: Api
    model: str
    base_url: str
    key: str = field(repr=False)
    output: Literal["tool", "native", "prompted"]
    answer_tokens: int
    timeout_s: float

    @property
    def name(self) -> str:
        return f"{self.api}:{self.model}"

    def ask(
        self, role: Role, prompt: str, answer: type[Answer], *, most_tokens: int | None, most_s: float | None
    ) -> Reply[Answer]:
        """One request, no more: what to do about a bad answer is not the client's business."""
        del role
        room = min(self.answer_tokens, most_tokens or self.answer_tokens)
        limit_s = self.timeout_s if most_s is None else min(self.timeout_s, most_s)
        return asyncio.run(self._ask(prompt, answer, room, limit_s))

    async def _ask(self, prompt: str, answer: type[Answer], room: int, limit_s: float) -> Reply[Answer]:
        from pydantic_ai import Agent, NativeOutput, PromptedOutput, ToolOutput, UsageLimits, capture_run_messages
        from pydantic_ai.exceptions import AgentRunError, ModelConnectionError, ModelHTTPError

        form = {"tool": ToolOutput, "native": NativeOutput, "prompted": PromptedOutput}[self.output]
        line = Line()
        async with CLIENTS[self.api](self, line) as client:
            agent: Agent[object, Answer] = Agent(client, output_type=form(answer), retries=0)
            with capture_run_messages() as messages:
                try:
                    async with asyncio.timeout(limit_s):  # the client's own limit is one for each piece
                        run = await agent.run(
                            prompt, usage_limits=UsageLimits(request_limit=1), model_settings={"max_tokens": room}
                        )
                except (ModelHTTPError, ModelConnectionError, TimeoutError) as error:
                    why = str(error).rstrip(".") or f"nothing within {limit_s:.4g} s"
                    fault = f"model {self.name} at {self.base_url} does not answer: {why}"
                    turned_away = isinstance(error, ModelHTTPError) and error.status_code < 500
                    free = turned_away or not line.used  # else an answer may have been begun
                    usage = Usage(requests=1, cost_usd=0.0 if free else None)
                    return Reply(text="", answer=None, usage=usage, fault=fault, reached=False)
                except AgentRunError as error:
                    fault = str(error.__cause__ or error)
                    return Reply(text=_text(messages), answer=None, usage=self._usage(messages), fault=fault)
        usage = self._usage(messages)
        if not usage.tokens:
            fault = f"the server at {self.base_url} does not count tokens, so no budget of them can be kept"
            return Reply(text=_text(messages), answer=None, usage=usage, fault=fault, reached=False)
        return Reply(text=run.output.model_dump_json(), answer=run.output, usage=usage)

    def _usage(self, messages: Sequence[ModelMessage]) -> Usage:
        """What the server counted; nobody knows what an answer costs that was cut short before its count."""
        counted = [message.usage for message in messages if message.kind == "response"]
        costs = [price(self.model, self.base_url, one) for one in counted]
        known = [cost for one, cost in zip(counted, costs, strict=True) if cost is not None and one.total_tokens]
        return Usage(
            requests=1,
            input_tokens=sum(one.input_tokens for one in counted),
            output_tokens=sum(one.output_tokens for one in counted),
            cost_usd=sum(known) if costs and len(known) == len(costs) else None,
        )


def price(model: str, base_url: str, usage: AbstractUsage) -> float | None:
    """US dollars by the public prices of who serves it; None where nobody says: a local server, a new model."""
    from genai_prices import calc_price

    try:
        return float(calc_price(usage, model, provider_api_url=base_url).total_price)
    except LookupError:
        return None


def _is_priced(model: str, base_url: str) -> bool:
    from genai_prices import Usage as Tokens

    return price(model, base_url, Tokens(input_tokens=1, output_tokens=1)) is not None


def _text(messages: Sequence[ModelMessage]) -> str:
    """All that the model said, its calls as the JSON that they were."""
    answers: list[ModelResponse] = [message for message in messages if message.kind == "response"]
    parts = [part for answer in answers for part in answer.parts]
    said = [_part(part) for part in parts if part.part_kind in ("tool-call", "text")]
    return "\n".join(said)


def _part(part: ToolCallPart | TextPart) -> str:
    if part.part_kind == "text":
        return part.content
    return part.args if isinstance(part.args, str) else part.args_as_json_str()


@asynccontextmanager
async def _openai(served: Served, line: Line) -> AsyncIterator[Client]:
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    async with AsyncOpenAI(
        base_url=served.base_url,
        api_key=served.key,
        max_retries=RETRIES,
        timeout=served.timeout_s,
        http_client=DefaultAsyncHttpxClient(event_hooks={"request": [line.watch]}),
    ) as client:
        yield OpenAIChatModel(served.model, provider=OpenAIProvider(openai_client=client))


@asynccontextmanager
async def _anthropic(served: Served, line: Line) -> AsyncIterator[Client]:
    from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.providers.anthropic import AnthropicProvider

    async with AsyncAnthropic(
        base_url=served.base_url,
        api_key=served.key,
        max_retries=RETRIES,
        timeout=served.timeout_s,
        http_client=DefaultAsyncHttpxClient(event_hooks={"request": [line.watch]}),
    ) as client:
        yield AnthropicModel(served.model, provider=AnthropicProvider(anthropic_client=client))


CLIENTS: Mapping[Api, Callable[[Served, Line], AbstractAsyncContextManager[Client]]] = {
    "openai": _openai,
    "anthropic": _anthropic,
}


def open_model(api: Api, config: Config) -> Served:
    """The model of the settings; what it lacks is said before anything is asked."""
    if find_spec("pydantic_ai") is None or find_spec(api) is None:
        raise MissingError(f"provider {api!r} needs pydantic-ai", "install it with: pip install 'kmaint[agents]'")
    if config.model is None:
        raise UsageError(f"provider {api!r} needs the name of a model", "name it with --model")
    key = os.environ.get(KEYS[api], "")
    if not key and config.base_url is None:
        raise MissingError(
            f"provider {api!r} needs {KEYS[api]} in the environment",
            "set it, or name a server that asks for none with --base-url",
        )
    served = Served(
        api=api,
        model=config.model,
        base_url=config.base_url or HOMES[api],
        key=key or "none",
        output=config.output_mode,
        answer_tokens=config.answer_tokens,
        timeout_s=60 * config.answer_minutes,
    )
    if config.cost is not None and not _is_priced(served.model, served.base_url):
        raise UsageError(
            f"--cost {config.cost:g}: nobody says what model {served.model!r} at {served.base_url} costs",
            "leave --cost out and limit it by --tokens",
        )
    return served
