"""The real `openai` client against a gateway whose provider is Anthropic, which refuses what the real one refuses."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import openai
import pytest
import requests
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam
from pydantic import BaseModel

from gateway.providers.anthropic import AnthropicProvider
from tests.support.anthropic_answers import call, error, events, message, redacted, refusal, sse, stream, text, thinking
from tests.support.anthropic_server import vendor_fault
from tests.support.continuations import answer_to, continued, is_continuation
from tests.support.running import Running, alias, chat, provider, running
from tests.support.running import events as told_events
from tests.support.upstream_script import Body, Cut, Json, Request, ScriptedUpstream, Sse, Step, sse_answer, sse_events

KEY = "sk-ant-canary-0123456789"
PNG = "iVBORw0KGgo="
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
QUESTION: ChatCompletionMessageParam = {"role": "user", "content": "Weather in Seoul?"}
HELLO = message(text("Hello "), text("there."))
CALLED = message(
    thinking("Let me see."),
    text("I look."),
    call("get_weather", {"city": "Seoul"}),
    call("get_weather", {"city": "Busan"}, "toolu_01B"),
    stop="tool_use",
)


class Person(BaseModel):
    name: str
    age: int


class Anthropic:
    """A scripted upstream that answers what is next, streamed where a stream is asked for, and refuses by the vendor's
    rules."""

    def __init__(self, up: ScriptedUpstream) -> None:
        self.up = up
        self.next: dict[str, Any] = HELLO
        self.new = True
        up.answers(self._answer)

    def _answer(self, request: Request) -> Sequence[Step]:
        body = request.json()
        if "anthropic-version" not in request.headers or ("x-api-key" in request.headers) == (
            "authorization" in request.headers
        ):
            return (refusal(401, "authentication_error", "exactly one credential, and a version"),)
        if fault := vendor_fault(body, new=self.new):
            return (refusal(400, "invalid_request_error", fault),)
        return stream(self.next) if body.get("stream") else (Json(200, self.next),)

    @property
    def asked(self) -> Any:
        """The body of the last request."""
        return self.up.requests[-1].json()


@pytest.fixture
def claude() -> Iterator[Anthropic]:
    with ScriptedUpstream() as scripted:
        yield Anthropic(scripted)


@pytest.fixture
def other() -> Iterator[ScriptedUpstream]:
    """A provider of OpenAI's wire."""
    with ScriptedUpstream() as scripted:
        yield scripted


def served(claude: Anthropic, other: ScriptedUpstream | None = None, **settings: object) -> dict[str, object]:
    """The alias `best` is Claude, `old` an older one; with a second upstream `first-a` fails over to it, and `first-o`
    from it to Claude."""
    at: dict[str, object] = {"type": "anthropic", "apiKey": KEY, "apiEndpoint": claude.up.url, **settings}
    providers = {"anthropic": at}
    aliases = [alias("best", "anthropic/claude-opus-5-5"), alias("old", "anthropic/claude-sonnet-4-5")]
    if other is not None:
        providers["openai"] = provider(other.base_url, apiKey="sk-canary-0123456789")
        aliases.append(alias("first-a", "anthropic/claude-opus-5-5", "openai/gpt-4o"))
        aliases.append(alias("first-o", "openai/gpt-4o", "anthropic/claude-opus-5-5"))
    return {"providers": providers, "modelAliases": aliases}


@pytest.fixture
def gateway(claude: Anthropic, other: ScriptedUpstream) -> Iterator[Running]:
    with running(served(claude, other)) as gateway:
        yield gateway


def create(gateway: Running, model: str, messages: Sequence[Any], **fields: Any) -> ChatCompletion:
    answer = gateway.client().chat.completions.create(model=model, messages=messages, **fields)
    assert isinstance(answer, ChatCompletion)
    return answer


# Chat --------------------------------------------------------------------------------------------------------------


def test_chat(claude: Anthropic, gateway: Running) -> None:
    messages = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hi"}]
    answer = create(gateway, "best", messages, max_tokens=100, stop="END")
    assert answer.id.startswith("chatcmpl-")
    assert (answer.model, answer.object) == ("best", "chat.completion")
    (choice,) = answer.choices
    assert (choice.message.content, choice.message.role, choice.finish_reason) == ("Hello there.", "assistant", "stop")
    assert choice.to_dict()["native_finish_reason"] == "end_turn"
    usage: Any = answer.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.prompt_tokens_details.cached_tokens) == (7, 5, 2)
    (sent,) = claude.up.requests
    assert (sent.path, sent.headers["x-api-key"]) == ("/v1/messages", KEY)
    assert "authorization" not in sent.headers
    assert claude.asked == {
        "model": "claude-opus-5-5",
        "max_tokens": 100,
        "system": [text("Be short.")],
        "messages": [{"role": "user", "content": [text("Hi")]}],
        "stop_sequences": ["END"],
    }


@pytest.mark.parametrize("usage", [False, True])
def test_stream(gateway: Running, usage: bool) -> None:
    reply = gateway.post(chat("best", stream=True, stream_options={"include_usage": usage}))
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    *told, done = told_events(reply.text)
    assert done == "[DONE]"
    chunks: list[Any] = list(told)
    assert len({(chunk["id"], chunk["created"], chunk["model"], chunk["object"]) for chunk in chunks}) == 1
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert choices[0]["delta"]["role"] == "assistant"
    assert "".join(choice["delta"].get("content") or "" for choice in choices) == "Hello there."
    assert [choice["finish_reason"] for choice in choices if choice["finish_reason"]] == ["stop"]
    counts = [chunk["usage"]["total_tokens"] for chunk in chunks if chunk.get("usage")]
    assert counts == ([12] if usage else [])


def test_a_pydantic_model_is_filled(claude: Anthropic, gateway: Running) -> None:
    claude.next = message(text('{"name": "Kim", "age": 41}'))
    answer = gateway.client().chat.completions.parse(model="best", messages=[QUESTION], response_format=Person)
    assert answer.choices[0].message.parsed == Person(name="Kim", age=41)
    format = claude.asked["output_config"]["format"]
    assert (format["type"], set(format["schema"]["required"])) == ("json_schema", {"name", "age"})


def test_an_image_is_asked_about(claude: Anthropic, gateway: Running) -> None:
    parts = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
    ]
    create(gateway, "best", [{"role": "user", "content": parts}])
    _, image = claude.asked["messages"][0]["content"]
    assert image["source"] == {"type": "base64", "media_type": "image/png", "data": PNG}


@pytest.mark.parametrize("model", ["best", "old"])
@pytest.mark.parametrize("effort", ["none", "minimal", "low", "high"])
def test_an_effort_is_thinking_in_the_models_own_words(
    claude: Anthropic, gateway: Running, model: str, effort: str
) -> None:
    claude.new, claude.next = model == "best", message(thinking("Hm."), text("42"))
    sent = create(gateway, model, [QUESTION], reasoning_effort=effort, max_completion_tokens=50, temperature=0.5)
    assert sent.choices[0].message.content == "42"
    assert sent.choices[0].message.to_dict()["reasoning_content"] == "Hm."


def test_a_refusal_says_so(claude: Anthropic, gateway: Running) -> None:
    details = {"type": "refusal", "category": None, "explanation": "Not that."}
    claude.next = message(stop="refusal", stop_details=details)
    (choice,) = create(gateway, "best", [QUESTION]).choices
    assert (choice.finish_reason, choice.message.content, choice.message.refusal) == (
        "content_filter",
        None,
        "Not that.",
    )
    *told, done = told_events(gateway.post(chat("best", stream=True)).text)
    chunks: list[Any] = list(told)
    assert "".join(each["choices"][0]["delta"].get("refusal") or "" for each in chunks) == "Not that."
    assert (chunks[-1]["choices"][0]["finish_reason"], done) == ("content_filter", "[DONE]")


def test_what_anthropic_is_not_told_is_in_a_header(gateway: Running) -> None:
    reply = gateway.post(chat("best", seed=7, logit_bias={"1": 2}, temperature=0.2, user="me"))
    assert reply.status_code == 200
    assert {"seed", "logit_bias", "temperature"} <= set(reply.headers["x-gateway-dropped"].split(","))


def test_betas_and_fields_for_anthropic_alone(claude: Anthropic, gateway: Running) -> None:
    own = {"betas": ["b-2026-01-01"], "thinking": {"type": "disabled"}}
    assert gateway.post(chat("best", extra_body={"anthropic": own})).status_code == 200
    assert claude.up.requests[-1].headers["anthropic-beta"] == "b-2026-01-01"
    assert claude.asked["thinking"] == {"type": "disabled"}


def test_cache_marks_stay_where_a_client_sets_them(claude: Anthropic, gateway: Running) -> None:
    mark = {"type": "ephemeral"}
    parts = [{"type": "text", "text": "Long.", "cache_control": mark}]
    gateway.post({"model": "best", "messages": [{"role": "system", "content": parts}, QUESTION]})
    assert claude.asked["system"][0]["cache_control"] == mark


def test_a_larger_limit_than_configured_is_lowered(claude: Anthropic) -> None:
    with running(served(claude, maxOutputTokens=500)) as gateway:
        reply = gateway.post(chat("best", max_tokens=128_000))
    assert (claude.asked["max_tokens"], reply.headers["x-gateway-dropped"]) == (500, "max_tokens")


# Tools -------------------------------------------------------------------------------------------------------------


def ask_for_calls(claude: Anthropic, gateway: Running, *, streamed: bool) -> dict[str, Any]:
    """The assistant's message that calls tools, as a client keeps it."""
    claude.next = CALLED
    if streamed:
        with gateway.client().chat.completions.stream(model="best", messages=[QUESTION], tools=[WEATHER]) as opened:
            choice: Any = opened.get_final_completion().choices[0]
    else:
        choice = create(gateway, "best", [QUESTION], tools=[WEATHER]).choices[0]
    claude.next = HELLO
    assert choice.finish_reason == "tool_calls"
    made = choice.message.tool_calls
    assert [json.loads(each.function.arguments)["city"] for each in made] == ["Seoul", "Busan"]
    assert [each.id for each in made] == ["toolu_01A", "toolu_01B"]
    kept: dict[str, Any] = choice.message.to_dict()
    return {name: value for name, value in kept.items() if name in ("role", "content", "tool_calls", "extra_content")}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("keeps", [True, False], ids=["extras", "no-extras"])
def test_a_tool_loop_gives_anthropic_its_thinking_back(
    claude: Anthropic, gateway: Running, streamed: bool, keeps: bool
) -> None:
    kept = ask_for_calls(claude, gateway, streamed=streamed)
    if not keeps:
        kept.pop("extra_content")
    results = [{"role": "tool", "tool_call_id": id, "content": "21 C"} for id in ("toolu_01B", "toolu_01A")]
    answer = create(gateway, "best", [QUESTION, kept, *results], tools=[WEATHER])
    assert answer.choices[0].message.content == "Hello there."
    _, calling, brought = claude.asked["messages"]
    assert calling == {"role": "assistant", "content": CALLED["content"]}
    assert [block["tool_use_id"] for block in brought["content"]] == ["toolu_01A", "toolu_01B"]


def test_redacted_thinking_comes_back_too(claude: Anthropic, gateway: Running) -> None:
    claude.next = message(redacted(), text("42"))
    kept = create(gateway, "best", [QUESTION]).choices[0].message.to_dict()
    create(gateway, "best", [QUESTION, kept, {"role": "user", "content": "Why?"}])
    assert claude.asked["messages"][1]["content"] == [redacted(), text("42")]


@pytest.mark.parametrize("streamed", [False, True])
def test_thinking_that_the_account_did_not_sign_is_left_out_at_once(
    claude: Anthropic, gateway: Running, streamed: bool
) -> None:
    """Another account's thinking, for instance: the same target answers without it."""

    def answers(request: Request) -> Sequence[Step]:
        if '"thinking","thinking"' in request.body.decode():
            words = "messages.1.content.0: Invalid `signature` in `thinking` block"
            return (refusal(400, "invalid_request_error", words),)
        return stream(HELLO) if streamed else (Json(200, HELLO),)

    claude.up.answers(answers)
    extra = {"anthropic": {"thinking": [thinking("Hm.", "b3RoZXI=")]}}
    kept = {"role": "assistant", "content": "42", "extra_content": extra}
    messages = [QUESTION, kept, {"role": "user", "content": "Why?"}]
    reply = gateway.post({"model": "best", "messages": messages, "stream": streamed})
    assert (reply.status_code, len(claude.up.requests)) == (200, 2)
    assert claude.asked["messages"][1]["content"] == [text("42")]
    assert reply.headers["x-gateway-dropped"] == "messages.reasoning_content"


def test_a_long_and_odd_name_of_a_tool_is_mapped_and_back(claude: Anthropic, gateway: Running) -> None:
    name = "mcp/" + "x" * 130
    odd = {"type": "function", "function": {"name": name, "parameters": {}}}
    create(gateway, "best", [QUESTION], tools=[odd])
    claude.next = message(call(claude.asked["tools"][0]["name"], {}), stop="tool_use")
    made: Any = create(gateway, "best", [QUESTION], tools=[odd]).choices[0].message.tool_calls
    assert (made[0].function.name, made[0].function.arguments) == (name, "{}")


# Failover ----------------------------------------------------------------------------------------------------------

BY_OPENAI: list[Any] = [
    QUESTION,
    {
        "role": "assistant",
        "content": None,
        "reasoning_content": "Not Anthropic's.",
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Seoul"}'}}
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": '{"celsius": 21}'},
]


@pytest.mark.parametrize("streamed", [False, True])
def test_what_openai_began_claude_goes_on_with(
    claude: Anthropic, other: ScriptedUpstream, gateway: Running, streamed: bool
) -> None:
    other.answers(lambda _: (Json(503, {"error": {"message": "later"}}),))
    reply = gateway.post({"model": "first-o", "messages": BY_OPENAI, "tools": [WEATHER], "stream": streamed})
    assert (reply.status_code, reply.headers["x-gateway-provider"]) == (200, "anthropic")
    assert [block["type"] for block in claude.asked["messages"][1]["content"]] == ["tool_use"]


@pytest.mark.parametrize("streamed", [False, True])
def test_what_claude_began_openai_goes_on_with(
    claude: Anthropic, other: ScriptedUpstream, gateway: Running, streamed: bool
) -> None:
    kept = ask_for_calls(claude, gateway, streamed=streamed)
    claude.up.answers(lambda _: (refusal(529, "overloaded_error", "Overloaded"),))
    results = [{"role": "tool", "tool_call_id": id, "content": "21 C"} for id in ("toolu_01A", "toolu_01B")]
    reply = gateway.post({"model": "first-a", "messages": [QUESTION, kept, *results], "stream": streamed})
    assert (reply.status_code, reply.headers["x-gateway-provider"]) == (200, "openai")
    assert "anthropic/claude-opus-5-5=529" in reply.headers["x-gateway-attempts"]


def test_what_anthropic_cannot_be_told_another_is_asked(
    claude: Anthropic, other: ScriptedUpstream, gateway: Running
) -> None:
    sound = [{"type": "input_audio", "input_audio": {"data": "UklGRgAA", "format": "wav"}}]
    reply = gateway.post({"model": "first-a", "messages": [{"role": "user", "content": sound}]})
    assert (reply.status_code, reply.headers["x-gateway-provider"]) == (200, "openai")
    several = gateway.post(chat("first-a", n=2))
    assert several.headers["x-gateway-provider"] == "openai"
    alone = gateway.post(chat("best", n=2))
    assert (alone.status_code, alone.json()["error"]["code"]) == (400, "unsupported_by_provider")
    assert claude.up.connections == 0


# What goes wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind", "words", "raised", "code"),
    [
        (400, "invalid_request_error", "messages: no", openai.BadRequestError, None),
        (
            400,
            "invalid_request_error",
            "prompt is too long: 9 tokens > 8 maximum",
            openai.BadRequestError,
            "context_length_exceeded",
        ),
        (400, "invalid_request_error", "Your credit balance is too low", openai.RateLimitError, "insufficient_quota"),
        (401, "authentication_error", "invalid x-api-key", openai.AuthenticationError, "provider_credential_refused"),
        (404, "not_found_error", "model: claude-0", openai.NotFoundError, "model_not_found"),
        (413, "request_too_large", "too large", openai.BadRequestError, "context_length_exceeded"),
        (429, "rate_limit_error", "slow down", openai.RateLimitError, "rate_limit_exceeded"),
        (500, "api_error", "oh", openai.InternalServerError, "provider_unavailable"),
        (529, "overloaded_error", "Overloaded", openai.InternalServerError, "provider_unavailable"),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_errors(
    claude: Anthropic,
    gateway: Running,
    status: int,
    kind: str,
    words: str,
    raised: type[openai.APIStatusError],
    code: str | None,
    streamed: bool,
) -> None:
    claude.up.answers(lambda _: (refusal(status, kind, words),))
    with pytest.raises(raised) as failed:
        gateway.client().chat.completions.create(model="best", messages=[QUESTION], stream=streamed)
    assert failed.value.code == code
    assert words in failed.value.message


def test_a_bad_key_is_told_and_not_quoted(claude: Anthropic, gateway: Running) -> None:
    claude.up.answers(lambda _: (refusal(401, "authentication_error", f"invalid x-api-key: {KEY}"),))
    reply = gateway.post(chat("best", stream=True))
    assert KEY not in reply.text and reply.json()["error"]["message"]


def test_when_to_ask_again_reaches_the_caller(claude: Anthropic, gateway: Running) -> None:
    claude.up.answers(lambda _: (refusal(429, "rate_limit_error", "Wait.", **{"retry-after": "13"}),))
    reply = gateway.post(chat("best"))
    assert (reply.status_code, reply.headers["retry-after"]) == (429, "13")


def test_an_error_as_the_first_event_is_a_true_status(claude: Anthropic, gateway: Running) -> None:
    claude.up.answers(lambda _: (*stream(HELLO, upto=1), Body(sse([error("overloaded_error", "Overloaded")]))))
    reply = gateway.post(chat("best", stream=True))
    assert reply.status_code == 529 and "Overloaded" in reply.text


@pytest.mark.parametrize("how", ["cut", "ended", "error", "no stop", "no reason"])
def test_a_stream_that_breaks_never_looks_whole(claude: Anthropic, gateway: Running, how: str) -> None:
    without_reason = [each for each in events(HELLO) if each["type"] != "message_delta"]
    ends: Mapping[str, tuple[Step, ...]] = {
        "cut": (*stream(HELLO, upto=5), Cut()),
        "ended": stream(HELLO, upto=5),
        "error": (*stream(HELLO, upto=5), Body(sse([error("api_error", "An internal error.")]))),
        "no stop": stream(HELLO, upto=-1),
        "no reason": (stream(HELLO)[0], Body(sse(without_reason))),
    }
    claude.up.answers(lambda _: ends[how])
    told: Sequence[Any] = told_events(gateway.post(chat("best", stream=True)).text)
    assert told[-1]["error"]["code"] == "stream_interrupted"
    assert not any(choice["finish_reason"] for each in told[:-1] for choice in each["choices"])


LONG = "One two three four five six seven eight nine ten eleven twelve."


def said(reply: requests.Response) -> str:
    """The text of a stream, which has come to its end."""
    *told, done = told_events(reply.text)
    chunks: list[Any] = list(told)
    assert done == "[DONE]"
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


def test_what_claude_broke_off_openai_resumes(claude: Anthropic, other: ScriptedUpstream, gateway: Running) -> None:
    claude.up.answers(lambda _: (*stream(message(thinking("Hm."), text(LONG)), upto=12), Cut()))
    other.answers(lambda request: sse_answer(answer_to(LONG, request)))
    reply = gateway.post(chat("first-a", stream=True))
    assert said(reply) == LONG
    assert is_continuation(other.requests[0])


def test_what_openai_broke_off_claude_resumes(claude: Anthropic, other: ScriptedUpstream, gateway: Running) -> None:
    def resumes(request: Request) -> Sequence[Step]:
        body = request.json()
        assert vendor_fault(body) is None
        *_, so_far, asked = [message["content"][0]["text"] for message in body["messages"]]
        return stream(message(text(continued(LONG, so_far, asked))))

    other.answers(lambda _: (Sse(sse_events(LONG)[:6]), Cut()))
    claude.up.answers(resumes)
    assert said(gateway.post(chat("first-o", stream=True))) == LONG


# Without a file ----------------------------------------------------------------------------------------------------


def test_a_key_in_the_environment_is_enough() -> None:
    with running(env={"ANTHROPIC_API_KEY": KEY}) as gateway:
        assert isinstance(gateway.gateway.assembly.providers()["anthropic"], AnthropicProvider)


def test_a_token_goes_out_as_a_bearer_with_its_beta(claude: Anthropic) -> None:
    command = [sys.executable, "-c", "print('sk-ant-oat-canary')"]
    settings = {"apiEndpoint": f"{claude.up.url}/v1", "command": command}
    with running({"providers": {"anthropic": settings}}) as gateway:
        assert gateway.post(chat("anthropic/claude-opus-5-5")).status_code == 200
    (sent,) = claude.up.requests
    assert sent.headers["authorization"] == "Bearer sk-ant-oat-canary"
    assert (sent.headers["anthropic-beta"], "x-api-key" in sent.headers) == ("oauth-2025-04-20", False)
    assert sent.path == "/v1/messages"
