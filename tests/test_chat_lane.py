"""The chat route in front of Flask and the one behind it: the same status, headers and bytes, whatever is asked."""

import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask

from gateway.assembly import System
from gateway.dispatch.caller import Headers
from gateway.handler.request_handler import RequestHandler
from gateway.server.gateway_proxy import GatewayProxy
from tests.running import alias, chat, loaded, provider
from tests.support.upstream_script import Json, ScriptedUpstream, Status

PAGE = "https://page.example"
OWN_ID = re.compile(rb"req_[0-9a-f]{24}")
QUEUED = re.compile(rb"(?i)x-gateway-queue-ms: \d+")


@dataclass(frozen=True)
class Told:
    """What a caller gets, ids apart."""

    status: str
    headers: tuple[bytes, ...]
    body: bytes


@pytest.fixture
def system(up: ScriptedUpstream) -> Iterator[System]:
    settings = {
        "gateway": {"apiKeys": ["sesame"], "allowedOrigins": [PAGE], "maxBodyMiB": 1},
        "providers": {"a": provider(up.base_url)},
        "modelAliases": [alias("best", "a/one")],
    }
    running = System(loaded(settings), {}, port=8080)
    yield running
    running.close()


def environ(body: bytes, **changed: object) -> dict[str, Any]:
    found = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/v1/chat/completions",
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8080",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "127.0.0.1:8080",
        "HTTP_AUTHORIZATION": "Bearer sesame",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": "http",
        "wsgi.errors": io.StringIO(),
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **changed,
    }
    return {name: value for name, value in found.items() if value is not None}


def ask(proxy: GatewayProxy, asked: dict[str, Any], *, flask: bool) -> Told:
    """One request's reply, from the lane in front of Flask or from Flask."""
    seen: list[tuple[str, Headers]] = []

    def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Any:
        seen.append((status, tuple(headers)))
        return lambda data: None

    app: Iterable[bytes]
    if flask:
        inner: Flask = proxy._app
        app = inner(asked, start)
    else:
        assert proxy._is_chat(asked), "the lane does not know it, so there is nothing to compare"
        app = proxy.wsgi(asked, start)
    try:
        body = b"".join(app)
    finally:
        getattr(app, "close", lambda: None)()
    ((status, headers),) = seen
    lines = sorted(f"{name.lower()}: {value}".encode() for name, value in headers)
    return Told(
        status, tuple(QUEUED.sub(b"queued", OWN_ID.sub(b"ID", line)) for line in lines), OWN_ID.sub(b"ID", body)
    )


GOOD = json.dumps(chat("best")).encode()
STREAMED = json.dumps(chat("best", stream=True)).encode()
UNKNOWN = json.dumps(chat("bets")).encode()
REQUESTS: Mapping[str, tuple[bytes, Mapping[str, object]]] = {
    "whole": (GOOD, {}),
    "without the prefix": (GOOD, {"PATH_INFO": "/chat/completions"}),
    "with a query": (GOOD, {"QUERY_STRING": "a=b"}),
    "streamed": (STREAMED, {}),
    "with an id": (GOOD, {"HTTP_X_REQUEST_ID": "mine-1"}),
    "with an id that is none": (GOOD, {"HTTP_X_REQUEST_ID": "mine\r\nx: y"}),
    "unknown model": (UNKNOWN, {}),
    "no JSON": (b"{", {}),
    "empty": (b"", {}),
    "another content type": (GOOD, {"CONTENT_TYPE": "text/plain"}),
    "compressed": (GOOD, {"HTTP_CONTENT_ENCODING": "gzip"}),
    "no host": (GOOD, {"HTTP_HOST": None}),
    "a foreign host": (GOOD, {"HTTP_HOST": "evil.example"}),
    "no key": (GOOD, {"HTTP_AUTHORIZATION": None}),
    "a wrong key": (GOOD, {"HTTP_AUTHORIZATION": "Bearer s\xe9same"}),
    "a page": (GOOD, {"HTTP_ORIGIN": PAGE}),
    "a page's stream": (STREAMED, {"HTTP_ORIGIN": PAGE}),
    "a page without a key": (GOOD, {"HTTP_ORIGIN": PAGE, "HTTP_AUTHORIZATION": None}),
    "a foreign page": (GOOD, {"HTTP_ORIGIN": "https://evil.example"}),
    "another site": (GOOD, {"HTTP_SEC_FETCH_SITE": "cross-site"}),
    "no thread": (GOOD, {"gateway.overloaded": True}),
    "a caller that has left": (GOOD, {"waitress.client_disconnected": lambda: True}),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_both_lanes_answer_the_same(system: System, up: ScriptedUpstream, name: str) -> None:
    body, changed = REQUESTS[name]
    told = [ask(system.proxy, environ(body, **changed), flask=flask) for flask in (False, True)]
    assert told[0] == told[1]


@pytest.mark.parametrize(
    "answer", [Status(503), Status(429, {"retry-after": "9"}), Json(400, {"error": {"message": "no"}})]
)
def test_both_lanes_tell_a_providers_failure_alike(system: System, up: ScriptedUpstream, answer: Json | Status) -> None:
    up.answers(lambda request: [answer])
    first = ask(system.proxy, environ(GOOD), flask=False)
    second = ask(system.proxy, environ(GOOD), flask=True)
    assert first.status == second.status != "200 OK"
    assert first.body == second.body


def test_both_lanes_tell_that_the_gateway_drains(system: System) -> None:
    system.switch.draining = True
    told = [ask(system.proxy, environ(GOOD), flask=flask) for flask in (False, True)]
    assert told[0] == told[1]
    assert told[0].status == "503 SERVICE UNAVAILABLE"


def test_both_lanes_make_one_error_of_a_fault_of_ours(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError("a secret detail")

    monkeypatch.setattr(RequestHandler, "handle", fails)
    told = [ask(system.proxy, environ(GOOD), flask=flask) for flask in (False, True)]
    assert told[0] == told[1]
    assert told[0].status == "500 INTERNAL SERVER ERROR"
    assert b"secret" not in told[0].body


@pytest.mark.parametrize(
    "changed",
    [
        {"CONTENT_LENGTH": None},
        {"CONTENT_LENGTH": ""},
        {"CONTENT_LENGTH": "+1"},
        {"CONTENT_LENGTH": str((1 << 20) + 1)},
        {"REQUEST_METHOD": "GET"},
        {"PATH_INFO": "/v1/chat/completions/"},
        {"PATH_INFO": "/v1/models"},
    ],
)
def test_what_the_lane_does_not_know_is_flasks(system: System, changed: Mapping[str, object]) -> None:
    assert not system.proxy._is_chat(environ(GOOD, **changed))


@pytest.mark.parametrize("flask", [False, True])
def test_a_whole_answer_is_noted_when_it_has_been_sent(system: System, up: ScriptedUpstream, flask: bool) -> None:
    asked = environ(GOOD)
    app = (system.proxy._app if flask else system.proxy._chat_lane)(asked, lambda *_: lambda data: None)
    assert b"".join(app)
    assert len(system.calls) == 1
    close = app.close  # type: ignore[attr-defined]
    close()
    assert len(system.calls) == 0
    close()


def test_a_whole_answer_that_cannot_be_sent_is_noted_too(system: System, up: ScriptedUpstream) -> None:
    def refuses(*_: object) -> Any:
        raise ValueError("a line ending in a header")

    with pytest.raises(ValueError, match="a line ending"):
        system.proxy.wsgi(environ(GOOD), refuses)
    assert len(system.calls) == 0
