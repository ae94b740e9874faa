"""A provider that is asked over the Responses API, through whole gateways: by callers of its wire, and of chat."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.continuations import answer_to
from tests.support.responses_answers import (
    broken,
    call,
    encoded,
    events,
    message,
    reasoning,
    response,
    stream,
    whole,
)
from tests.support.running import Running, alias, chat, provider, running
from tests.support.running import events as chat_events
from tests.support.upstream_script import Json, ScriptedUpstream, Status, sse_answer
from tests.validators.openai_responses import final, request_faults, stream_faults

PATH = "/v1/responses"
WEATHER = {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
ANSWER = (reasoning("Hm."), message("I look."), call("get_weather", '{"city":"Seoul"}'))
pytestmark = pytest.mark.usefixtures("each_driver")


@pytest.fixture
def second() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture
def gateway(up: ScriptedUpstream, second: ScriptedUpstream, each_driver: None) -> Iterator[Running]:
    """`best` is a provider of the Responses API and then a chat provider; `alone` is the first one."""
    config = {
        "providers": {"oai": provider(up.base_url, api="responses"), "b": provider(second.base_url)},
        "modelAliases": [alias("best", "oai/gpt-x", "b/two"), alias("alone", "oai/gpt-x")],
    }
    with running(config) as served:
        yield served


class TestSameWire:
    def test_a_request_passes_but_for_the_model(self, gateway: Running, up: ScriptedUpstream) -> None:
        up.plays(*stream(*ANSWER))
        body = {"model": "alone", "input": "Hi", "stream": True, "brand_new": [1, None], "store": False}
        gateway.post(body, path=PATH, headers={"x-codex-turn-state": "turn"})
        (request,) = up.requests
        assert request.path == "/v1/responses"
        assert request.json() == {**body, "model": "gpt-x"}
        assert request.headers["x-codex-turn-state"] == "turn"

    def test_a_stream_passes_byte_by_byte_but_for_the_model(self, gateway: Running, up: ScriptedUpstream) -> None:
        up.plays(*stream(*ANSWER))
        reply = gateway.post({"model": "alone", "input": "Hi", "stream": True}, path=PATH)
        assert reply.content == encoded(*events(*ANSWER)).replace(b'"model":"gpt-x-2026"', b'"model":"alone"')

    def test_a_whole_answer_passes_but_for_the_model(self, gateway: Running, up: ScriptedUpstream) -> None:
        up.plays(whole(*ANSWER))
        reply = gateway.post({"model": "alone", "input": "Hi"}, path=PATH)
        assert reply.json() == {**response(*ANSWER), "model": "alone"}

    def test_a_follow_up_names_the_providers_own_answer(self, gateway: Running, up: ScriptedUpstream) -> None:
        up.plays(*stream(*ANSWER))
        up.plays(*stream(message("It rains."), id="resp_provider_2"))
        first = final(gateway.post({"model": "alone", "input": "Weather?", "stream": True}, path=PATH).content)
        output = {"type": "function_call_output", "call_id": "call_1", "output": "rain"}
        more = {"model": "alone", "input": [output], "previous_response_id": first["id"], "stream": True}
        second = gateway.post(more, path=PATH)
        assert final(second.content)["output"][0]["content"][0]["text"] == "It rains."
        sent = up.requests[-1].json()
        assert (sent["previous_response_id"], sent["input"]) == ("resp_provider_1", [output])

    def test_another_provider_gets_the_whole_conversation(
        self, gateway: Running, up: ScriptedUpstream, second: ScriptedUpstream
    ) -> None:
        up.plays(*stream(message("Hello.")))
        first = final(gateway.post({"model": "best", "input": "Hi", "stream": True}, path=PATH).content)
        up.answers(lambda request: (Status(503),))
        gateway.post({"model": "best", "input": "And?", "previous_response_id": first["id"]}, path=PATH)
        texts = [each["content"] for each in second.requests[-1].json()["messages"]]
        assert texts == ["Hi", "Hello.", "And?"]

    @pytest.mark.parametrize(
        "field", [{"previous_response_id": "resp_x"}, {"conversation": "conv_1"}, {"prompt": {"id": "pmpt_1"}}]
    )
    def test_what_only_the_provider_has_is_for_the_provider(
        self, gateway: Running, up: ScriptedUpstream, field: dict[str, Any]
    ) -> None:
        up.plays(whole(message("Hello.")))
        reply = gateway.post({"model": "alone", "input": "Hi", **field}, path=PATH)
        assert reply.status_code == 200
        assert up.requests[-1].json() == {"model": "gpt-x", "input": "Hi", **field}

    def test_a_failed_response_before_content_is_a_status_or_another_target(
        self, gateway: Running, up: ScriptedUpstream
    ) -> None:
        up.answers(lambda request: stream(status="failed", error={"code": "server_error", "message": "It failed."}))
        reply = gateway.post({"model": "alone", "input": "Hi", "stream": True}, path=PATH)
        assert (reply.status_code, reply.json()["error"]["message"]) == (503, "It failed.")
        reply = gateway.post({"model": "best", "input": "Hi", "stream": True}, path=PATH)
        assert final(reply.content)["status"] == "completed"

    def test_a_text_is_resumed_by_a_chat_provider_in_its_item(
        self, gateway: Running, up: ScriptedUpstream, second: ScriptedUpstream
    ) -> None:
        text = " ".join(f"word{number}" for number in range(40))
        up.plays(*broken(reasoning("Hm."), message(text), keep=30))
        second.answers(lambda request: sse_answer(answer_to(text, request)))
        raw = gateway.post({"model": "best", "input": "Hi", "stream": True}, path=PATH).content
        assert stream_faults(raw) == []
        assert final(raw)["id"] == "resp_provider_1"
        assert final(raw)["output"][1]["content"][0]["text"] == text

    def test_reasoning_that_the_provider_refuses_is_left_out_of_the_same_call(
        self, gateway: Running, up: ScriptedUpstream
    ) -> None:
        refusal = {"error": {"message": "It cannot be verified.", "code": "invalid_encrypted_content"}}
        up.plays(Json(400, refusal))
        up.plays(whole(message("Hello.")))
        items = [{"role": "user", "content": "Hi"}, reasoning("Hm."), {"role": "user", "content": "And?"}]
        reply = gateway.post({"model": "alone", "input": items}, path=PATH)
        assert reply.status_code == 200
        assert reply.headers["x-gateway-dropped"] == "input.reasoning"
        sent = [[item.get("type", "message") for item in request.json()["input"]] for request in up.requests]
        assert sent == [["message", "reasoning", "message"], ["message", "message"]]

    def test_the_turn_state_comes_back(self, gateway: Running, up: ScriptedUpstream) -> None:
        up.plays(Json(200, response(message("Hi")), {"x-codex-turn-state": "next", "x-ratelimit-limit-requests": "9"}))
        reply = gateway.post({"model": "alone", "input": "Hi"}, path=PATH)
        assert reply.headers["x-codex-turn-state"] == "next"
        assert reply.headers["x-ratelimit-limit-requests"] == "9"
        long = {"x-codex-turn-state": "x" * 5_000}
        up.plays(Json(200, response(message("Hi")), long))
        reply = gateway.post({"model": "alone", "input": "Hi"}, path=PATH, headers=long)
        assert "x-codex-turn-state" not in reply.headers
        assert "x-codex-turn-state" not in up.requests[-1].headers


class TestChatCallers:
    @pytest.mark.parametrize("streamed", [False, True])
    def test_a_tool_makes_a_round_trip_with_the_reasoning_before_it(
        self, gateway: Running, up: ScriptedUpstream, streamed: bool
    ) -> None:
        up.plays(*stream(*ANSWER))
        up.plays(*stream(message("It rains.")))
        tools = [{"type": "function", "function": WEATHER}]
        first = gateway.post(chat("alone", tools=tools, stream=streamed))
        assert first.status_code == 200
        said = summed(first.text) if streamed else first.json()["choices"][0]["message"]
        assert said["content"] == "I look."
        assert said["reasoning_content"] == "Hm."
        (called,) = said["tool_calls"]
        assert (called["id"], called["function"]["arguments"]) == ("call_1", '{"city":"Seoul"}')
        history = [
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": said["content"], "tool_calls": [called]},
            {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
        ]
        second = gateway.post({"model": "alone", "messages": history, "tools": tools, "stream": streamed})
        text = summed(second.text)["content"] if streamed else second.json()["choices"][0]["message"]["content"]
        assert text == "It rains."
        for request in up.requests:
            assert request_faults(request.json()) == []
        sent = up.requests[-1].json()
        assert [item["type"] for item in sent["input"]] == [
            "message",
            "message",
            "reasoning",
            "function_call",
            "function_call_output",
        ]
        assert sent["input"][2] == ANSWER[0]
        assert (sent["store"], sent["stream"]) == (False, True)

    def test_reasoning_that_the_provider_refuses_is_left_out_though_it_is_remembered(
        self, gateway: Running, up: ScriptedUpstream
    ) -> None:
        up.plays(*stream(*ANSWER))
        up.plays(Json(400, {"error": {"message": "It cannot be verified.", "code": "invalid_encrypted_content"}}))
        up.plays(*stream(message("It rains.")))
        tools = [{"type": "function", "function": WEATHER}]
        said = gateway.post(chat("alone", tools=tools)).json()["choices"][0]["message"]
        history = [
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "tool_calls": said["tool_calls"]},
            {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
        ]
        assert gateway.post({"model": "alone", "messages": history, "tools": tools}).status_code == 200
        kinds = [[item["type"] for item in request.json()["input"]] for request in up.requests[1:]]
        assert ("reasoning" in kinds[0], "reasoning" in kinds[1]) == (True, False)

    def test_usage_and_finish(self, gateway: Running, up: ScriptedUpstream) -> None:
        up.plays(*stream(message("Half"), status="incomplete", incomplete_details={"reason": "max_output_tokens"}))
        body = gateway.post(chat("alone")).json()
        assert body["choices"][0]["finish_reason"] == "length"
        assert body["usage"]["total_tokens"] == 10
        assert body["model"] == "alone"

    def test_several_answers_are_for_another_target(
        self, gateway: Running, up: ScriptedUpstream, second: ScriptedUpstream
    ) -> None:
        assert gateway.post(chat("best", n=2)).status_code == 200
        assert (len(up.requests), len(second.requests)) == (0, 1)
        assert gateway.post(chat("alone", n=2)).status_code == 400

    def test_a_failure_inside_a_200_goes_to_another_target(
        self, gateway: Running, up: ScriptedUpstream, second: ScriptedUpstream
    ) -> None:
        up.answers(lambda request: stream(status="failed", error={"code": "rate_limit_exceeded", "message": "slow"}))
        assert gateway.post(chat("best")).status_code == 200
        assert len(second.requests) == 1
        assert gateway.post(chat("alone")).json()["error"]["code"] == "rate_limit_exceeded"

    def test_a_stream_that_breaks_is_an_error_without_a_finish(self, gateway: Running, up: ScriptedUpstream) -> None:
        up.plays(*broken(message("one two three"), keep=6))
        told = chat_events(gateway.post(chat("alone", stream=True)).text)
        *_, last = told
        assert isinstance(last, dict)
        assert "error" in last
        assert "[DONE]" not in told


def summed(text: str) -> dict[str, Any]:
    """The message that a chat stream adds up to."""
    said: dict[str, Any] = {"content": "", "reasoning_content": ""}
    calls: dict[int, dict[str, Any]] = {}
    for event in chat_events(text):
        if not isinstance(event, dict):
            continue
        for choice in event["choices"]:
            delta = choice["delta"]
            for name in said:
                said[name] += delta.get(name) or ""
            for piece in delta.get("tool_calls", []):
                known = calls.setdefault(
                    piece["index"], {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
                )
                known["id"] += piece.get("id") or ""
                for name in ("name", "arguments"):
                    known["function"][name] += piece["function"].get(name) or ""
    return {**said, "tool_calls": [calls[index] for index in sorted(calls)]} if calls else said
