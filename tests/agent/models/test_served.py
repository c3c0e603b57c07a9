"""Models behind real HTTP on the loopback: answers in each mode, trouble on the way, prices, and what is missing."""

from __future__ import annotations

import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Literal

import pytest
from genai_prices import Usage as Tokens
from pydantic import BaseModel, Field

from kmaint.agent.models.served import Api, Served, open_model, price
from kmaint.config import load_config
from kmaint.errors import MissingError, UsageError
from kmaint.records.exchange import Usage
from tests.agent.models.played import Broken, Play, Server, playing, priced


class Meal(BaseModel):
    """What to cook."""

    dish: Literal["soup", "stew"]
    guests: int = Field(ge=1)


SOUP: Play = {"dish": "soup", "guests": 3}


def served(server: Server, api: Api = "openai", mode: Literal["tool", "native", "prompted"] = "tool") -> Served:
    return Served(
        api=api,
        model="made-up-7b",
        base_url=f"{server.url}/v1" if api == "openai" else server.url,
        key="none",
        output=mode,
        answer_tokens=500,
        timeout_s=20.0,
    )


@pytest.mark.parametrize(
    ("api", "mode", "asks_by"),
    [
        ("openai", "tool", "tools"),
        ("openai", "native", "response_format"),
        ("openai", "prompted", "response_format"),
        ("anthropic", "tool", "tools"),
        ("anthropic", "prompted", "system"),
    ],
)
def test_each_mode_gives_the_typed_answer_and_its_usage(
    api: Api, mode: Literal["tool", "native", "prompted"], asks_by: str
) -> None:
    with playing(SOUP) as server:
        reply = served(server, api, mode).ask("planner", "what now?", Meal, most_tokens=None, most_s=None)
    assert reply.answer == Meal(dish="soup", guests=3)
    assert Meal.model_validate_json(reply.text) == reply.answer
    assert reply.usage == Usage(requests=1, input_tokens=1000, output_tokens=200, cost_usd=None)
    (request,) = server.requests
    assert request["model"] == "made-up-7b"
    assert asks_by in request


@pytest.mark.parametrize("api", ["openai", "anthropic"])
def test_an_answer_may_be_no_longer_than_what_is_left(api: Api) -> None:
    with playing(SOUP) as server:
        served(server, api).ask("planner", "what now?", Meal, most_tokens=120, most_s=None)
        served(server, api).ask("planner", "what now?", Meal, most_tokens=9999, most_s=None)
    limits = [request.get("max_completion_tokens", request.get("max_tokens")) for request in server.requests]
    assert limits == [120, 500]


@pytest.mark.parametrize("api", ["openai", "anthropic"])
def test_a_busy_server_is_asked_again_when_it_says_so(api: Api) -> None:
    busy, started = Broken(status=429, headers={"Retry-After": "2"}), time.monotonic()
    with playing(busy, SOUP) as server:
        reply = served(server, api).ask("planner", "what now?", Meal, most_tokens=None, most_s=None)
    assert (reply.answer, len(server.requests)) == (Meal(dish="soup", guests=3), 2)
    assert time.monotonic() - started > 2.0, "it would have been asked again after half a second"


@pytest.mark.parametrize("api", ["openai", "anthropic"])
def test_a_server_that_is_out_of_order_twice_is_asked_a_third_time(api: Api) -> None:
    with playing(Broken(), Broken(), SOUP) as server:
        reply = served(server, api).ask("planner", "what now?", Meal, most_tokens=None, most_s=None)
    assert (reply.answer, len(server.requests)) == (Meal(dish="soup", guests=3), 3)


@pytest.mark.parametrize(("api", "status"), [("openai", 429), ("anthropic", 500)])
def test_a_server_that_stays_out_of_order_is_asked_three_times_more_and_given_up(api: Api, status: int) -> None:
    with playing(Broken(status=status)) as server:
        reply = served(server, api).ask("planner", "what now?", Meal, most_tokens=None, most_s=None)
    assert (reply.answer, reply.reached, len(server.requests)) == (None, False, 4)
    assert f"does not answer: status_code: {status}" in reply.fault


@pytest.mark.parametrize("api", ["openai", "anthropic"])
def test_an_answer_that_ends_where_it_may_be_no_longer_is_a_fault_that_was_counted(api: Api) -> None:
    with playing("Well, a soup or a", full=True) as server:
        reply = served(server, api).ask("planner", "what now?", Meal, most_tokens=None, most_s=None)
    assert (reply.answer, reply.reached, reply.usage.output_tokens) == (None, True, 200)
    assert reply.fault


@pytest.mark.parametrize("api", ["openai", "anthropic"])
@pytest.mark.parametrize(
    ("play", "fault", "text"),
    [
        ({"dish": "cake", "guests": 3}, "Input should be 'soup' or 'stew'", '{"dish":"cake","guests":3}'),
        ({"dish": "soup"}, "Field required", '{"dish":"soup"}'),
        ("I would rather talk.", "Please include your response in a tool call", "I would rather talk."),
        (Broken(status=200, body='{"id": "x", "choices": [{"mess'), "Unterminated string", ""),
    ],
)
def test_an_answer_that_is_none_is_a_fault_with_what_was_said(api: Api, play: Play, fault: str, text: str) -> None:
    with playing(play) as server:
        reply = served(server, api).ask("planner", "what now?", Meal, most_tokens=None, most_s=None)
    said = reply.text if " talk" in text else reply.text.replace(" ", "")
    assert (reply.answer, said, reply.reached, len(server.requests)) == (None, text, True, 1)
    assert fault in reply.fault


def test_a_server_that_turns_us_away_is_not_asked_again() -> None:
    with playing(Broken(status=401)) as server:
        model = served(server)
        reply = model.ask("planner", "what now?", Meal, most_tokens=None, most_s=None)
    assert (reply.answer, reply.reached, len(server.requests)) == (None, False, 1)
    assert reply.usage == Usage(requests=1)  # no answer was begun, so that it cost nothing
    assert reply.fault.startswith(f"model openai:made-up-7b at {model.base_url} does not answer: status_code: 401")


def test_a_server_that_does_not_count_is_not_taken_to_have_used_nothing() -> None:
    with playing(SOUP, tokens=(0, 0)) as server:
        reply = served(server).ask("planner", "what now?", Meal, most_tokens=None, most_s=None)
    assert (reply.answer, reply.reached) == (None, False)
    assert reply.fault.endswith("does not count tokens, so no budget of them can be kept")


def test_a_server_that_is_silent_is_given_up() -> None:
    with playing(answer=lambda _prompt: Broken(status=503, headers={"Retry-After": "30"})) as server:
        reply = replace(served(server), timeout_s=0.5).ask("planner", "what now?", Meal, most_tokens=None, most_s=None)
    assert (reply.answer, reply.reached) == (None, False)
    assert reply.fault.endswith("does not answer: nothing within 0.5 s")


@pytest.mark.parametrize("api", ["openai", "anthropic"])
def test_an_answer_is_waited_for_no_longer_than_what_is_left(api: Api) -> None:
    def late(_prompt: str) -> Play:
        time.sleep(1.5)
        return SOUP

    with playing(answer=late) as server:
        reply = served(server, api).ask("planner", "what now?", Meal, most_tokens=None, most_s=0.25)
        patient = served(server, api).ask("planner", "what now?", Meal, most_tokens=None, most_s=15.0)
    assert (reply.answer, reply.reached) == (None, False)
    assert reply.fault.endswith("does not answer: nothing within 0.25 s")
    assert patient.answer == Meal(dish="soup", guests=3)


@pytest.mark.parametrize("play", [SOUP, Broken(status=200, body='{"id": "x", "choi'), Broken(status=502)])
def test_what_an_answer_cost_that_came_late_or_in_part_is_not_known(play: Play) -> None:
    def late(_prompt: str) -> Play:
        time.sleep(1.0 if play is SOUP else 0.0)
        return play

    with priced(token_usd=1e-4), playing(answer=late) as server:
        reply = served(server).ask("planner", "what now?", Meal, most_tokens=None, most_s=0.5 if play is SOUP else None)
    assert (reply.answer, reply.usage) == (None, Usage(requests=1, cost_usd=None))


@pytest.mark.parametrize("api", ["openai", "anthropic"])
def test_a_server_that_was_not_reached_costs_nothing(api: Api) -> None:
    """Neither one that is not there, nor one that does not speak TLS."""
    with playing(SOUP) as server:
        plain = replace(served(server, api), base_url=server.url.replace("http:", "https:"))
        unsafe = plain.ask("planner", "what now?", Meal, most_tokens=None, most_s=None)
    gone = served(server, api).ask("planner", "what now?", Meal, most_tokens=None, most_s=None)
    for reply in (unsafe, gone):
        assert (reply.answer, reply.reached, reply.usage) == (None, False, Usage(requests=1, cost_usd=0.0))
    assert server.requests == []


@pytest.mark.parametrize("api", ["openai", "anthropic"])
def test_a_server_that_goes_away_once_it_was_asked_may_have_answered(api: Api) -> None:
    with socket.create_server(("127.0.0.1", 0)) as once:

        def hang_up() -> None:
            talk, _ = once.accept()
            talk.recv(1)
            once.close()
            talk.close()

        model = replace(served(Server(), api), base_url=f"http://127.0.0.1:{once.getsockname()[1]}")
        with ThreadPoolExecutor() as threads:
            threads.submit(hang_up)
            reply = model.ask("planner", "what now?", Meal, most_tokens=None, most_s=None)
    assert (reply.answer, reply.reached, reply.usage) == (None, False, Usage(requests=1, cost_usd=None))


def test_an_answer_of_no_use_costs_what_its_tokens_cost_and_an_unknown_amount_where_they_are_not_counted() -> None:
    with priced(token_usd=1e-4), playing("I would rather talk.") as server:
        talk = served(server).ask("planner", "what now?", Meal, most_tokens=None, most_s=None)
    with priced(token_usd=1e-4), playing("I would rather talk.", tokens=(0, 0)) as server:
        uncounted = served(server).ask("planner", "what now?", Meal, most_tokens=None, most_s=None)
    assert talk.usage.cost_usd == pytest.approx(0.12)
    assert uncounted.usage.cost_usd is None


def test_prices_are_those_of_who_serves_it_and_unknown_otherwise() -> None:
    took = Tokens(input_tokens=1000, output_tokens=100)
    cost = price("gpt-5", "https://api.openai.com/v1", took)
    assert cost is not None
    assert 0 < cost < 1
    assert price("gpt-5", "http://127.0.0.1:8000/v1", took) is None
    assert price("made-up-7b", "https://api.openai.com/v1", took) is None


def test_what_a_provider_lacks_is_said_before_anything_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UsageError) as nameless:
        open_model("openai", load_config())
    with pytest.raises(MissingError) as keyless:
        open_model("openai", load_config(model="made-up-7b"))
    with pytest.raises(UsageError) as priceless:
        open_model("openai", load_config(model="made-up-7b", base_url="http://127.0.0.1:8000/v1", cost=2.0))
    assert str(nameless.value) == "provider 'openai' needs the name of a model; name it with --model"
    assert str(keyless.value) == (
        "provider 'openai' needs OPENAI_API_KEY in the environment; "
        "set it, or name a server that asks for none with --base-url"
    )
    assert str(priceless.value) == (
        "--cost 2: nobody says what model 'made-up-7b' at http://127.0.0.1:8000/v1 costs; "
        "leave --cost out and limit it by --tokens"
    )


def test_without_the_extra_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "anthropic", None)
    with pytest.raises(MissingError) as error:
        open_model("anthropic", load_config(model="made-up-7b"))
    assert str(error.value) == ("provider 'anthropic' needs pydantic-ai; install it with: pip install 'kmaint[agents]'")
    assert error.value.exit_code == 3


def test_the_key_comes_from_the_environment_and_travels_in_a_header_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "not-a-real-key")
    with playing(SOUP) as server:
        model = open_model("openai", load_config(model="made-up-7b", base_url=f"{server.url}/v1"))
        reply = model.ask("planner", "what now?", Meal, most_tokens=None, most_s=None)
    (request,) = server.requests
    assert request.pop("headers")["authorization"] == "Bearer not-a-real-key"
    assert "not-a-real-key" not in f"{request}{reply}{model}"
