"""The Responses API through whole gateways: the real `openai` client and bare requests, over chat and Gemini."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from http.client import HTTPConnection
from typing import Any

import openai
import pytest

from gateway.wires.openai_responses.tool_table import ToolTable
from tests.support import gemini_answers as gemini
from tests.support.continuations import answer_to
from tests.support.fakes import FastClock
from tests.support.running import Running, alias, provider, running
from tests.support.upstream_script import (
    Cut,
    Done,
    Head,
    Json,
    ScriptedUpstream,
    Sse,
    Status,
    Step,
    WaitFor,
    json_answer,
    sse_answer,
    sse_events,
)
from tests.validators.openai_responses import events, final, response_faults, stream_faults

PATH = "/v1/responses"
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather in a city",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}
CODEX_REQUIRES = {
    "slug",
    "display_name",
    "supported_reasoning_levels",
    "shell_type",
    "visibility",
    "supported_in_api",
    "priority",
    "support_verbosity",
    "truncation_policy",
    "experimental_supported_tools",
    "base_instructions",
}
SEOUL = '{"city":"Seoul"}'


def chunk(delta: Mapping[str, object], finish: str | None = None) -> str:
    """An event of a chat provider's stream."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return json.dumps({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]})


def chat_call(name: str, arguments: str, *, stream: bool, id: str = "call_1") -> Sequence[Step]:
    """A chat provider calls a function."""
    called = {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
    if stream:
        delta = {"role": "assistant", "content": None, "tool_calls": [{"index": 0, **called}]}
        usage = json.dumps({"id": "c", "object": "chat.completion.chunk", "choices": [], "usage": USAGE})
        return (Sse([chunk(delta), chunk({}, "tool_calls"), usage]), Done())
    message = {"role": "assistant", "content": None, "tool_calls": [called]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    return (Json(200, {"id": "c", "object": "chat.completion", "created": 1, "choices": [choice], "usage": USAGE}),)


def gemini_call(*, stream: bool) -> Sequence[Step]:
    said = gemini.said(gemini.call("get_weather", {"city": "Seoul"}))
    return gemini.stream(said) if stream else (Json(200, said),)


def says(text: str, *, stream: bool) -> Sequence[Step]:
    return sse_answer(text, usage=USAGE) if stream else (json_answer(text, usage=USAGE),)


def gemini_says(text: str, *, stream: bool) -> Sequence[Step]:
    said = gemini.said(gemini.text(text))
    return gemini.stream(said) if stream else (Json(200, said),)


@pytest.fixture
def second() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture
def gateway(up: ScriptedUpstream, second: ScriptedUpstream, each_driver: None) -> Iterator[Running]:
    """`best` is a chat provider and then a second one; `google` is Gemini at the first."""
    config = {
        "providers": {
            "a": provider(up.base_url),
            "b": provider(second.base_url),
            "g": {"type": "gemini", "apiKey": "k", "apiEndpoint": f"{up.url}/v1beta"},
        },
        "modelAliases": [
            alias("best", "a/one", "b/two"),
            alias("alone", "a/one"),
            alias("google", "g/gemini-3-pro-preview"),
        ],
    }
    with running(config) as served:
        yield served


def ask(gateway: Running, *, path: str = PATH, **fields: object) -> dict[str, Any]:
    """A whole answer."""
    reply = gateway.post({"model": "best", "input": "Hi", **fields}, path=path)
    assert reply.status_code == 200, reply.text
    body: dict[str, Any] = reply.json()
    assert response_faults(body) == []
    return body


def listen(gateway: Running, **fields: object) -> bytes:
    """A stream, which ends in any way."""
    reply = gateway.post({"model": "best", "input": "Hi", "stream": True, **fields}, path=PATH)
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert stream_faults(reply.content) == []
    return reply.content


class TestClient:
    """openai-python, with its defaults."""

    @pytest.mark.parametrize("streamed", [False, True])
    @pytest.mark.parametrize(
        ("model", "calls", "answers"), [("best", chat_call, says), ("google", gemini_call, gemini_says)]
    )
    def test_a_tool_makes_a_round_trip_by_the_answer_before(
        self, gateway: Running, up: ScriptedUpstream, model: str, calls: Any, answers: Any, streamed: bool
    ) -> None:
        steps = calls("get_weather", SEOUL, stream=streamed) if calls is chat_call else calls(stream=streamed)
        up.plays(*steps)
        up.plays(*answers("It rains.", stream=streamed))
        client = gateway.client()
        asked = {"model": model, "tools": [WEATHER]}
        first = self.answer(client, streamed, input="Weather in Seoul?", **asked)
        (call,) = [item for item in first.output if item.type == "function_call"]
        assert json.loads(call.arguments) == {"city": "Seoul"}
        output: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": "rain"}]
        second = self.answer(client, streamed, input=output, previous_response_id=first.id, **asked)
        assert second.output_text == "It rains."
        assert second.previous_response_id == first.id
        assert second.usage is not None
        assert second.usage.total_tokens == 10
        told = json.dumps(up.requests[-1].json())
        assert "Weather in Seoul?" in told
        assert "rain" in told

    def answer(self, client: openai.OpenAI, streamed: bool, **fields: Any) -> Any:
        if not streamed:
            return client.responses.create(**fields)
        with client.responses.stream(**fields) as stream:
            for _ in stream:
                pass
            return stream.get_final_response()

    def test_the_history_may_come_whole(self, gateway: Running, up: ScriptedUpstream) -> None:
        up.plays(*chat_call("get_weather", SEOUL, stream=False))
        client = gateway.client()
        first = client.responses.create(model="best", input="Weather?", tools=[WEATHER], store=False)
        history: Any = [{"role": "user", "content": "Weather?"}, *first.output]
        history.append({"type": "function_call_output", "call_id": "call_1", "output": "rain"})
        second = client.responses.create(model="best", input=history, tools=[WEATHER], store=False)
        assert second.status == "completed"
        roles = [message["role"] for message in up.requests[-1].json()["messages"]]
        assert roles == ["user", "assistant", "tool"]

    def test_a_form_is_parsed(self, gateway: Running, up: ScriptedUpstream) -> None:
        from pydantic import BaseModel  # noqa: PLC0415 - comes with the client

        class Person(BaseModel):
            name: str

        up.plays(json_answer('{"name":"Ada"}'))
        answer = gateway.client().responses.parse(model="best", input="Who?", text_format=Person)
        assert answer.output_parsed == Person(name="Ada")
        form = up.requests[-1].json()["response_format"]
        assert form["json_schema"]["name"] == "Person"

    def test_kept_answers_are_read_and_deleted(self, gateway: Running) -> None:
        client = gateway.client()
        made = client.responses.create(model="best", input="Hello there")
        assert client.responses.retrieve(made.id).output_text == made.output_text
        (item,) = client.responses.input_items.list(made.id).data
        assert item.type == "message"
        client.responses.delete(made.id)
        with pytest.raises(openai.NotFoundError) as caught:
            client.responses.retrieve(made.id)
        assert caught.value.code == "response_not_found"
        with pytest.raises(openai.BadRequestError) as refused:
            client.responses.create(model="best", input="And?", previous_response_id=made.id)
        assert (refused.value.code, refused.value.param) == ("previous_response_not_found", "previous_response_id")

    def test_tokens_are_estimated(self, gateway: Running, up: ScriptedUpstream) -> None:
        client = gateway.client()
        counted = client.responses.input_tokens.with_raw_response.count(model="best", input="Hello there, friend.")
        assert counted.headers["x-gateway-tokens"] == "estimate"
        assert 5 <= counted.parse().input_tokens <= 15
        assert up.requests == []


class TestRoutes:
    def test_also_without_the_prefix_and_with_a_query(self, gateway: Running) -> None:
        assert ask(gateway, path="/responses")["model"] == "best"
        assert ask(gateway, path="/v1/responses?api-version=1")["status"] == "completed"

    def test_input_items_in_pages(self, gateway: Running) -> None:
        items = [{"role": "user", "content": str(number)} for number in range(5)]
        made = ask(gateway, input=items)
        path = f"{PATH}/{made['id']}/input_items"
        page = gateway.get(f"{path}?order=asc&limit=2").json()
        assert [item["content"] for item in page["data"]] == ["0", "1"]
        assert page["has_more"]
        assert page["last_id"] == page["data"][-1]["id"]
        rest = gateway.get(f"{path}?order=asc&after={page['last_id']}").json()
        assert [item["content"] for item in rest["data"]] == ["2", "3", "4"]
        assert not rest["has_more"]
        assert gateway.get(path).json()["data"][0]["content"] == "4"

    @pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "order=up", "after=msg_unknown"])
    def test_a_page_that_does_not_exist(self, gateway: Running, query: str) -> None:
        made = ask(gateway)
        reply = gateway.get(f"{PATH}/{made['id']}/input_items?{query}")
        assert reply.status_code == 400
        assert reply.json()["error"]["param"] == query.partition("=")[0]

    @pytest.mark.parametrize("path", ["resp_x", "resp_x/input_items"])
    def test_unknown_responses(self, gateway: Running, path: str) -> None:
        reply = gateway.get(f"{PATH}/{path}")
        assert (reply.status_code, reply.json()["error"]["code"]) == (404, "response_not_found")

    def test_only_background_responses_could_be_cancelled(self, gateway: Running) -> None:
        made = ask(gateway)
        assert gateway.post({}, path=f"{PATH}/{made['id']}/cancel").status_code == 400
        assert gateway.post({}, path=f"{PATH}/resp_x/cancel").status_code == 404

    def test_a_kept_response_is_not_streamed_again(self, gateway: Running) -> None:
        made = ask(gateway)
        reply = gateway.get(f"{PATH}/{made['id']}?stream=true")
        assert (reply.status_code, reply.json()["error"]["param"]) == (400, "stream")

    def test_a_websocket_is_refused_by_a_status_at_which_codex_goes_on(self, gateway: Running) -> None:
        reply = gateway.get(PATH, headers={"Connection": "Upgrade", "Upgrade": "websocket"})
        assert (reply.status_code, reply.json()["error"]["code"]) == (426, "websocket_not_supported")
        assert gateway.get(PATH).status_code == 405

    def test_codex_finds_its_own_list_of_models(self, gateway: Running) -> None:
        """Codex takes no entry at all where one lacks a key that it requires."""
        listed = gateway.get("/v1/models?client_version=0.171.0").json()
        assert [model["slug"] for model in listed["models"]] == [model["id"] for model in listed["data"]]
        assert all(set(model) >= CODEX_REQUIRES for model in listed["models"])
        assert "models" not in gateway.get("/v1/models").json()

    def test_what_is_not_served(self, gateway: Running) -> None:
        for path in ("/v1/conversations", "/v1/responses/compact", "/v1/responses/resp_x/nothing"):
            reply = gateway.post({}, path=path)
            assert (reply.status_code, reply.json()["error"]["code"]) == (404, "unknown_url"), path

    def test_a_compressed_body_is_refused_and_told_how_to_stop(self, gateway: Running) -> None:
        reply = gateway.post(b"x", path=PATH, headers={"Content-Encoding": "zstd"})
        assert reply.status_code == 415
        assert "features.enable_request_compression" in reply.json()["error"]["message"]

    def test_a_response_belongs_to_its_key(self, up: ScriptedUpstream) -> None:
        config = {
            "gateway": {"apiKeys": ["key-one", "key-two"]},
            "providers": {"a": provider(up.base_url)},
            "modelAliases": [alias("best", "a/one")],
        }
        with running(config) as gateway:
            one, two = ({"Authorization": f"Bearer key-{name}"} for name in ("one", "two"))
            made = gateway.post({"model": "best", "input": "Hi"}, path=PATH, headers=one).json()
            assert gateway.get(f"{PATH}/{made['id']}", headers=one).status_code == 200
            assert gateway.get(f"{PATH}/{made['id']}", headers=two).status_code == 404
            more = {"model": "best", "input": "And?", "previous_response_id": made["id"]}
            assert gateway.post(more, path=PATH, headers=two).status_code == 400
            assert gateway.post(more, path=PATH, headers=one).status_code == 200

    def test_a_store_of_nothing_keeps_nothing(self, up: ScriptedUpstream) -> None:
        config = {
            "gateway": {"responseStore": {"maxMiB": 0}},
            "providers": {"a": provider(up.base_url)},
            "modelAliases": [alias("best", "a/one")],
        }
        with running(config) as gateway:
            made = ask(gateway)
            assert gateway.get(f"{PATH}/{made['id']}").status_code == 404


class TestErrors:
    @pytest.mark.parametrize("streamed", [False, True])
    @pytest.mark.parametrize(
        ("answer", "status", "code"),
        [
            (Json(404, {"error": {"message": "no such model", "code": "model_not_found"}}), 404, "model_not_found"),
            (Json(401, {"error": {"message": "bad key"}}), 401, "provider_credential_refused"),
            (
                Json(400, {"error": {"message": "too long", "code": "context_length_exceeded"}}),
                400,
                "context_length_exceeded",
            ),
            (
                Json(400, {"error": {"message": "This model's maximum context length is 8192 tokens."}}),
                400,
                "context_length_exceeded",
            ),
            (
                Json(429, {"error": {"message": "slow"}}, {"Retry-After": "40"}),
                429,
                "rate_limit_exceeded",
            ),
            (Json(429, {"error": {"message": "no money", "code": "insufficient_quota"}}), 429, "insufficient_quota"),
            (Status(503), 503, "provider_unavailable"),
        ],
    )
    def test_before_content_an_error_is_a_status(
        self, gateway: Running, up: ScriptedUpstream, answer: Step, status: int, code: str, streamed: bool
    ) -> None:
        up.answers(lambda request: (answer,))
        reply = gateway.post({"model": "alone", "input": "Hi", "stream": streamed}, path=PATH)
        assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)
        if status == 429 and code == "rate_limit_exceeded":
            assert 30 <= int(reply.headers["retry-after"]) <= 40

    def test_a_name_that_nobody_has(self, gateway: Running) -> None:
        reply = gateway.post({"model": "nobody", "input": "Hi"}, path=PATH)
        assert (reply.status_code, reply.json()["error"]["code"]) == (400, "model_not_found")
        counted = gateway.post({"model": "nobody", "input": "Hi"}, path=f"{PATH}/input_tokens")
        assert counted.status_code == 400

    def test_a_file_that_is_stored_with_openai_is_for_openai(self, gateway: Running) -> None:
        content = [{"type": "input_file", "file_id": "file-1"}]
        reply = gateway.post({"model": "google", "input": [{"role": "user", "content": content}]}, path=PATH)
        assert (reply.status_code, reply.json()["error"]["code"]) == (400, "unsupported_by_provider")

    def test_what_is_left_out_is_told_in_the_callers_words(self, gateway: Running, up: ScriptedUpstream) -> None:
        up.plays(*gemini_says("Hi.", stream=False))
        fields = {"model": "google", "input": "Hi", "truncation": "auto", "tools": [{"type": "file_search"}]}
        reply = gateway.post({**fields, "reasoning": {"effort": "low"}}, path=PATH)
        told = reply.headers["x-gateway-dropped"].split(",")
        assert {"truncation", "tools.file_search"} <= set(told)
        assert not [name for name in told if name.startswith("messages")]

    def test_another_target_answers_before_content(self, gateway: Running, up: ScriptedUpstream) -> None:
        up.answers(lambda request: (Status(503),))
        raw = listen(gateway)
        assert final(raw)["status"] == "completed"


class TestBreaks:
    def test_a_text_is_resumed_in_its_item(
        self, gateway: Running, up: ScriptedUpstream, second: ScriptedUpstream
    ) -> None:
        text = " ".join(f"word{number}" for number in range(40))
        up.plays(Sse(sse_events(text)[:25]), Cut())
        second.answers(lambda request: sse_answer(answer_to(text, request), usage=USAGE))
        raw = listen(gateway)
        assert b": resumed on b/two" in raw
        (item,) = final(raw)["output"]
        assert item["content"][0]["text"] == text
        assert final(raw)["status"] == "completed"

    def test_a_call_that_has_begun_is_not_resumed(self, gateway: Running, up: ScriptedUpstream) -> None:
        called = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{"}}
        up.plays(Sse([chunk({"role": "assistant", "tool_calls": [called]})]), Cut())
        raw = listen(gateway, tools=[WEATHER])
        assert events(raw)[-1]["type"] == "response.failed"
        assert final(raw)["error"]["code"] == "server_error"
        assert b"output_item.done" not in raw

    def test_alone_it_fails(self, gateway: Running, up: ScriptedUpstream) -> None:
        up.plays(Sse(sse_events("one two three")[:3]), Cut())
        raw = listen(gateway, model="alone")
        assert final(raw)["status"] == "failed"
        assert final(raw)["output"] == []


class TestSilence:
    """A caller that waits gets events, because Codex counts comments as silence."""

    @pytest.fixture
    def waiting(self, up: ScriptedUpstream, each_driver: None, often_looked_after: None) -> Iterator["_Waiting"]:
        with ExitStack() as closing:
            yield _Waiting(closing, up)

    def test_before_the_first_content(self, up: ScriptedUpstream, waiting: "_Waiting") -> None:
        up.plays(WaitFor(waiting.go), *sse_answer("one two three"))
        raw = waiting.listens(lambda line: line == b"event: keepalive\n")
        assert stream_faults(raw) == []
        assert raw.index(b"keepalive") < raw.index(b"output_item.added")
        assert final(raw)["output"][0]["content"][0]["text"] == "one two three"

    def test_inside_a_text(self, up: ScriptedUpstream, waiting: "_Waiting") -> None:
        head = Head(headers={"content-type": "text/event-stream"})
        *first, last = sse_events("one two three")
        up.plays(head, Sse(first), WaitFor(waiting.go), Sse([last]), Done())
        raw = waiting.listens(lambda line: line == b"event: keepalive\n")
        assert stream_faults(raw) == []
        assert raw.index(b"output_text.delta") < raw.index(b"keepalive")

    def test_an_error_after_a_heartbeat_fails_the_response_that_it_began(
        self, up: ScriptedUpstream, waiting: "_Waiting"
    ) -> None:
        up.plays(WaitFor(waiting.go), Json(400, {"error": {"message": "No.", "type": "invalid_request_error"}}))
        raw = waiting.listens(lambda line: line == b"event: keepalive\n")
        assert stream_faults(raw) == []
        assert events(raw)[-1]["type"] == "response.failed"
        assert final(raw)["error"]["code"] == "invalid_prompt"


class _Waiting:
    """A gateway with a fast clock, and a caller that reads line by line."""

    def __init__(self, closing: ExitStack, up: ScriptedUpstream) -> None:
        self.go = threading.Event()
        config = {
            "gateway": {"requestTimeoutSeconds": 3600},
            "providers": {"a": provider(up.base_url, timeouts={"stallSeconds": 60})},
            "modelAliases": [alias("best", "a/one")],
        }
        gateway = closing.enter_context(running(config, clock=FastClock(100.0)))
        self._connection = HTTPConnection(gateway.url.removeprefix("http://"), timeout=30)
        closing.callback(self._connection.close)
        closing.callback(self.go.set)

    def listens(self, heard: Callable[[bytes], bool]) -> bytes:
        """The whole stream; the provider goes on once a line was heard."""
        body = json.dumps({"model": "best", "input": "Hi", "stream": True})
        self._connection.request("POST", PATH, body, {"content-type": "application/json"})
        reply = self._connection.getresponse()
        raw = b""
        while (line := reply.readline()) != b"" and not heard(line):
            raw += line
        self.go.set()
        return raw + line + reply.read()


def test_the_tools_of_codex_reach_a_chat_provider_by_flat_names(gateway: Running, up: ScriptedUpstream) -> None:
    """Shaped as Codex 0.171 sends them for models that it knows: no `tools`, but an item of the input."""
    shell = {"type": "custom", "name": "exec", "description": "Runs JavaScript.", "format": {"type": "text"}}
    tools: Any = [{"type": "namespace", "name": "functions", "description": "Tools.", "tools": [shell]}]
    item = {"type": "additional_tools", "role": "developer", "tools": tools}
    user = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Go"}]}
    up.plays(*chat_call("functions__exec", '{"input":"text(1)"}', stream=True))
    raw = listen(gateway, model="alone", input=[item, user], store=False, parallel_tool_calls=False)
    (called,) = final(raw)["output"]
    assert (called["type"], called["namespace"], called["name"], called["input"]) == (
        "custom_tool_call",
        "functions",
        "exec",
        "text(1)",
    )
    sent = up.requests[-1].json()
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["functions__exec"]
    assert ToolTable({"input": [item]}).find("functions__exec") is not None
    output = {"type": "custom_tool_call_output", "call_id": called["call_id"], "output": "1"}
    listen(gateway, model="alone", input=[item, user, called, output], store=False)
    assert [message["role"] for message in up.requests[-1].json()["messages"]] == ["user", "assistant", "tool"]
