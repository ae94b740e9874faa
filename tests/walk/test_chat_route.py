"""The chat route as a table: what is asked, and the status and the code or the object that is answered."""

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from gateway.handler.request_handler import RequestHandler
from gateway.server.gateway_proxy import GatewayProxy
from tests.support.application import WholeApplication, application_of
from tests.support.running import alias, chat, loaded, provider
from tests.support.upstream_script import Json, ScriptedUpstream, Status, Step

PAGE = "https://page.example"


@dataclass(frozen=True)
class Answered:
    """What a caller gets."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def what(self) -> str:
        """The error's code, or what the answer is."""
        if self.headers["content-type"].startswith("text/event-stream"):
            return "stream" if self.body.endswith(b"data: [DONE]\n\n") else "broken stream"
        value = json.loads(self.body)
        return str(value["error"]["code"] or value["error"]["type"]) if "error" in value else str(value["object"])


@pytest.fixture
def application(up: ScriptedUpstream) -> Iterator[WholeApplication]:
    settings = {
        "gateway": {"apiKeys": ["sesame"], "allowedOrigins": [PAGE], "maxBodyMiB": 1},
        "providers": {"a": provider(up.base_url)},
        "modelAliases": [alias("best", "a/one")],
    }
    with application_of(loaded(settings)) as made:
        yield made


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


def ask(proxy: GatewayProxy, asked: dict[str, Any]) -> Answered:
    seen: list[tuple[str, dict[str, str]]] = []

    def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Any:
        seen.append((status, {name.lower(): value for name, value in headers}))
        return lambda data: None

    answer = proxy.wsgi(asked, start)
    try:
        body = b"".join(answer)
    finally:
        getattr(answer, "close", lambda: None)()
    ((status, headers),) = seen
    assert headers["x-request-id"] and headers["x-content-type-options"] == "nosniff"
    return Answered(int(status.split()[0]), headers, body)


GOOD = json.dumps(chat("best")).encode()
STREAMED = json.dumps(chat("best", stream=True)).encode()
UNKNOWN = json.dumps(chat("bets")).encode()
LARGE = str((1 << 20) + 1)
ROWS: Mapping[str, tuple[bytes, Mapping[str, object], int, str]] = {
    "whole": (GOOD, {}, 200, "chat.completion"),
    "without the prefix": (GOOD, {"PATH_INFO": "/chat/completions"}, 200, "chat.completion"),
    "with a slash behind": (GOOD, {"PATH_INFO": "/v1/chat/completions/"}, 200, "chat.completion"),
    "with a query": (GOOD, {"QUERY_STRING": "a=b"}, 200, "chat.completion"),
    "streamed": (STREAMED, {}, 200, "stream"),
    "unknown model": (UNKNOWN, {}, 404, "model_not_found"),
    "no JSON": (b"{", {}, 400, "invalid_request_error"),
    "empty": (b"", {}, 400, "invalid_request_error"),
    "no length": (GOOD, {"CONTENT_LENGTH": None}, 400, "invalid_request_error"),
    "an empty length": (GOOD, {"CONTENT_LENGTH": ""}, 400, "invalid_request_error"),
    "a length that is none": (GOOD, {"CONTENT_LENGTH": "+1"}, 400, "invalid_request_error"),
    "too large": (GOOD, {"CONTENT_LENGTH": LARGE}, 413, "request_too_large"),
    "another content type": (GOOD, {"CONTENT_TYPE": "text/plain"}, 415, "unsupported_content_type"),
    "compressed": (GOOD, {"HTTP_CONTENT_ENCODING": "gzip"}, 415, "unsupported_content_type"),
    "no host": (GOOD, {"HTTP_HOST": None}, 400, "bad_http"),
    "a foreign host": (GOOD, {"HTTP_HOST": "evil.example"}, 421, "host_not_allowed"),
    "no key": (GOOD, {"HTTP_AUTHORIZATION": None}, 401, "invalid_api_key"),
    "a wrong key": (GOOD, {"HTTP_AUTHORIZATION": "Bearer s\xe9same"}, 401, "invalid_api_key"),
    "a page": (GOOD, {"HTTP_ORIGIN": PAGE}, 200, "chat.completion"),
    "a page's stream": (STREAMED, {"HTTP_ORIGIN": PAGE}, 200, "stream"),
    "a page without a key": (GOOD, {"HTTP_ORIGIN": PAGE, "HTTP_AUTHORIZATION": None}, 401, "invalid_api_key"),
    "a foreign page": (GOOD, {"HTTP_ORIGIN": "https://evil.example"}, 403, "origin_not_allowed"),
    "another site": (GOOD, {"HTTP_SEC_FETCH_SITE": "cross-site"}, 403, "origin_not_allowed"),
    "no thread": (GOOD, {"gateway.overloaded": True}, 503, "overloaded"),
    "a caller that has left": (GOOD, {"waitress.client_disconnected": lambda: True}, 499, "caller_left"),
    "another method": (GOOD, {"REQUEST_METHOD": "GET"}, 405, "method_not_allowed"),
}


@pytest.mark.parametrize("name", ROWS)
def test_what_is_asked_and_what_is_answered(application: WholeApplication, name: str) -> None:
    body, changed, status, what = ROWS[name]
    answered = ask(application.proxy, environ(body, **changed))
    assert (answered.status, answered.what) == (status, what)
    if changed.get("HTTP_ORIGIN") == PAGE:
        assert answered.headers["access-control-allow-origin"] == PAGE


@pytest.mark.parametrize(("sent", "kept"), [("mine-1", True), ("mine\r\nx: y", False)])
def test_an_id_of_the_callers_own_is_kept_where_it_is_one(application: WholeApplication, sent: str, kept: bool) -> None:
    request_id = ask(application.proxy, environ(GOOD, HTTP_X_REQUEST_ID=sent)).headers["x-request-id"]
    assert (request_id == sent) is kept
    assert kept or request_id.startswith("req_")


@pytest.mark.parametrize(
    ("answer", "status"),
    [(Status(503), 503), (Status(429, {"retry-after": "9"}), 429), (Json(400, {"error": {}}), 400)],
)
def test_a_providers_failure(application: WholeApplication, up: ScriptedUpstream, answer: Step, status: int) -> None:
    up.answers(lambda request: [answer])
    answered = ask(application.proxy, environ(GOOD))
    assert answered.status == status
    assert "error" in json.loads(answered.body)


def test_a_gateway_that_drains_takes_no_call(application: WholeApplication) -> None:
    application.runtime.drain_state.draining = True
    answered = ask(application.proxy, environ(GOOD))
    assert (answered.status, answered.what, answered.headers["retry-after"]) == (503, "draining", "5")


def test_a_fault_of_ours_is_an_error_without_details(
    application: WholeApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError("a secret detail")

    monkeypatch.setattr(RequestHandler, "handle", fails)
    answered = ask(application.proxy, environ(GOOD))
    assert (answered.status, answered.what) == (500, "internal_error")
    assert b"secret" not in answered.body


def test_a_whole_answer_is_noted_when_it_has_been_sent(application: WholeApplication) -> None:
    answer = application.proxy.wsgi(environ(GOOD), lambda *_: lambda data: None)
    assert b"".join(answer)
    assert len(application.runtime.watchdog) == 1
    close = answer.close  # type: ignore[attr-defined]
    close()
    assert len(application.runtime.watchdog) == 0
    close()


def test_a_whole_answer_that_cannot_be_sent_is_noted_too(application: WholeApplication) -> None:
    def refuses(*_: object) -> Any:
        raise ValueError("a line ending in a header")

    with pytest.raises(ValueError, match="a line ending"):
        application.proxy.wsgi(environ(GOOD), refuses)
    assert len(application.runtime.watchdog) == 0
