"""The real `openai` client against a gateway whose provider is Gemini: one wire in, another out, and back."""

import base64
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam
from pydantic import BaseModel

from gateway.providers.gemini import GeminiProvider
from gateway.wires.gemini.signatures import PLACEHOLDER
from tests.support.gemini_answers import blocked, call, error, refusal, retry_info, said, stream, text
from tests.support.running import Running, alias, chat, events, provider, running
from tests.support.two_workers import two_workers
from tests.support.upstream_script import (
    Cut,
    Json,
    Request,
    ScriptedUpstream,
    Sse,
    Step,
    json_answer,
    sse_answer,
    sse_events,
)

KEY = "AIza-canary-0123456789"
SIGNATURE = base64.b64encode(b"a signature of a thought").decode()
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
QUESTION: ChatCompletionMessageParam = {"role": "user", "content": "Weather in Seoul?"}
CALLED = call("get_weather", {"city": "Seoul"}, id="native-1", thoughtSignature=SIGNATURE)


class Person(BaseModel):
    name: str
    age: int


@pytest.fixture
def google() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as scripted:
        yield scripted


@pytest.fixture
def other() -> Iterator[ScriptedUpstream]:
    """A provider of OpenAI's wire."""
    with ScriptedUpstream() as scripted:
        yield scripted


def at(up: ScriptedUpstream, **settings: object) -> dict[str, object]:
    """Gemini at a scripted upstream."""
    return {"type": "gemini", "apiKey": KEY, "apiEndpoint": f"{up.url}/v1beta", **settings}


def served(google: ScriptedUpstream, other: ScriptedUpstream | None = None, **settings: object) -> dict[str, object]:
    """The alias `best` is Gemini, `old` an older one; with a second upstream `first-g` fails over from Gemini to it,
    and `first-o` from it to Gemini."""
    providers = {"gemini": at(google, **settings)}
    aliases = [alias("best", "gemini/gemini-3-pro-preview"), alias("old", "gemini/gemini-2.5-flash")]
    if other is not None:
        providers["openai"] = provider(other.base_url, apiKey="sk-canary-0123456789", messageExtras="strip")
        aliases.append(alias("first-g", "gemini/gemini-3-pro-preview", "openai/gpt-4o"))
        aliases.append(alias("first-o", "openai/gpt-4o", "gemini/gemini-3-pro-preview"))
    return {"providers": providers, "modelAliases": aliases}


@pytest.fixture
def gateway(google: ScriptedUpstream, other: ScriptedUpstream) -> Iterator[Running]:
    with running(served(google, other)) as gateway:
        yield gateway


def asked(up: ScriptedUpstream) -> Any:
    """The body of the last request."""
    return up.requests[-1].json()


def create(gateway: Running, model: str, messages: Sequence[Any], **fields: Any) -> ChatCompletion:
    answer = gateway.client().chat.completions.create(model=model, messages=messages, **fields)
    assert isinstance(answer, ChatCompletion)
    return answer


# Chat --------------------------------------------------------------------------------------------------------------


def test_chat(google: ScriptedUpstream, gateway: Running) -> None:
    google.plays(Json(200, said(text("Hello "), text("there."))))
    messages = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hi"}]
    answer = create(gateway, "best", messages, temperature=0.5, max_tokens=100, stop="END")
    assert answer.id.startswith("chatcmpl-")
    assert (answer.model, answer.object) == ("best", "chat.completion")
    (choice,) = answer.choices
    assert (choice.message.content, choice.message.role, choice.finish_reason) == ("Hello there.", "assistant", "stop")
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (7, 3, 10)
    (sent,) = google.requests
    assert sent.path == "/v1beta/models/gemini-3-pro-preview:generateContent"
    assert (sent.headers["x-goog-api-key"], "authorization" in sent.headers) == (KEY, False)
    body = sent.json()
    assert body["contents"] == [{"role": "user", "parts": [{"text": "Hi"}]}]
    assert body["systemInstruction"]["parts"] == [{"text": "Be short."}]
    config = body["generationConfig"]
    assert (config["temperature"], config["maxOutputTokens"], config["stopSequences"]) == (0.5, 100, ["END"])


@pytest.mark.parametrize("usage", [False, True])
def test_stream(google: ScriptedUpstream, gateway: Running, usage: bool) -> None:
    google.plays(*stream(said(text("one "), finish=None), said(text("two"), finish=None), said(text(""))))
    reply = gateway.post(chat("best", stream=True, stream_options={"include_usage": usage}))
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    *told, done = events(reply.text)
    assert done == "[DONE]"
    chunks: list[Any] = list(told)
    assert len({(chunk["id"], chunk["created"], chunk["model"], chunk["object"]) for chunk in chunks}) == 1
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert choices[0]["delta"]["role"] == "assistant"
    assert "".join(choice["delta"].get("content") or "" for choice in choices) == "one two"
    assert [choice["finish_reason"] for choice in choices if choice["finish_reason"]] == ["stop"]
    counts = [chunk["usage"]["total_tokens"] for chunk in chunks if chunk.get("usage")]
    assert counts == ([10] if usage else [])
    assert google.requests[0].path == "/v1beta/models/gemini-3-pro-preview:streamGenerateContent?alt=sse"


def test_stream_helper(google: ScriptedUpstream, gateway: Running) -> None:
    google.plays(*stream(said(text("one "), finish=None), said(text("two"))))
    with gateway.client().chat.completions.stream(model="best", messages=[QUESTION]) as streamed:
        deltas = [each.delta for each in streamed if each.type == "content.delta" and each.delta]
        final = streamed.get_final_completion()
    assert deltas == ["one ", "two"]
    assert (final.choices[0].message.content, final.choices[0].finish_reason) == ("one two", "stop")


def test_a_pydantic_model_is_filled(google: ScriptedUpstream, gateway: Running) -> None:
    google.plays(Json(200, said(text('{"name": "Kim", "age": 41}'))))
    answer = gateway.client().chat.completions.parse(model="best", messages=[QUESTION], response_format=Person)
    assert answer.choices[0].message.parsed == Person(name="Kim", age=41)
    config = asked(google)["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    assert set(config["responseJsonSchema"]["required"]) == {"name", "age"}


def test_thinking_is_reasoning_and_never_content(google: ScriptedUpstream, gateway: Running) -> None:
    google.plays(Json(200, said(text("Hm.", thought=True), text("42"))))
    message = create(gateway, "best", [QUESTION], reasoning_effort="low").choices[0].message
    assert message.content == "42"
    assert message.to_dict()["reasoning_content"] == "Hm."
    assert asked(google)["generationConfig"]["thinkingConfig"]["thinkingLevel"] == "LOW"


def test_an_image_is_asked_about(google: ScriptedUpstream, gateway: Running) -> None:
    google.plays(Json(200, said(text("A cat."))))
    parts = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
    ]
    create(gateway, "best", [{"role": "user", "content": parts}])
    (content,) = asked(google)["contents"]
    assert content["parts"][0] == {"text": "What is it?"}
    assert content["parts"][1]["inlineData"] == {"mimeType": "image/png", "data": PNG}


@pytest.mark.parametrize("streamed", [False, True])
def test_an_image_is_answered(google: ScriptedUpstream, gateway: Running, streamed: bool) -> None:
    made = said(text("Here."), {"inlineData": {"mimeType": "image/png", "data": PNG}})
    google.plays(*(stream(made) if streamed else (Json(200, made),)))
    reply = gateway.post(chat("best", stream=streamed, modalities=["text", "image"]))
    bodies: Sequence[Any] = events(reply.text)[:-1] if streamed else [reply.json()]
    told = [choice["delta" if streamed else "message"] for body in bodies for choice in body["choices"]]
    images = [image for each in told for image in each.get("images", ())]
    assert [image["image_url"]["url"] for image in images] == [f"data:image/png;base64,{PNG}"]
    assert asked(google)["generationConfig"]["responseModalities"] == ["TEXT", "IMAGE"]


def test_a_blocked_prompt_says_so(google: ScriptedUpstream, gateway: Running) -> None:
    google.plays(Json(200, blocked()))
    (choice,) = create(gateway, "best", [QUESTION]).choices
    assert (choice.finish_reason, choice.message.content) == ("content_filter", None)
    assert "PROHIBITED_CONTENT" in (choice.message.refusal or "")
    google.plays(*stream(blocked()))
    *told, done = events(gateway.post(chat("best", stream=True)).text)
    chunks: list[Any] = list(told)
    assert chunks[-1]["choices"][0]["finish_reason"] == "content_filter"
    assert "PROHIBITED_CONTENT" in "".join(each["choices"][0]["delta"].get("refusal") or "" for each in chunks)
    assert done == "[DONE]"


def test_what_gemini_is_not_told_is_in_a_header(google: ScriptedUpstream, gateway: Running) -> None:
    google.plays(Json(200, said(text("Hi"))))
    reply = gateway.post(chat("best", logit_bias={"1": 2}, user="me"))
    assert reply.status_code == 200
    assert {"logit_bias", "user"} <= set(reply.headers["x-gateway-dropped"].split(","))


def test_a_name_that_is_none_is_refused_and_nobody_is_asked(google: ScriptedUpstream, gateway: Running) -> None:
    for model in ("gemini/../../v1/x", "gemini/x?key=1", "gemini/x:countTokens", "gemini/x%2fy"):
        reply = gateway.post(chat(model))
        assert (reply.status_code, reply.json()["error"]["code"]) == (404, "model_not_found")
    assert google.connections == 0


# Tools -------------------------------------------------------------------------------------------------------------


def ask_for_a_call(google: ScriptedUpstream, gateway: Running, *, streamed: bool) -> dict[str, Any]:
    """The assistant's message that calls a tool, as a client keeps it."""
    google.plays(*(stream(said(CALLED), said()) if streamed else (Json(200, said(CALLED)),)))
    if streamed:
        with gateway.client().chat.completions.stream(model="best", messages=[QUESTION], tools=[WEATHER]) as opened:
            choice: Any = opened.get_final_completion().choices[0]
    else:
        choice = create(gateway, "best", [QUESTION], tools=[WEATHER]).choices[0]
    assert choice.finish_reason == "tool_calls"
    (made,) = choice.message.tool_calls
    assert (made.function.name, json.loads(made.function.arguments)) == ("get_weather", {"city": "Seoul"})
    assert len(made.id) <= 40
    message: dict[str, Any] = choice.message.to_dict()
    return {name: value for name, value in message.items() if name in ("role", "content", "tool_calls")}


def answered(message: Mapping[str, Any]) -> list[Any]:
    """The conversation with the call's result."""
    return [QUESTION, message, {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "21 C"}]


def without_extras(message: dict[str, Any]) -> dict[str, Any]:
    """As a client keeps it that drops what it does not know."""
    calls = [{name: each[name] for name in ("id", "type", "function")} for each in message["tool_calls"]]
    return {**message, "tool_calls": calls}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("keeps", [True, False], ids=["extras", "no-extras"])
def test_a_tool_loop_gives_gemini_its_signature_and_id_back(
    google: ScriptedUpstream, gateway: Running, streamed: bool, keeps: bool
) -> None:
    message = ask_for_a_call(google, gateway, streamed=streamed)
    google.plays(Json(200, said(text("21 degrees."))))
    messages = answered(message if keeps else without_extras(message))
    assert create(gateway, "best", messages, tools=[WEATHER]).choices[0].message.content == "21 degrees."
    question, calling, result = asked(google)["contents"]
    assert question["role"] == "user"
    assert calling == {"role": "model", "parts": [CALLED]}
    told = {"name": "get_weather", "id": "native-1", "response": {"result": "21 C"}}
    assert result == {"role": "user", "parts": [{"functionResponse": told}]}


def test_two_providers_remember_together(google: ScriptedUpstream) -> None:
    two = {"one": at(google), "two": at(google)}
    with running({"providers": two, "modelAliases": [alias("best", "one/gemini-3-pro-preview")]}) as gateway:
        message = without_extras(ask_for_a_call(google, gateway, streamed=False))
        google.plays(Json(200, said(text("21 degrees."))))
        create(gateway, "two/gemini-3-pro-preview", answered(message), tools=[WEATHER])
    assert asked(google)["contents"][1]["parts"] == [CALLED]


@pytest.mark.skipif(sys.platform == "win32", reason="several workers need Linux or macOS")
@pytest.mark.parametrize("streamed", [False, True])
def test_another_worker_knows_the_signature(
    google: ScriptedUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, streamed: bool
) -> None:
    with two_workers(served(google), tmp_path, monkeypatch) as workers:
        message = without_extras(ask_for_a_call(google, workers.one, streamed=streamed))
        google.plays(Json(200, said(text("21 degrees."))))
        create(workers.two, "best", answered(message), tools=[WEATHER])
    assert asked(google)["contents"][1]["parts"] == [CALLED]


def test_after_a_restart_the_placeholder_stands_for_what_is_forgotten(google: ScriptedUpstream) -> None:
    with running(served(google)) as gateway:
        message = without_extras(ask_for_a_call(google, gateway, streamed=False))
    with running(served(google)) as gateway:
        for model in ("best", "old"):
            google.plays(Json(200, said(text("21 degrees."))))
            create(gateway, model, answered(message), tools=[WEATHER])
    newer, older = (each.json()["contents"][1]["parts"][0] for each in google.requests[-2:])
    assert newer == {**call("get_weather", {"city": "Seoul"}), "thoughtSignature": PLACEHOLDER}
    assert older == call("get_weather", {"city": "Seoul"}), "the older ones want none"


# Failover ----------------------------------------------------------------------------------------------------------

BY_OPENAI: list[Any] = [
    QUESTION,
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": "call_0123456789abcdefghijklmn",
                "type": "function",
                "function": {"name": "get_weather", "arguments": '{"city": "Seoul"}'},
            }
        ],
    },
    {"role": "tool", "tool_call_id": "call_0123456789abcdefghijklmn", "content": '{"celsius": 21}'},
]
BUSY = Json(503, {"error": {"message": "later"}})


@pytest.mark.parametrize("streamed", [False, True])
def test_what_openai_began_gemini_goes_on_with(
    google: ScriptedUpstream, other: ScriptedUpstream, gateway: Running, streamed: bool
) -> None:
    other.answers(lambda _: (BUSY,))
    google.plays(*(stream(said(text("21 degrees."))) if streamed else (Json(200, said(text("21 degrees."))),)))
    body = {"model": "first-o", "messages": BY_OPENAI, "tools": [WEATHER], "stream": streamed}
    reply = gateway.post(body)
    assert reply.status_code == 200
    assert "21 degrees." in reply.text
    assert reply.headers["x-gateway-attempts"].endswith("openai/gpt-4o=503,gemini/gemini-3-pro-preview=200")
    assert reply.headers["x-gateway-provider"] == "gemini"
    _, calling, result = asked(google)["contents"]
    assert calling["parts"] == [{**call("get_weather", {"city": "Seoul"}), "thoughtSignature": PLACEHOLDER}]
    assert result["parts"] == [{"functionResponse": {"name": "get_weather", "response": {"celsius": 21}}}]
    assert asked(other)["messages"] == BY_OPENAI, "to OpenAI it goes as it came"


@pytest.mark.parametrize("streamed", [False, True])
def test_what_gemini_began_openai_goes_on_with(
    google: ScriptedUpstream, other: ScriptedUpstream, gateway: Running, streamed: bool
) -> None:
    message = ask_for_a_call(google, gateway, streamed=False)
    assert message["tool_calls"][0]["extra_content"]["google"]["thought_signature"] == SIGNATURE
    google.answers(lambda _: (refusal(503, "UNAVAILABLE", "The model is overloaded."),))
    other.plays(*(sse_answer("21 degrees.") if streamed else (json_answer("21 degrees."),)))
    reply = gateway.post({"model": "first-g", "messages": answered(message), "tools": [WEATHER], "stream": streamed})
    assert reply.status_code == 200
    assert reply.headers["x-gateway-provider"] == "openai"
    assert reply.headers["x-gateway-attempts"].endswith("gemini/gemini-3-pro-preview=503,openai/gpt-4o=200")
    assert reply.headers["x-gateway-dropped"] == "messages.tool_calls.extra_content"
    assert asked(other)["messages"] == answered(without_extras(message))


def test_a_provider_that_wants_the_extras_gets_them(google: ScriptedUpstream, other: ScriptedUpstream) -> None:
    config = served(google, other)
    config["providers"] = {
        "gemini": at(google),
        "openai": provider(other.base_url, messageExtras="keep"),
    }
    with running(config) as gateway:
        message = ask_for_a_call(google, gateway, streamed=False)
        reply = gateway.post({"model": "openai/gpt-4o", "messages": answered(message)})
    assert "x-gateway-dropped" not in reply.headers
    assert asked(other)["messages"] == answered(message)


def test_what_gemini_cannot_be_told_another_is_asked(
    google: ScriptedUpstream, other: ScriptedUpstream, gateway: Running
) -> None:
    parts = [{"type": "text", "text": "Sum it up."}, {"type": "file", "file": {"file_id": "file-abc123"}}]
    reply = gateway.post({"model": "first-g", "messages": [{"role": "user", "content": parts}]})
    assert (reply.status_code, reply.headers["x-gateway-provider"]) == (200, "openai")
    assert google.connections == 0
    alone = gateway.post({"model": "best", "messages": [{"role": "user", "content": parts}]})
    assert (alone.status_code, alone.json()["error"]["code"]) == (400, "unsupported_by_provider")


# What goes wrong ---------------------------------------------------------------------------------------------------


def test_when_to_ask_again_reaches_the_caller(google: ScriptedUpstream, gateway: Running) -> None:
    google.answers(lambda _: (refusal(429, "RESOURCE_EXHAUSTED", "Wait.", retry_info("12.4s")),))
    reply = gateway.post(chat("best"))
    assert (reply.status_code, reply.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert (reply.headers["retry-after"], reply.headers["retry-after-ms"]) == ("13", "12400")


def test_a_bad_key_is_told_and_not_quoted(google: ScriptedUpstream, gateway: Running) -> None:
    google.plays(Json(400, [error(400, "INVALID_ARGUMENT", f"API key not valid: {KEY}")]))
    reply = gateway.post(chat("best", stream=True))
    assert KEY not in reply.text
    assert reply.json()["error"]["message"]


@pytest.mark.parametrize("how", ["cut", "ended", "error"])
def test_a_stream_that_breaks_never_looks_whole(google: ScriptedUpstream, gateway: Running, how: str) -> None:
    ends: Mapping[str, tuple[Step, ...]] = {
        "cut": (*stream(said(text("one"), finish=None)), Cut()),
        "ended": stream(said(text("one"), finish=None)),
        "error": stream(said(text("one"), finish=None), error(500, "INTERNAL", "An internal error.")),
    }
    google.plays(*ends[how])
    told: Sequence[Any] = events(gateway.post(chat("best", stream=True)).text)
    assert told[-1]["error"]["code"] == "stream_interrupted"
    assert not any(choice["finish_reason"] for each in told[:-1] for choice in each["choices"])


# Google's OpenAI-compatible API ------------------------------------------------------------------------------------


def test_the_compatible_api_is_asked_where_the_configuration_says_so(google: ScriptedUpstream) -> None:
    for key, value in {"api": "openai", "apiEndpoint": f"{google.url}/v1beta/openai"}.items():
        with running({"providers": {"gemini": at(google, **{key: value})}}) as gateway:
            assert gateway.post(chat("gemini/gemini-3-pro-preview", logit_bias={"1": 2})).status_code == 200
    for sent in google.requests:
        assert sent.path == "/v1beta/openai/chat/completions"
        assert (sent.headers["authorization"], "x-goog-api-key" in sent.headers) == (f"Bearer {KEY}", False)
        assert sent.json() == chat("gemini-3-pro-preview", logit_bias={"1": 2})


def test_the_compatible_api_gets_its_signatures_back_and_its_finish_is_put_right(google: ScriptedUpstream) -> None:
    extra = {"google": {"thought_signature": SIGNATURE}}
    made = {**BY_OPENAI[1]["tool_calls"][0], "extra_content": extra}
    chunk = json.loads(sse_events("x")[1])
    chunk["choices"][0]["delta"] = {"tool_calls": [{"index": 0, **made}]}
    last = json.loads(sse_events("x")[2])
    assert last["choices"][0]["finish_reason"] == "stop"
    with running(served(google, api="openai")) as gateway:
        google.plays(Sse([json.dumps(chunk), json.dumps(last)]))
        told: Sequence[Any] = events(gateway.post(chat("best", stream=True, tools=[WEATHER])).text)[:-1]
        assert [each["choices"][0]["finish_reason"] for each in told][-1] == "tool_calls"
        assert told[0]["choices"][0]["delta"]["tool_calls"][0]["extra_content"] == extra
        history = [QUESTION, {"role": "assistant", "content": None, "tool_calls": [made]}, BY_OPENAI[2]]
        gateway.post({"model": "best", "messages": history})
    assert asked(google)["messages"] == history


# Without a file ----------------------------------------------------------------------------------------------------


def test_a_key_in_the_environment_is_enough() -> None:
    with running(env={"GEMINI_API_KEY": KEY}) as gateway:
        assert isinstance(gateway.gateway.assembly.providers()["gemini"], GeminiProvider)


def test_a_token_goes_out_with_its_project(google: ScriptedUpstream) -> None:
    def answers(request: Request) -> Sequence[Step]:
        good = request.headers.get("authorization") == "Bearer ya29.canary"
        return (Json(200, said(text("Hi"))) if good else refusal(401, "UNAUTHENTICATED"),)

    google.answers(answers)
    command = [sys.executable, "-c", "print('ya29.canary')"]
    settings = {"apiEndpoint": f"{google.url}/v1beta", "command": command, "quotaProject": "my-project"}
    with running({"providers": {"gemini": settings}}) as gateway:
        assert gateway.post(chat("gemini/gemini-2.5-pro")).status_code == 200
    (sent,) = google.requests
    assert sent.headers["x-goog-user-project"] == "my-project"
    assert "x-goog-api-key" not in sent.headers
