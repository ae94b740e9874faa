"""The real `openai` client against a running gateway: what a user's program does, through every floor."""

import asyncio
import json
from collections.abc import Iterator

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.support.running import Running, alias, provider, running
from tests.support.upstream_script import Cut, Json, ScriptedUpstream, Sse, Status, json_answer, sse_answer, sse_events

USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["c", "f"]}},
            "required": ["city", "unit"],
            "additionalProperties": False,
        },
    },
}
PERSON = {
    "type": "json_schema",
    "json_schema": {
        "name": "person",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
            "required": ["name", "age"],
            "additionalProperties": False,
        },
    },
}
HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello there"}]


@pytest.fixture(scope="module", params=[True, False], ids=["relayed", "a thread each"])
def demo(request: pytest.FixtureRequest) -> Iterator[Running]:
    """A gateway as it starts without a configuration file."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("tests.support.running.RELAYED", request.param)
        with running() as gateway:
            yield gateway


@pytest.fixture
def upstream(each_driver: None) -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as scripted:
        yield scripted


def served(upstream: ScriptedUpstream, *more: ScriptedUpstream, **gateway: object) -> dict[str, object]:
    """A configuration with a provider for each upstream (a, b, ...) and the alias `best` over all of them."""
    names = "abcdef"[: 1 + len(more)]
    return {
        "gateway": gateway,
        "providers": {name: provider(up.base_url) for name, up in zip(names, (upstream, *more), strict=True)},
        "modelAliases": [alias("best", *(f"{name}/model-{name}" for name in names))],
    }


class TestDemo:
    def test_chat_answers_with_the_alias_as_its_model(self, demo: Running) -> None:
        answer = demo.client().chat.completions.create(model="demo", messages=HELLO)
        assert answer.model == "demo"
        assert "Hello there" in (answer.choices[0].message.content or "")
        assert answer.choices[0].finish_reason == "stop"
        assert answer.usage is not None
        assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens

    def test_stream_says_the_same_word_by_word(self, demo: Running) -> None:
        whole = demo.client().chat.completions.create(model="demo", messages=HELLO)
        stream = demo.client().chat.completions.create(model="demo", messages=HELLO, stream=True)
        chunks = list(stream)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        assert text == whole.choices[0].message.content
        assert len(chunks) > 5
        assert {chunk.model for chunk in chunks} == {"demo"}
        assert len({chunk.id for chunk in chunks}) == 1
        assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason] == ["stop"]
        assert all(chunk.usage is None for chunk in chunks)

    def test_usage_ends_a_stream_that_asked_for_it(self, demo: Running) -> None:
        *_, last = demo.client().chat.completions.create(
            model="demo", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
        assert last.choices == []
        assert last.usage is not None
        assert last.usage.total_tokens > 0

    def test_stream_helper_adds_the_chunks_up(self, demo: Running) -> None:
        with demo.client().chat.completions.stream(model="demo", messages=HELLO) as stream:
            for _ in stream:
                pass
            final = stream.get_final_completion()
        assert "Hello there" in (final.choices[0].message.content or "")

    @pytest.mark.parametrize("streamed", [False, True])
    def test_tools_make_a_round_trip(self, demo: Running, streamed: bool) -> None:
        messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Weather in Seoul?"}]
        with demo.client() as api:
            if streamed:
                with api.chat.completions.stream(model="demo", messages=messages, tools=[WEATHER]) as stream:  # type: ignore[list-item]
                    message = stream.get_final_completion().choices[0].message
            else:
                first = api.chat.completions.create(model="demo", messages=messages, tools=[WEATHER])  # type: ignore[list-item]
                assert first.choices[0].finish_reason == "tool_calls"
                message = first.choices[0].message  # type: ignore[assignment]
            assert message.tool_calls
            call = message.tool_calls[0]
            assert call.type == "function"
            assert set(json.loads(call.function.arguments)) == {"city", "unit"}
            messages.append(message.to_dict())  # type: ignore[arg-type]
            messages.append({"role": "tool", "tool_call_id": call.id, "content": "21 degrees"})
            second = api.chat.completions.create(model="demo", messages=messages, tools=[WEATHER])  # type: ignore[list-item]
        assert "21 degrees" in (second.choices[0].message.content or "")

    def test_json_schema_is_filled(self, demo: Running) -> None:
        answer = demo.client().chat.completions.create(model="demo", messages=HELLO, response_format=PERSON)  # type: ignore[call-overload]
        person = json.loads(answer.choices[0].message.content)
        assert set(person) == {"name", "age"}
        assert isinstance(person["age"], int)

    def test_an_image_is_passed_on(self, demo: Running) -> None:
        image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
        messages = [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, image]}]
        answer = demo.client().chat.completions.create(model="demo", messages=messages)  # type: ignore[arg-type]
        assert "1 image" in (answer.choices[0].message.content or "")

    def test_async_client(self, demo: Running) -> None:
        async def many() -> list[str]:
            async with openai.AsyncOpenAI(base_url=f"{demo.url}/v1", api_key="none", max_retries=0) as api:

                async def one(number: int) -> str:
                    stream = await api.chat.completions.create(
                        model="demo", messages=[{"role": "user", "content": f"number {number}."}], stream=True
                    )
                    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

                return await asyncio.gather(*(one(number) for number in range(8)))

        for number, text in enumerate(asyncio.run(many())):
            assert f"number {number}." in text

    def test_models_are_listed_with_integer_created(self, demo: Running) -> None:
        models = demo.client().models.list().data
        assert [model.id for model in models] == ["demo", "demo-failover"]
        assert all(type(model.created) is int and model.object == "model" for model in models)
        assert demo.client().models.retrieve("demo").id == "demo"

    def test_failover_is_shown_live(self, demo: Running) -> None:
        raw = demo.client().chat.completions.with_raw_response.create(model="demo-failover", messages=HELLO)
        assert raw.headers["x-gateway-provider"] == "demo"
        assert raw.headers["x-gateway-model"] == "demo"
        assert raw.headers["x-gateway-attempts"] == "demo/demo-unavailable=503,demo/demo-unavailable=503,demo/demo=200"
        assert raw.parse().model == "demo-failover"

    def test_an_unknown_model_is_not_found(self, demo: Running) -> None:
        with pytest.raises(openai.NotFoundError) as caught:
            demo.client().chat.completions.create(model="dmo", messages=HELLO)
        assert caught.value.code == "model_not_found"
        assert caught.value.param == "model"
        assert "Did you mean `demo`" in caught.value.message
        assert caught.value.request_id


class TestProviders:
    def test_what_a_client_may_send_arrives_exactly(self, upstream: ScriptedUpstream) -> None:
        asked = {
            "messages": [
                {"role": "developer", "content": [{"type": "text", "text": "be brief"}]},
                {"role": "user", "name": "ann", "content": [{"type": "input_audio", "input_audio": {"data": "AA=="}}]},
                {"role": "assistant", "content": None, "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1.0}"}},
                    {"id": "call_2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
                ]},
                {"role": "tool", "tool_call_id": "call_1", "content": "one"},
                {"role": "tool", "tool_call_id": "call_2", "content": "two"},
                {"role": "user", "content": "안녕 🙂 \u0000"},
            ],
            "temperature": 0.1, "n": 2, "seed": 2**40, "stop": ["a", "b"], "logprobs": True, "top_logprobs": 3,
            "metadata": {"k": "v"}, "response_format": PERSON, "tools": [WEATHER], "tool_choice": "required",
            "reasoning_effort": "high", "parallel_tool_calls": True, "logit_bias": {"1": -100},
            "invented_tomorrow": {"deep": [1, 2.5, None, True, {"x": "y"}]},
        }  # fmt: skip
        with running(served(upstream)) as gateway:
            gateway.client().chat.completions.create(model="best", messages=[], extra_body=asked)
        assert upstream.requests[0].json() == {**asked, "model": "model-a"}
        assert upstream.requests[0].path == "/v1/chat/completions"

    def test_an_answer_passes_exactly_but_for_its_model(self, upstream: ScriptedUpstream) -> None:
        answer = json_answer("hi", model="real").value | {"system_fingerprint": "fp", "new": [1.5, {"a": None}]}  # type: ignore[operator]
        upstream.plays(Json(200, answer, headers={"x-ratelimit-remaining-requests": "9", "set-cookie": "a=b"}))
        with running(served(upstream)) as gateway:
            raw = gateway.client().chat.completions.with_raw_response.create(model="best", messages=HELLO)
        assert json.loads(raw.text) == {**answer, "model": "best"}
        assert raw.headers["x-ratelimit-remaining-requests"] == "9"
        assert "set-cookie" not in raw.headers
        assert raw.headers["x-gateway-attempts"] == "a/model-a=200"

    def test_the_real_model_is_shown_where_configured(self, upstream: ScriptedUpstream) -> None:
        upstream.plays(json_answer("hi", model="real-2026"))
        with running(served(upstream, responseModel="upstream")) as gateway:
            assert gateway.client().chat.completions.create(model="best", messages=HELLO).model == "real-2026"

    def test_a_provider_is_addressed_by_name(self, upstream: ScriptedUpstream) -> None:
        with running(served(upstream)) as gateway:
            answer = gateway.client().chat.completions.create(model="a/org/model:free", messages=HELLO)
        assert answer.model == "a/org/model:free"
        assert upstream.requests[0].json()["model"] == "org/model:free"

    @pytest.mark.parametrize("streamed", [False, True])
    def test_the_next_provider_answers_where_the_first_fails(self, upstream: ScriptedUpstream, streamed: bool) -> None:
        upstream.plays(Status(503))
        upstream.plays(Status(503))
        with ScriptedUpstream() as second, running(served(upstream, second)) as gateway:
            second.plays(*(sse_answer("saved") if streamed else (json_answer("saved"),)))
            api = gateway.client().chat.completions
            if streamed:
                text = "".join(
                    c.choices[0].delta.content or "" for c in api.create(model="best", messages=HELLO, stream=True)
                )
            else:
                text = api.create(model="best", messages=HELLO).choices[0].message.content or ""
        assert text == "saved"

    def test_a_rate_limited_provider_is_a_rate_limit_error(self, upstream: ScriptedUpstream) -> None:
        upstream.plays(
            Json(429, {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}, {"retry-after": "7"})
        )
        with running(served(upstream)) as gateway, pytest.raises(openai.RateLimitError) as caught:
            gateway.client().chat.completions.create(model="best", messages=HELLO)
        assert caught.value.response.headers["retry-after"] == "7"
        assert caught.value.response.headers["x-gateway-attempts"] == "a/model-a=429"
        assert "slow down" in caught.value.message

    def test_our_own_limit_is_a_rate_limit_error(self, upstream: ScriptedUpstream) -> None:
        config = served(upstream)
        config["rateLimits"] = [{"provider": "a", "requestsPerMinute": 1, "maxQueueSize": 0}]
        with running(config) as gateway:
            gateway.client().chat.completions.create(model="best", messages=HELLO)
            with pytest.raises(openai.RateLimitError) as caught:
                gateway.client().chat.completions.create(model="best", messages=HELLO)
        assert 1 <= int(caught.value.response.headers["retry-after"]) <= 60
        assert len(upstream.requests) == 1

    def test_a_stream_cut_in_the_middle_is_an_error_and_no_end(self, upstream: ScriptedUpstream) -> None:
        upstream.plays(Sse(sse_events("one two three four")[:3]), Cut())
        with running(served(upstream)) as gateway:
            stream = gateway.client().chat.completions.create(model="best", messages=HELLO, stream=True)
            said: list[str] = []
            with pytest.raises(openai.APIError) as caught:
                said.extend(chunk.choices[0].delta.content or "" for chunk in stream)
        assert "".join(said).strip() == "one two"
        assert caught.value.code == "stream_interrupted"

    def test_an_error_inside_a_stream_is_told(self, upstream: ScriptedUpstream) -> None:
        error = json.dumps({"error": {"message": "model crashed", "type": "server_error", "code": "boom"}})
        upstream.plays(Sse([*sse_events("one two")[:2], error]))
        with running(served(upstream)) as gateway:
            stream = gateway.client().chat.completions.create(model="best", messages=HELLO, stream=True)
            with pytest.raises(openai.APIError, match="model crashed"):
                list(stream)

    def test_the_providers_refusal_reaches_the_caller_with_its_own_words(self, upstream: ScriptedUpstream) -> None:
        error = {"message": "top_p is out of range", "type": "invalid_request_error", "param": "top_p", "code": "range"}
        upstream.plays(Json(400, {"error": error}))
        with running(served(upstream)) as gateway, pytest.raises(openai.BadRequestError) as caught:
            gateway.client().chat.completions.create(model="best", messages=HELLO)
        assert (caught.value.param, caught.value.code, caught.value.body) == ("top_p", "range", error)

    def test_usage_is_asked_for_the_log_and_kept_from_the_caller(self, upstream: ScriptedUpstream) -> None:
        upstream.plays(*sse_answer("hi", usage=USAGE))
        with running(served(upstream)) as gateway:
            chunks = list(gateway.client().chat.completions.create(model="best", messages=HELLO, stream=True))
        assert upstream.requests[0].json()["stream_options"] == {"include_usage": True}
        assert all(chunk.choices for chunk in chunks)

    def test_keys_are_asked_for_where_configured(self, upstream: ScriptedUpstream) -> None:
        with running(served(upstream, apiKeys=["local-key-1"])) as gateway:
            with pytest.raises(openai.AuthenticationError):
                gateway.client(key="wrong").models.list()
            assert gateway.client(key="local-key-1").models.list().data[0].id == "best"

    def test_user_agents_rotate(self, upstream: ScriptedUpstream) -> None:
        config = served(upstream)
        config["providers"] = {"a": provider(upstream.base_url, userAgents=["one/1", "two/2"])}
        with running(config) as gateway:
            for _ in range(3):
                gateway.client().chat.completions.create(model="best", messages=HELLO)
        assert [request.headers["user-agent"] for request in upstream.requests] == ["one/1", "two/2", "one/1"]
