"""The network's edge, played: a loopback server that speaks OpenAI chat completions and Anthropic messages."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from genai_prices.data import providers
from genai_prices.data_snapshot import DataSnapshot, set_custom_snapshot
from genai_prices.types import ClauseStartsWith, ModelInfo, ModelPrice

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Broken:
    """What a server answers when something is wrong with it: a status, headers, and a body that may be cut short."""

    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: str = '{"error": {"message": "out of order", "type": "server_error"}}'


Play = Json | str | Broken
"""A typed answer, words that are none, or trouble."""


@dataclass
class Server:
    """Gives the plays in their order, then the last one for ever; or what `answer` makes of the request. Keeps all."""

    plays: list[Play] = field(default_factory=list)
    answer: Callable[[str], Play] | None = None
    tokens: tuple[int, int] = (1000, 200)
    full: bool = False
    """Whether every answer ends where it may be no longer."""
    requests: list[Json] = field(default_factory=list)
    url: str = ""

    def next_play(self, request: Json) -> Play:
        self.requests.append(request)
        if self.answer is not None:
            return self.answer(prompt_of(request))
        return self.plays[min(len(self.requests), len(self.plays)) - 1]


def prompt_of(request: Json) -> str:
    """The words of the user in a request of either kind."""
    content = request["messages"][-1]["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


@contextlib.contextmanager
def playing(*plays: Play, **more: Any) -> Iterator[Server]:
    """The server on a free port of the loopback, for as long as the block lasts."""
    server = Server(plays=list(plays), **more)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            request["headers"] = {name.lower(): value for name, value in self.headers.items()}
            speak = _openai if self.path.endswith("/chat/completions") else _anthropic
            play = server.next_play(request)
            if not isinstance(play, Broken):
                play = Broken(status=200, body=json.dumps(speak(play, request, server)))
            body = play.body.encode()
            self.send_response(play.status)
            for name, value in {"Content-Type": "application/json", **play.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        server.url = f"http://127.0.0.1:{http.server_address[1]}"
        threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield server
        finally:
            http.shutdown()


def _openai(play: Json | str, request: Json, server: Server) -> Json:
    message: Json = {"role": "assistant", "content": play if isinstance(play, str) else json.dumps(play)}
    if isinstance(play, dict) and request.get("tools"):
        called = {"name": request["tools"][0]["function"]["name"], "arguments": json.dumps(play)}
        message = {"role": "assistant", "content": None}
        message["tool_calls"] = [{"id": "call_1", "type": "function", "function": called}]
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1764400000,
        "model": request["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "length" if server.full else "stop"}],
        "usage": {
            "prompt_tokens": server.tokens[0],
            "completion_tokens": server.tokens[1],
            "total_tokens": sum(server.tokens),
        },
    }


def _anthropic(play: Json | str, request: Json, server: Server) -> Json:
    content: Json = {"type": "text", "text": play if isinstance(play, str) else json.dumps(play)}
    if isinstance(play, dict) and request.get("tools"):
        content = {"type": "tool_use", "id": "toolu_1", "name": request["tools"][0]["name"], "input": play}
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": request["model"],
        "content": [content],
        "stop_reason": "max_tokens" if server.full else "tool_use" if content["type"] == "tool_use" else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": server.tokens[0], "output_tokens": server.tokens[1]},
    }


@contextlib.contextmanager
def priced(*, token_usd: float) -> Iterator[None]:
    """The public list of prices, played: every model of the loopback costs so much for each token."""
    each = Decimal(token_usd) * 1_000_000
    model = ModelInfo(
        id="made-up", match=ClauseStartsWith("made-up"), prices=ModelPrice(input_mtok=each, output_mtok=each)
    )
    openai = next(one for one in providers if one.id == "openai")
    loopback = replace(openai, api_pattern=r"http://127\.0\.0\.1", models=[model])
    set_custom_snapshot(DataSnapshot(providers=[loopback], from_auto_update=False))
    try:
        yield
    finally:
        set_custom_snapshot(None)
