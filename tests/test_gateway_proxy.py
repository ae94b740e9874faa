"""The HTTP surface through its socket: routes, refusals, headers. What is asked here is what curl can ask."""

import http.client
import json
import math
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.support.running import Running, alias, chat, events, provider, running
from tests.support.upstream_script import (
    Cut,
    Json,
    Request,
    ScriptedUpstream,
    Send,
    Sse,
    Stall,
    Step,
    json_answer,
    sse_events,
)

USER = {"role": "user", "content": "hi"}
CANARY = "canary-prompt-4711"


@pytest.fixture(scope="module")
def gateway() -> Iterator[Running]:
    with running(alone=False) as served:  # beside the one that is locked
        yield served


def error_of(response: object) -> dict[str, object]:
    """The error object of a reply, after checking that it is one that clients can read."""
    body = json.loads(response.content, parse_constant=pytest.fail)  # type: ignore[attr-defined]
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert response.headers["content-type"] == "application/json"  # type: ignore[attr-defined]
    assert response.headers["x-request-id"]  # type: ignore[attr-defined]
    error: dict[str, object] = body["error"]
    assert error["message"]
    return error


class TestRoutes:
    @pytest.mark.parametrize("path", ["/health", "/health?x=1", "/health/"])
    def test_health_is_ok(self, gateway: Running, path: str) -> None:
        reply = gateway.get(path)
        assert (reply.status_code, reply.json()) == (200, {"status": "ok"})

    @pytest.mark.parametrize("path", ["/v1/models", "/models", "/v1/models?limit=1", "/v1/models/"])
    def test_models_list_the_aliases(self, gateway: Running, path: str) -> None:
        listing = gateway.get(path).json()
        assert listing["object"] == "list"
        assert [model["id"] for model in listing["data"]] == ["demo", "demo-failover"]
        assert all(type(model["created"]) is int for model in listing["data"])
        assert all(model["object"] == "model" and model["owned_by"] for model in listing["data"])

    @pytest.mark.parametrize("name", ["demo", "demo/anything", "demo/org/model:free"])
    def test_a_model_is_found_by_any_name_that_can_be_asked_for(self, gateway: Running, name: str) -> None:
        assert gateway.get(f"/v1/models/{name}").json()["id"] == name

    def test_an_unknown_model_is_404(self, gateway: Running) -> None:
        reply = gateway.get("/v1/models/nope")
        assert reply.status_code == 404
        assert error_of(reply)["code"] == "model_not_found"

    @pytest.mark.parametrize(
        "path", ["/v1/chat/completions", "/chat/completions", "/v1/chat/completions?api-version=1"]
    )
    def test_chat_answers_with_and_without_prefix_and_query(self, gateway: Running, path: str) -> None:
        reply = gateway.post(chat("demo"), path=path)
        assert reply.json()["choices"][0]["message"]["role"] == "assistant"

    @pytest.mark.parametrize("path", ["/v1", "/v2/models", "/v1/chat", "/%2e%2e/etc/passwd", "/v1/" + "x" * 4000])
    def test_an_unknown_path_is_404_as_an_error_object(self, gateway: Running, path: str) -> None:
        reply = gateway.get(path)
        assert reply.status_code == 404
        assert error_of(reply)["code"] == "unknown_url"

    def test_a_wrong_method_is_405_and_tells_the_right_one(self, gateway: Running) -> None:
        reply = gateway.get("/v1/chat/completions")
        assert reply.status_code == 405
        assert "POST" in reply.headers["allow"]
        assert error_of(reply)["code"] == "method_not_allowed"

    def test_the_callers_request_id_is_kept_where_it_is_one(self, gateway: Running) -> None:
        assert gateway.get("/health", headers={"x-request-id": "my-id.1"}).headers["x-request-id"] == "my-id.1"
        assert gateway.get("/health", headers={"x-request-id": "no good"}).headers["x-request-id"].startswith("req_")

    def test_every_reply_tells_browsers_to_stay_away(self, gateway: Running) -> None:
        for reply in (gateway.get("/health"), gateway.get("/nope"), gateway.post(b"[]"), gateway.post(chat("demo"))):
            assert reply.headers["x-content-type-options"] == "nosniff"
            assert reply.headers["cross-origin-resource-policy"] == "same-origin"
            assert "access-control-allow-origin" not in reply.headers
            assert "server" not in reply.headers


class TestBadInput:
    @pytest.mark.parametrize(
        ("body", "param"),
        [
            (b"", "body"),
            (b"   ", "body"),
            (b"{", "body"),
            (b"hello", "body"),
            (b"[]", "body"),
            (b'"text"', "body"),
            (b"null", "body"),
            (b"17", "body"),
            (b'{"model":"demo","messages":[{"role":"user","content":"hi"}],"temperature":NaN}', "body"),
            (b'{"model":"demo","messages":[{"role":"user","content":"hi"}],"temperature":1e999}', "body"),
            (b'{"model":"demo","messages":[{"role":"user","content":"\\ud800"}]}', "body"),
            (b'{"model":"demo","messages":[{"role":"user","content":"\xff"}]}', "body"),
            (b'{"a":' * 5000 + b"1" + b"}" * 5000, "body"),
            (b"[" * 200_000, "body"),
            (b'{"x":' + b"[" * 129 + b"]" * 129 + b"}", "body"),
            ({}, "model"),
            ({"messages": [USER]}, "model"),
            ({"model": None, "messages": [USER]}, "model"),
            ({"model": 7, "messages": [USER]}, "model"),
            ({"model": ["demo"], "messages": [USER]}, "model"),
            ({"model": "x" * 300, "messages": [USER]}, "model"),
            ({"model": "demo"}, "messages"),
            ({"model": "demo", "messages": []}, "messages"),
            ({"model": "demo", "messages": "hi"}, "messages"),
            ({"model": "demo", "messages": ["hi"]}, "messages[0]"),
            ({"model": "demo", "messages": [{}]}, "messages[0].role"),
            ({"model": "demo", "messages": [{"role": "user"}]}, "messages[0].content"),
            ({"model": "demo", "messages": [USER, {"role": "user", "content": 3}]}, "messages[1].content"),
            ({"model": "demo", "messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content[0]"),
            ({"model": "demo", "messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
            (chat("demo", stream="yes"), "stream"),
            (chat("demo", temperature="hot"), "temperature"),
            (chat("demo", temperature=True), "temperature"),
            (chat("demo", max_tokens=1.5), "max_tokens"),
            (chat("demo", n="2"), "n"),
            (chat("demo", tools={}), "tools"),
            (chat("demo", tools=[{"type": "function"}]), "tools[0].function"),
            (chat("demo", stream=True, stream_options=[]), "stream_options"),
            (chat("demo", response_format="json"), "response_format"),
            (chat("nope"), "model"),
            (chat("nope/nope"), "model"),
            (chat("../../etc/passwd"), "model"),
        ],
    )
    def test_it_is_a_4xx_that_names_the_field(self, gateway: Running, body: object, param: str) -> None:
        reply = gateway.post(body)
        assert 400 <= reply.status_code < 500
        assert error_of(reply)["param"] == param

    def test_a_body_over_the_limit_is_413_and_is_read_by_a_client_that_sends_it_all(self, gateway: Running) -> None:
        reply = gateway.post(b'{"model":"' + b"x" * (40 << 20) + b'"}')
        assert reply.status_code == 413
        assert error_of(reply)["code"] == "request_too_large"

    def test_a_body_just_under_the_limit_is_read(self, gateway: Running) -> None:
        reply = gateway.post(chat("nope", "x" * (31 << 20)))
        assert reply.status_code == 404

    def test_other_content_types_are_415_with_the_way_out(self, gateway: Running) -> None:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
            reply = gateway.post(chat("demo"), headers={"content-type": kind})
            assert reply.status_code == 415
            assert "application/json" in str(error_of(reply)["message"])

    def test_no_error_repeats_what_was_said(self, gateway: Running) -> None:
        for body in (
            f'{{"model":"demo","messages":[{{"role":"user","content":"{CANARY}"'.encode(),
            {"model": "demo", "messages": CANARY},
            chat("demo", CANARY, temperature=CANARY),
        ):
            assert CANARY not in gateway.post(body).text

    @pytest.mark.parametrize(
        "headers",
        [
            {"origin": "https://evil.example"},
            {"origin": "null"},
            {"sec-fetch-site": "cross-site"},
            {"host": "evil.example"},
            {"host": "127.0.0.1:1"},
        ],
    )
    @pytest.mark.parametrize("path", ["/health", "/v1/models", "/nope"])
    def test_web_pages_and_foreign_names_are_refused_everywhere(
        self, gateway: Running, path: str, headers: dict[str, str]
    ) -> None:
        reply = gateway.get(path, headers=headers)
        assert reply.status_code in (403, 421)
        error_of(reply)

    def test_junk_instead_of_http_is_400_as_an_error_object(self, gateway: Running) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", gateway.gateway.port, timeout=10)
        connection.connect()
        connection.sock.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: x\r\n\r\n")
        answer = connection.sock.recv(65536)
        while not answer.endswith(b"}"):
            answer += connection.sock.recv(65536)
        connection.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b" 400 " in head.split(b"\r\n")[0]
        assert json.loads(body)["error"]["type"] == "invalid_request_error"


@pytest.fixture(scope="module")
def locked() -> Iterator[Running]:
    with ScriptedUpstream() as up:
        config = {
            "gateway": {"apiKeys": ["right-key-1", "right-key-2"], "allowedOrigins": ["https://app.example"]},
            "providers": {"a": provider(up.base_url)},
            "modelAliases": [alias("best", "a/m")],
        }
        with running(config, alone=False) as served:
            yield served


class TestKeys:
    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"authorization": "Bearer wrong"},
            {"authorization": "Bearer "},
            {"authorization": "right-key-1"},
            {"authorization": "Bearer right-key"},
            {"x-api-key": "right-key-11"},
            {"authorization": "Bearer r\xefght"},
        ],
    )
    def test_without_a_right_one_it_is_401(self, locked: Running, headers: dict[str, str]) -> None:
        reply = locked.get("/v1/models", headers=headers)
        assert reply.status_code == 401
        assert reply.headers["www-authenticate"].startswith("Bearer")
        assert error_of(reply)["code"] == "invalid_api_key"

    @pytest.mark.parametrize("headers", [{"authorization": "Bearer right-key-1"}, {"x-api-key": "right-key-2"}])
    def test_with_one_it_is_answered(self, locked: Running, headers: dict[str, str]) -> None:
        assert locked.get("/v1/models", headers=headers).status_code == 200
        assert locked.post(chat("best"), headers=headers).status_code == 200

    def test_health_needs_none(self, locked: Running) -> None:
        assert locked.get("/health").json() == {"status": "ok"}

    def test_an_allowed_page_gets_what_browsers_ask_for(self, locked: Running) -> None:
        origin = {"origin": "https://app.example", "sec-fetch-site": "cross-site"}
        reply = locked.get("/v1/models", headers={**origin, "authorization": "Bearer right-key-1"})
        assert reply.headers["access-control-allow-origin"] == "https://app.example"
        assert "origin" in reply.headers["vary"].lower()


class TestAnswers:
    def test_a_stream_is_server_sent_events_that_end_with_done(self, gateway: Running) -> None:
        reply = gateway.post(chat("demo", stream=True))
        assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert reply.headers["cache-control"] == "no-cache"
        *chunks, done = events(reply.text)
        assert done == "[DONE]"
        assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"  # type: ignore[index]

    def test_the_deadline_ends_a_silent_provider_with_504(self) -> None:
        with ScriptedUpstream() as up:
            up.plays(Stall())
            config = {
                "gateway": {"requestTimeoutSeconds": 0.2},
                "providers": {"a": provider(up.base_url)},
                "modelAliases": [alias("best", "a/m")],
            }
            with running(config) as served:
                reply = served.post(chat("best"))
        assert reply.status_code == 504
        assert error_of(reply)["code"] in ("deadline_exceeded", "provider_timeout")

    def test_the_time_to_wait_is_given_in_whole_seconds_and_milliseconds(self) -> None:
        with ScriptedUpstream() as up:
            config = {
                "providers": {"a": provider(up.base_url)},
                "modelAliases": [alias("best", "a/m")],
                "rateLimits": [{"provider": "a", "requestsPerMinute": 1, "maxWaitSeconds": 0}],
            }
            with running(config) as served:
                assert served.post(chat("best")).status_code == 200
                reply = served.post(chat("best"))
        assert reply.status_code == 429
        seconds, milliseconds = int(reply.headers["retry-after"]), int(reply.headers["retry-after-ms"])
        assert seconds == math.ceil(milliseconds / 1000)
        assert 50 <= seconds <= 60
        assert len(up.requests) == 1

    def test_a_queued_call_says_how_long_it_waited(self, gateway: Running) -> None:
        assert gateway.post(chat("demo")).headers["x-gateway-queue-ms"] == "0"

    def test_answers_are_json_even_for_what_the_provider_should_not_send(self) -> None:
        with ScriptedUpstream() as up:
            good = json_answer("hi").value
            assert isinstance(good, dict)
            up.plays(json_answer("hi"))
            config = {"providers": {"a": provider(up.base_url)}, "modelAliases": [alias("best", "a/m")]}
            with running(config) as served:
                assert served.post(chat("best")).json()["choices"] == good["choices"]


class TestWhatAProviderMayDo:
    """A provider is not trusted with the caller's eyes, with our threads, or with our word."""

    def test_it_may_repeat_its_key_and_the_caller_does_not_see_it(self) -> None:
        key = "canary-key-0123456789"
        error = {"message": f"wrong key {key}", "type": key, "param": key, "code": f"x {key}"}
        with ScriptedUpstream() as up:
            config = {
                "providers": {"a": provider(up.base_url, apiKey=key)},
                "modelAliases": [alias("best", "a/m")],
            }
            with running(config) as served:
                up.plays(Json(401, {"error": error}))
                whole = served.post(chat("best"))
                up.plays(Sse([*sse_events("one two")[:2], json.dumps({"error": error})]))
                streamed = served.post(chat("best", stream=True))
        assert up.requests[0].headers["authorization"] == f"Bearer {key}"
        assert whole.status_code == 401
        assert "***" in whole.text
        assert "***" in streamed.text
        assert key not in whole.text + streamed.text + str(whole.headers)

    def test_a_head_that_drips_is_over_at_the_deadline(self) -> None:
        may_end = threading.Event()

        def drip(request: Request) -> Iterator[Step]:
            yield Send(b"HTTP/1.1 200 OK\r\n")
            while not may_end.wait(0.05) and not request.client_gone.is_set():
                yield Send(b"x")

        with ScriptedUpstream() as up:
            up.answers(drip)  # type: ignore[arg-type]
            config = {
                "gateway": {"requestTimeoutSeconds": 0.5},
                "providers": {"a": provider(up.base_url)},
                "modelAliases": [alias("best", "a/m")],
            }
            with running(config) as served:
                reply = served.post(chat("best"))
                may_end.set()
        assert reply.status_code == 504
        assert error_of(reply)["code"] == "deadline_exceeded"
        assert reply.headers["x-gateway-attempts"] == "a/m=deadline_exceeded"

    def test_a_choice_that_never_came_is_missed(self) -> None:
        with ScriptedUpstream() as up:
            up.plays(Sse(sse_events("one")), Cut())
            config = {"providers": {"a": provider(up.base_url)}, "modelAliases": [alias("best", "a/m")]}
            with running(config) as served:
                reply = served.post(chat("best", stream=True, n=2))
        assert events(reply.text)[-1] != "[DONE]"
        assert "stream_interrupted" in reply.text

    def test_a_busy_minute_at_google_is_no_spent_quota(self) -> None:
        message = "You exceeded your current quota, please check your plan and billing details. Please retry in 27.9s."
        with ScriptedUpstream() as up:
            up.plays(Json(429, [{"error": {"code": 429, "message": message, "status": "RESOURCE_EXHAUSTED"}}]))
            config = {"providers": {"a": provider(up.base_url)}, "modelAliases": [alias("best", "a/m")]}
            with running(config) as served:
                reply = served.post(chat("best"))
        assert reply.status_code == 429
        assert reply.headers["retry-after"] == "28"

    def test_callers_that_wait_for_one_provider_do_not_stop_another(self) -> None:
        with ScriptedUpstream() as slow, ScriptedUpstream() as free:
            config = {
                "gateway": {"threads": 4},
                "providers": {"slow": provider(slow.base_url), "free": provider(free.base_url)},
                "rateLimits": [{"provider": "slow", "requestsPerMinute": 1, "maxQueueSize": 6, "maxWaitSeconds": 3600}],
            }
            with running(config) as served, ThreadPoolExecutor(6) as pool:
                assert served.post(chat("slow/m")).status_code == 200
                url = f"{served.url}/v1/chat/completions"
                waiting = [pool.submit(requests.post, url, json=chat("slow/m"), timeout=60) for _ in range(6)]
                limiter = served.gateway.runtime.limiters.of("slow")
                assert limiter is not None
                while limiter.waiting < 6:
                    threading.Event().wait(0.01)
                assert served.post(chat("free/m")).status_code == 200
                served.gateway.runtime.watchdog.cancel_queued()
                assert {each.result().status_code for each in waiting} == {503}
