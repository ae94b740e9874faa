"""The demo provider's socket: who may call, what a client of OpenAI's sees, and that it comes and goes cleanly."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest

from gateway.demo import DemoProvider

LIMIT = 10.0  # seconds; only a hang takes so long


def request_of(content: object = "hello", **fields: object) -> dict[str, object]:
    return {"model": "demo", "messages": [{"role": "user", "content": content}], **fields}


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoProvider]:
    provider = DemoProvider(word_delay=0)
    provider.start()
    with closing(provider):
        yield provider


@pytest.fixture
def client(demo: DemoProvider) -> Iterator[http.client.HTTPConnection]:
    with closing(connection_to(demo)) as connection:
        yield connection


def connection_to(demo: DemoProvider) -> http.client.HTTPConnection:
    address = urlsplit(demo.base_url)
    return http.client.HTTPConnection(address.hostname or "", address.port, timeout=LIMIT)


def post(client: http.client.HTTPConnection, key: str, body: object) -> http.client.HTTPResponse:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    client.request("POST", "/v1/chat/completions", data, {"Authorization": f"Bearer {key}"})
    return client.getresponse()


def error_of(answered: http.client.HTTPResponse) -> dict[str, Any]:
    assert answered.getheader("content-type") == "application/json"
    error: dict[str, Any] = json.loads(answered.read())["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


def test_one_connection_carries_answers_and_streams(demo: DemoProvider, client: http.client.HTTPConnection) -> None:
    client.connect()
    first_socket = client.sock
    whole = json.loads(post(client, demo.key, request_of()).read())
    assert whole["id"].startswith("chatcmpl-")
    answered = post(client, demo.key, request_of(stream=True, stream_options={"include_usage": True}))
    assert answered.getheader("content-type") == "text/event-stream; charset=utf-8"
    *events, done, rest = answered.read().decode().split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    said = "".join(choice["delta"].get("content", "") for chunk in chunks for choice in chunk["choices"])
    assert said == whole["choices"][0]["message"]["content"]
    assert chunks[-1]["usage"] == whole["usage"]
    assert client.sock is first_socket


def test_it_lists_its_models(demo: DemoProvider, client: http.client.HTTPConnection) -> None:
    client.request("GET", "/v1/models?limit=1", headers={"Authorization": f"Bearer {demo.key}"})
    models = json.loads(client.getresponse().read())
    assert [model["id"] for model in models["data"]] == ["demo", "demo-unavailable"]
    assert all(isinstance(model["created"], int) and model["object"] == "model" for model in models["data"])


def test_the_vendors_own_client_understands_it(demo: DemoProvider) -> None:
    with openai.OpenAI(base_url=demo.base_url, api_key=demo.key, max_retries=0, timeout=LIMIT) as client:
        messages: Any = [{"role": "user", "content": "Weather in Paris and the time, both please"}]
        functions = [{"name": name, "parameters": {"type": "object"}} for name in ("get_weather", "get_time")]
        tools: Any = [{"type": "function", "function": function} for function in functions]
        with client.chat.completions.stream(model="demo", messages=messages, tools=tools) as stream:
            final = stream.get_final_completion().choices[0]
        assert [call.function.name for call in final.message.tool_calls or ()] == ["get_weather", "get_time"]
        with pytest.raises(openai.InternalServerError) as failed:
            client.chat.completions.create(model="demo-unavailable", messages=messages)
        assert failed.value.status_code == 503


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"not json", 400, None),
        ({**request_of(), "model": "gpt-4"}, 404, "model_not_found"),
        ({**request_of(), "model": "demo-unavailable"}, 503, "overloaded"),
    ],
)
def test_a_failure_is_an_openai_error_and_keeps_the_connection(
    demo: DemoProvider, client: http.client.HTTPConnection, body: object, status: int, code: str | None
) -> None:
    answered = post(client, demo.key, body)
    assert (answered.status, error_of(answered)["code"]) == (status, code)
    assert post(client, demo.key, request_of()).read()


@pytest.mark.parametrize(
    "header", [{}, {"Authorization": "Bearer "}, {"Authorization": "Bearer wrong"}, {"Authorization": b"Bearer \xe9"}]
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models", "/elsewhere"])
def test_without_the_key_nothing_is_told(
    client: http.client.HTTPConnection, header: dict[str, str | bytes], path: str
) -> None:
    client.request("POST", path, b"{}", header)
    answered = client.getresponse()
    assert (answered.status, error_of(answered)["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1/chat/completions", 405),
        ("POST", "/v1/models", 405),
        ("DELETE", "/v1/models", 501),
    ],
)
def test_other_routes_are_refused_in_the_same_shape(
    demo: DemoProvider, client: http.client.HTTPConnection, method: str, path: str, status: int
) -> None:
    client.request(method, path, headers={"Authorization": f"Bearer {demo.key}"})
    answered = client.getresponse()
    assert answered.status == status
    assert error_of(answered)["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("Content-Length", "99999999999", 413),
        ("Content-Length", "-1", 400),
        ("Content-Length", "1" * 5000, 400),
        ("Transfer-Encoding", "chunked", 400),
    ],
)
def test_a_body_it_will_not_read_is_refused(
    demo: DemoProvider, client: http.client.HTTPConnection, header: str, value: str, status: int
) -> None:
    client.putrequest("POST", "/v1/chat/completions")
    client.putheader("Authorization", f"Bearer {demo.key}")
    client.putheader(header, value)
    client.endheaders()
    assert client.sock is not None
    client.sock.shutdown(socket.SHUT_WR)
    answered = client.getresponse()
    assert (answered.status, answered.getheader("connection")) == (status, "close")
    error_of(answered)


def test_many_callers_are_answered_at_once(demo: DemoProvider) -> None:
    callers = 50
    together = threading.Barrier(callers, timeout=LIMIT)

    def call(number: int) -> str:
        with closing(connection_to(demo)) as client:
            client.connect()
            together.wait()
            answered: Any = json.loads(post(client, demo.key, request_of(str(number))).read())
            return str(answered["choices"][0]["message"]["content"]).partition("\n")[0]

    with ThreadPoolExecutor(callers) as pool:
        assert list(pool.map(call, range(callers))) == [f"You said: {number}" for number in range(callers)]


def test_closing_cuts_streams_and_leaves_nothing_behind() -> None:
    before = set(threading.enumerate())
    demo = DemoProvider(word_delay=3600)
    demo.start()
    with closing(connection_to(demo)) as streaming, closing(connection_to(demo)) as idle:
        json.loads(post(idle, demo.key, request_of()).read())
        stream = post(streaming, demo.key, request_of(stream=True))
        assert stream.readline().startswith(b"data: {")
        demo.close()
        demo.close()
        with pytest.raises(http.client.IncompleteRead):
            stream.read()
        assert set(threading.enumerate()) <= before
        with pytest.raises(ConnectionError):
            connection_to(demo).connect()


def test_it_starts_once_and_may_close_without_a_start() -> None:
    never = DemoProvider()
    with pytest.raises(RuntimeError, match="not been started"):
        _ = never.base_url
    never.close()
    with pytest.raises(RuntimeError, match="only once"):
        never.start()


def test_every_process_has_its_own_key_and_shows_it_to_nobody(demo: DemoProvider) -> None:
    other = DemoProvider()
    assert other.key != demo.key
    assert demo.key not in repr(demo)
    assert repr(other) == "DemoProvider(not started)"
