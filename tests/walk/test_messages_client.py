"""The real `anthropic` client against a gateway whose providers speak other wires: OpenAI chat and Gemini."""

import base64
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from tests.support.gemini_answers import call, said, stream, text
from tests.support.messages import WEATHER, calls, chunk
from tests.support.running import NO_AUTHORITIES, Running, alias, provider, running
from tests.support.upstream_script import (
    Cut,
    Done,
    Json,
    Request,
    ScriptedUpstream,
    Sse,
    Status,
    Step,
    json_answer,
    sse_answer,
    sse_events,
)

if TYPE_CHECKING:
    import anthropic  # at run time only by the test process that runs a test of it: it takes a second

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
HELLO: Any = [{"role": "user", "content": "Hello"}]
TOOL: Any = WEATHER


class Person(BaseModel):
    name: str
    age: int


@pytest.fixture
def google() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as scripted:
        yield scripted


@pytest.fixture
def gateway(up: ScriptedUpstream, google: ScriptedUpstream) -> Iterator[Running]:
    gemini = {"type": "gemini", "apiKey": "AIza-canary-0123456789", "apiEndpoint": f"{google.url}/v1beta"}
    aliases = [alias("claude-*", "openai/gpt-4o"), alias("gem", "gemini/gemini-3-pro-preview")]
    aliases.append(alias("both", "gemini/gemini-3-pro-preview", "openai/gpt-4o"))
    providers = {"openai": provider(up.base_url, apiKey="sk-canary-0123456789"), "gemini": gemini}
    with running({"providers": providers, "modelAliases": aliases}) as served:
        yield served


@pytest.fixture
def client(gateway: Running) -> Iterator["anthropic.Anthropic"]:
    import anthropic  # noqa: PLC0415 - see above

    http = anthropic.DefaultHttpxClient(verify=NO_AUTHORITIES)
    with anthropic.Anthropic(base_url=gateway.url, api_key="none", max_retries=0, timeout=30, http_client=http) as api:
        yield api


def test_create(up: ScriptedUpstream, client: "anthropic.Anthropic") -> None:
    up.plays(json_answer("Hi.", usage={"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}))
    message = client.messages.create(model="claude-x", max_tokens=50, messages=HELLO, system="Be short.")
    (block,) = message.content
    assert (block.type, block.type == "text" and block.text) == ("text", "Hi.")
    assert (message.stop_reason, message.model, message.role) == ("end_turn", "claude-x", "assistant")
    assert (message.usage.input_tokens, message.usage.output_tokens) == (5, 2)
    assert message._request_id is not None


def test_stream(google: ScriptedUpstream, client: "anthropic.Anthropic") -> None:
    google.plays(*stream(said(text("one "), finish=None), said(text("two"))))
    with client.messages.stream(model="gem", max_tokens=50, messages=HELLO) as streamed:
        assert list(streamed.text_stream) == ["one ", "two"]
        final = streamed.get_final_message()
    assert (final.stop_reason, final.usage.input_tokens, final.usage.output_tokens) == ("end_turn", 7, 3)


@pytest.mark.parametrize("model", ["claude-x", "gem"])
def test_parallel_tools_are_called_and_answered(
    up: ScriptedUpstream, google: ScriptedUpstream, client: "anthropic.Anthropic", model: str
) -> None:
    cities = ("Seoul", "Oslo")
    google.plays(*stream(said(*(call("get_weather", {"city": city}) for city in cities))))
    begun = [calls(index, json.dumps({"city": city}), "get_weather") for index, city in enumerate(cities)]
    up.plays(Sse([*begun, chunk({}, "tool_calls")]), Done())
    with client.messages.stream(model=model, max_tokens=50, messages=HELLO, tools=[TOOL]) as streamed:
        message = streamed.get_final_message()
    found = [block for block in message.content if block.type == "tool_use"]
    assert [block.input for block in found] == [{"city": city} for city in cities]
    assert message.stop_reason == "tool_use"
    results: Any = [{"type": "tool_result", "tool_use_id": block.id, "content": "sunny"} for block in found]
    history: Any = [*HELLO, {"role": "assistant", "content": message.content}, {"role": "user", "content": results}]
    google.plays(Json(200, said(text("Sunny."))))
    up.plays(json_answer("Sunny."))
    answer = client.messages.create(model=model, max_tokens=50, messages=history, tools=[TOOL])
    assert answer.stop_reason == "end_turn"


def test_thinking_comes_back_signed(google: ScriptedUpstream, client: "anthropic.Anthropic") -> None:
    google.plays(*stream(said(text("Hm.", thought=True), text("42"))))
    thinking: Any = {"type": "enabled", "budget_tokens": 2048}
    with client.messages.stream(model="gem", max_tokens=4096, messages=HELLO, thinking=thinking) as streamed:
        thought, _ = streamed.get_final_message().content
    assert thought.type == "thinking"
    assert (thought.thinking, bool(thought.signature)) == ("Hm.", True)
    assert google.requests[-1].json()["generationConfig"]["thinkingConfig"]["includeThoughts"] is True


def test_an_image_is_asked_about(up: ScriptedUpstream, client: "anthropic.Anthropic") -> None:
    up.plays(json_answer("A cat."))
    image: Any = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    content: Any = [image, {"type": "text", "text": "What is it?"}]
    client.messages.create(model="claude-x", max_tokens=50, messages=[{"role": "user", "content": content}])
    (message,) = up.requests[-1].json()["messages"]
    assert message["content"][0]["image_url"]["url"] == f"data:image/png;base64,{PNG}"


def test_a_pydantic_model_is_filled(up: ScriptedUpstream, client: "anthropic.Anthropic") -> None:
    up.plays(json_answer('{"name": "Kim", "age": 41}'))
    answer = client.messages.parse(model="claude-x", max_tokens=50, messages=HELLO, output_format=Person)
    assert answer.parsed_output == Person(name="Kim", age=41)
    form = up.requests[-1].json()["response_format"]["json_schema"]
    assert (form["name"], set(form["schema"]["required"])) == ("output", {"name", "age"})


def test_the_tool_runner_sends_whole_conversations(up: ScriptedUpstream, client: "anthropic.Anthropic") -> None:
    """It asks the server to keep the conversation, and learns from the refusal that it does not."""
    from anthropic import beta_tool  # noqa: PLC0415 - see above

    @beta_tool
    def get_weather(city: str) -> str:
        """The weather in a city."""
        return f"sunny in {city}"

    asked = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Seoul"}'}}

    def answer(request: Request) -> list[Step]:
        if any(message["role"] == "tool" for message in request.json()["messages"]):
            return [json_answer("It is sunny.")]
        body: Any = json_answer("", finish="tool_calls").value
        body["choices"][0]["message"]["tool_calls"] = [asked]
        return [Json(200, body)]

    up.answers(answer)
    runner = client.beta.messages.tool_runner(model="claude-x", max_tokens=50, messages=HELLO, tools=[get_weather])
    final = runner.until_done()
    assert final.content[-1].type == "text" and final.content[-1].text == "It is sunny."
    *_, result = up.requests[-1].json()["messages"]
    assert (result["role"], result["content"]) == ("tool", "sunny in Seoul")


def test_count_tokens_and_models(client: "anthropic.Anthropic") -> None:
    assert client.messages.count_tokens(model="claude-x", messages=HELLO).input_tokens > 0
    assert [model.id for model in client.models.list(limit=1)] == ["gem", "both"]
    assert client.models.retrieve("gem").display_name == "gem"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Status(529), "InternalServerError"),
        (Json(429, {"error": {"message": "slow down"}}), "RateLimitError"),
        (Json(401, {"error": {"message": "no"}}), "PermissionDeniedError"),
        (Json(400, {"error": {"message": "no"}}), "BadRequestError"),
    ],
)
def test_errors_are_the_clients_own(
    up: ScriptedUpstream, client: "anthropic.Anthropic", answer: Status | Json, error: str
) -> None:
    import anthropic  # noqa: PLC0415 - see above

    up.answers(lambda _: [answer])
    with pytest.raises(getattr(anthropic, error)) as caught:
        client.messages.create(model="claude-x", max_tokens=50, messages=HELLO)
    assert caught.value.request_id is not None


def test_what_is_unknown_is_not_found(client: "anthropic.Anthropic") -> None:
    import anthropic  # noqa: PLC0415 - see above

    with pytest.raises(anthropic.NotFoundError):
        client.messages.create(model="unknown", max_tokens=50, messages=HELLO)
    with pytest.raises(anthropic.NotFoundError):
        client.messages.batches.list()


def test_a_stream_that_breaks_raises(up: ScriptedUpstream, client: "anthropic.Anthropic") -> None:
    import anthropic  # noqa: PLC0415 - see above

    up.plays(Sse(sse_events("one two three")[:3]), Cut())
    with (
        client.messages.stream(model="claude-x", max_tokens=50, messages=HELLO) as streamed,
        pytest.raises(anthropic.APIStatusError) as caught,
    ):
        streamed.until_done()
    body: Any = caught.value.body
    assert body["error"]["type"] == "api_error"


def test_another_provider_answers_where_the_first_fails(
    up: ScriptedUpstream, google: ScriptedUpstream, client: "anthropic.Anthropic"
) -> None:
    google.answers(lambda _: [Status(503)])
    up.plays(*sse_answer("Hello."))
    with client.messages.stream(model="both", max_tokens=50, messages=HELLO) as streamed:
        assert streamed.get_final_text() == "Hello."
