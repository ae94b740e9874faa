"""Connections to a provider, on real sockets: nothing happens by itself, and every way to break has its failure."""

import gzip
import http.client
import logging
import os
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from gateway.core.errors import GatewayError
from gateway.core.provider_failures import ConnectionFailed, InvalidAnswer, ProviderTimeout
from gateway.net.sockets import plain, shut_down
from gateway.upstream.cancellation import PendingResponse
from gateway.upstream.transport import HttpRequest, Transport
from tests.support.ports import free_port, open_listener
from tests.support.transports import (
    KEY,
    LONG,
    SHORT,
    Opening,
    everything,
    forever,
    in_thread,
    open_stream,
    post,
    through_requests,
    unwatched,
)
from tests.support.upstream_script import (
    Body,
    Cut,
    Head,
    Json,
    Request,
    Reset,
    ScriptedUpstream,
    Send,
    Stall,
    Status,
    Step,
    WaitFor,
    json_answer,
)


@pytest.fixture
def session(up: ScriptedUpstream, session_to: Opening) -> Iterator[Transport]:
    with closing(session_to(up.base_url)) as opened:
        yield opened


def says_nothing_private(failure: GatewayError, up: ScriptedUpstream) -> bool:
    port = up.url.rpartition(":")[2]
    texts = (str(failure), repr(failure), failure.message)
    return not any(part in text for text in texts for part in ("127.0.0.1", port, "http", KEY, "/v1", "Bearer"))


# What is sent ------------------------------------------------------------------------------------------------------


def test_a_call_goes_out_as_it_was_given(up: ScriptedUpstream, session: Transport) -> None:
    body = b'{"model": "\xc3\xa9"}'
    everything(session.post(post(up.base_url, body), LONG, unwatched))
    (request,) = up.requests
    assert (request.method, request.path, request.body) == ("POST", "/v1/chat/completions", body)
    assert request.headers["user-agent"] == "Test/1"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["content-length"] == str(len(body))
    assert "transfer-encoding" not in request.headers


def test_the_name_goes_out_with_every_call(up: ScriptedUpstream, session: Transport) -> None:
    for number in range(3):
        everything(session.post(HttpRequest(up.base_url, {"User-Agent": f"Test/{number}"}, b""), LONG, unwatched))
    assert [request.headers["user-agent"] for request in up.requests] == ["Test/0", "Test/1", "Test/2"]


def test_a_netrc_file_takes_nothing_over(
    up: ScriptedUpstream, session: Transport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (".netrc", "_netrc"):
        (tmp_path / name).write_text("machine 127.0.0.1 login thief password stolen\n")
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    everything(open_stream(session, up))
    everything(session.post(HttpRequest(up.base_url, {"User-Agent": "Test/1"}, b""), LONG, unwatched))
    with_key, without = up.requests
    assert with_key.headers["authorization"] == f"Bearer {KEY}"
    assert "authorization" not in without.headers


def test_a_cookie_is_not_replayed(up: ScriptedUpstream, session: Transport) -> None:
    up.plays(Status(200, [("Set-Cookie", "session=abc; Path=/"), ("Set-Cookie", "b=c")], b"{}"))
    everything(open_stream(session, up))
    everything(open_stream(session, up))
    assert "cookie" not in up.requests[1].headers


def test_a_proxy_is_not_used_for_this_machine(
    up: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch, session_to: Opening
) -> None:
    with ScriptedUpstream() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        with closing(session_to(up.base_url)) as session:
            everything(open_stream(session, up))
        assert (len(up.requests), len(proxy.requests)) == (1, 0)


def test_a_proxy_is_used_for_another_machine(monkeypatch: pytest.MonkeyPatch, session_to: Opening) -> None:
    with ScriptedUpstream() as proxy:
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        with closing(session_to("http://api.acme.invalid/v1")) as session:
            everything(session.post(post("http://api.acme.invalid/v1"), LONG, unwatched))
        assert proxy.requests[0].path == "http://api.acme.invalid/v1/chat/completions"


def test_a_body_leaves_in_pieces_so_that_its_time_limit_is_one_of_progress(
    up: ScriptedUpstream, session: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    theirs, ours = http.client.HTTPConnection.send, socket.socket.send

    def noted(connection: http.client.HTTPConnection, data: bytes) -> None:
        sizes.append(len(data))
        theirs(connection, data)

    def noted_too(connection: socket.socket, data: bytes) -> int:
        sizes.append(len(data))
        return ours(connection, data)

    monkeypatch.setattr(http.client.HTTPConnection, "send", noted)
    monkeypatch.setattr(socket.socket, "send", noted_too, raising=False)
    if sys.platform != "win32":  # which has no sendmsg
        both = socket.socket.sendmsg

        def noted_both(connection: socket.socket, data: Sequence[bytes]) -> int:
            sizes.extend(map(len, data))
            return both(connection, data)

        monkeypatch.setattr(socket.socket, "sendmsg", noted_both, raising=False)
    body = os.urandom(3_000_000)
    everything(session.post(post(up.base_url, body), LONG, unwatched))
    assert up.requests[0].body == body
    assert up.requests[0].headers["content-length"] == "3000000"
    assert max(sizes) <= 262_144


# The head ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_status_and_not_followed(up: ScriptedUpstream, session: Transport, status: int) -> None:
    with ScriptedUpstream() as elsewhere:
        up.plays(Status(status, {"Location": f"{elsewhere.url}/steal"}, b"moved"))
        stream = open_stream(session, up)
        assert (stream.status, everything(stream)) == (status, b"moved")
        assert elsewhere.requests == []
    assert len(up.requests) == 1


@pytest.mark.parametrize("location", ["http://[", "//", "\x7f", "http://a:b:c/", "x" * 5_000, "http://\u00e9\u00e9/"])
def test_where_a_redirect_points_is_not_even_looked_at(up: ScriptedUpstream, session: Transport, location: str) -> None:
    up.plays(Status(307, {"Location": location}, b"moved"))
    stream = open_stream(session, up)
    assert (stream.status, everything(stream)) == (307, b"moved")


def test_the_body_of_a_redirect_is_not_waited_for(up: ScriptedUpstream, session: Transport) -> None:
    up.plays(Head(302, {"Location": "/elsewhere"}), Body(b"x"), Stall())
    stream = open_stream(session, up)
    assert stream.status == 302
    stream.close()
    assert up.requests[0].client_gone.wait(LONG)


def test_status_and_headers_come_with_the_stream(up: ScriptedUpstream, session: Transport) -> None:
    up.plays(Status(429, {"Retry-After": "7", "X-RateLimit-Left": "0"}, b"slow down"))
    stream = open_stream(session, up)
    assert (stream.status, stream.headers["retry-after"], stream.headers["x-ratelimit-left"]) == (429, "7", "0")
    assert everything(stream) == b"slow down"


def test_a_refused_connection_is_a_connection_that_failed(up: ScriptedUpstream, session_to: Opening) -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    with closing(session_to(url)) as session, pytest.raises(ConnectionFailed) as caught:
        session.post(post(url), LONG, unwatched)
    assert caught.value.message.startswith("acme could not be reached (")
    assert url.rpartition(":")[2].partition("/")[0] not in caught.value.message
    assert says_nothing_private(caught.value, up)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_name_that_nobody_has_is_a_connection_that_failed(up: ScriptedUpstream, session_to: Opening) -> None:
    url = "http://nobody.invalid/v1"
    with closing(session_to(url)) as session, pytest.raises(ConnectionFailed) as caught:
        session.post(post(url), LONG, unwatched)
    assert "nobody.invalid" not in caught.value.message
    assert says_nothing_private(caught.value, up)


@pytest.mark.parametrize(
    "steps",
    [
        (Reset(),),
        (Cut(),),
        (Send(b"SSH-2.0-OpenSSH_9.6\r\n"), Cut()),
        (Send(b"HTTP/1.1 abc OK\r\n\r\n"), Cut()),
        (Send(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n"), Cut()),
        (Send(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n"), Cut()),
    ],
    ids=["reset", "closed", "not-http", "bad-status", "long-header", "many-headers"],
)
def test_what_breaks_before_the_head_is_complete_is_a_connection_that_failed(
    up: ScriptedUpstream, session: Transport, steps: Sequence[Step]
) -> None:
    up.plays(*steps)
    with pytest.raises(ConnectionFailed) as caught:
        open_stream(session, up)
    assert says_nothing_private(caught.value, up)


def test_a_head_that_was_cut_is_at_most_an_empty_answer(
    up: ScriptedUpstream, session: Transport, session_to: Opening
) -> None:
    up.plays(Send(b"HTTP/1.1 200 OK\r\nContent-"), Cut())
    if session_to is through_requests:
        assert everything(open_stream(session, up)) == b""  # http.client takes what there is of a head for all of it
    else:
        with pytest.raises(ConnectionFailed, match="inside the head of its answer"):
            open_stream(session, up)


def test_tls_to_a_server_that_has_none_is_a_connection_that_failed(up: ScriptedUpstream, session_to: Opening) -> None:
    url = up.base_url.replace("http://", "https://")
    up.close()
    with open_listener() as server:
        url = f"https://127.0.0.1:{server.getsockname()[1]}/v1"

        def greet() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1_000)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        greeter = in_thread(greet)
        with closing(session_to(url)) as session, pytest.raises(ConnectionFailed, match="TLS handshake") as caught:
            session.post(post(url), LONG, unwatched)
        greeter.join(LONG)
    assert KEY not in caught.value.message


def test_no_head_in_time_is_silence(up: ScriptedUpstream, session: Transport) -> None:
    up.plays(Stall())
    with pytest.raises(ProviderTimeout) as caught:
        open_stream(session, up, SHORT)
    assert says_nothing_private(caught.value, up)
    assert up.requests[0].client_gone.wait(LONG), "its connection is closed"


@pytest.mark.parametrize("value", ["Bearer k\r\nX-Evil: 1", "Bearer k\n", "Bearer \u2026", " Bearer k", "\ud800"])
def test_a_header_that_cannot_be_sent_is_a_failure_that_does_not_quote_it(
    up: ScriptedUpstream, session: Transport, value: str
) -> None:
    with pytest.raises(ConnectionFailed) as caught:
        session.post(HttpRequest(up.base_url, {"User-Agent": "T/1", "Authorization": value}, b""), LONG, unwatched)
    assert "Bearer" not in caught.value.message
    assert up.requests == []


# The wait for the head ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [False, True], ids=["new-connection", "kept-connection"])
def test_a_cut_ends_the_wait_for_the_head(up: ScriptedUpstream, session: Transport, kept: bool) -> None:
    if kept:
        everything(open_stream(session, up))
    up.plays(Stall())
    waits: list[PendingResponse] = []
    failures: list[GatewayError] = []

    def wait() -> None:
        try:
            session.post(post(up.base_url), LONG, waits.append)
        except GatewayError as failure:
            failures.append(failure)

    thread = in_thread(wait)
    asked = up.wait_for_requests(2 if kept else 1)[-1]
    waits[0].cancel()
    thread.join(2.0)
    assert not thread.is_alive()
    assert [type(failure) for failure in failures] == [ConnectionFailed]
    assert asked.client_gone.wait(LONG)
    assert up.connections == 1


def test_a_cut_before_the_wait_begins_ends_it_at_once(up: ScriptedUpstream, session: Transport) -> None:
    up.plays(Stall())
    with pytest.raises(ConnectionFailed):
        session.post(post(up.base_url), LONG, PendingResponse.cancel)


def test_a_wait_that_is_over_cuts_nothing(up: ScriptedUpstream, session: Transport) -> None:
    waits: list[PendingResponse] = []
    everything(session.post(post(up.base_url), LONG, waits.append))
    go_on = threading.Event()
    up.plays(Body(b"one"), WaitFor(go_on), Body(b"two"))
    stream = open_stream(session, up)
    waits[0].cancel()
    go_on.set()
    assert everything(stream) == b"onetwo"
    assert up.connections == 1


# The body ----------------------------------------------------------------------------------------------------------


def test_a_read_gives_what_has_come_without_waiting_for_more(up: ScriptedUpstream, session: Transport) -> None:
    go_on = threading.Event()
    up.plays(Body(b"one"), WaitFor(go_on), Body(b"two"))
    stream = open_stream(session, up)
    assert stream.read(LONG) == b"one"
    go_on.set()
    assert stream.read(LONG) == b"two"
    assert stream.read(LONG) == b""
    assert stream.read(LONG) == b"", "an end stays an end"
    stream.close()


@pytest.mark.parametrize(
    "steps",
    [
        (Body(b"one"), Cut()),
        (Body(b"one"), Cut(b"part of a chunk")),
        (Head(200, framing=100), Body(b"one"), Cut()),
        (Body(b"one"), Send(b"this is no chunk size\r\n"), Cut()),
        (Head(200, {"Content-Encoding": "gzip"}), Body(b"this is not gzip at all, is it?")),
        (Body(b"one"), Reset()),
    ],
    ids=["between-chunks", "inside-a-chunk", "before-content-length", "bad-chunk", "bad-gzip", "reset"],
)
def test_a_cut_in_the_body_is_a_broken_answer(up: ScriptedUpstream, session: Transport, steps: Sequence[Step]) -> None:
    up.plays(*steps)
    stream = open_stream(session, up)
    with pytest.raises(InvalidAnswer) as caught:
        everything(stream)
    assert says_nothing_private(caught.value, up)
    everything(open_stream(session, up))
    assert up.connections == 2, "a broken connection does not serve again"


def test_silence_in_the_body_ends_after_the_time_of_that_read(up: ScriptedUpstream, session: Transport) -> None:
    up.plays(Body(b"one"), Stall())
    stream = open_stream(session, up)
    assert stream.read(LONG) == b"one"
    failures: list[GatewayError] = []

    def read() -> None:
        try:
            stream.read(SHORT)
        except GatewayError as failure:
            failures.append(failure)

    reader = in_thread(read)
    reader.join(LONG / 2)
    assert [type(failure) for failure in failures] == [ProviderTimeout], (
        "the long silence of the read before does not count"
    )
    assert "acme was silent" in failures[0].message
    assert says_nothing_private(failures[0], up)
    stream.close()
    assert up.requests[0].client_gone.wait(LONG)


def test_each_read_has_a_time_of_its_own(
    up: ScriptedUpstream, session: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_to: list[float | None] = []
    settimeout = socket.socket.settimeout

    def noted(each: socket.socket, timeout: float | None) -> None:
        set_to.append(timeout)
        settimeout(each, timeout)

    go_on = [threading.Event() for _ in range(3)]
    up.plays(Head(), *(step for event in go_on for step in (WaitFor(event), Body(b"x"))))
    stream = open_stream(session, up, timeout=11.0)
    monkeypatch.setattr(socket.socket, "settimeout", noted, raising=False)
    for event, timeout in zip(go_on, (7.0, 0.5, 13.0), strict=True):
        event.set()
        stream.read(timeout)
    assert set_to == [7.0, 0.5, 13.0]
    stream.close()


def test_no_time_left_is_silence_and_not_an_endless_wait(up: ScriptedUpstream, session: Transport) -> None:
    up.plays(Head(), Stall())
    stream = open_stream(session, up)
    with pytest.raises(ProviderTimeout):
        stream.read(0.0)
    stream.close()


@pytest.mark.parametrize("framing", ["chunked", "close", 3_000])
def test_an_answer_larger_than_its_limit_is_refused(
    up: ScriptedUpstream, session: Transport, framing: int | str
) -> None:
    head = Head(200, framing=3_000) if isinstance(framing, int) else Head(200, framing="chunked")
    up.plays(head, *[Body(b"x" * 1_000)] * 3)
    stream = open_stream(session, up)
    with pytest.raises(InvalidAnswer, match="more than 2000 bytes"):
        stream.read_all(2_000, forever())
    stream.close()


def test_an_answer_of_exactly_the_limit_is_read(up: ScriptedUpstream, session: Transport) -> None:
    up.plays(Status(200, body=b"x" * 2_000))
    stream = open_stream(session, up)
    assert stream.read_all(2_000, forever()) == b"x" * 2_000
    stream.close()


def test_a_compressed_answer_counts_as_what_it_unpacks_to(up: ScriptedUpstream, session: Transport) -> None:
    up.plays(Status(200, {"Content-Encoding": "gzip"}, gzip.compress(b"hello " * 10)))
    assert everything(open_stream(session, up)) == b"hello " * 10
    up.plays(Status(200, {"Content-Encoding": "gzip"}, gzip.compress(bytes(50_000_000))))
    stream = open_stream(session, up)
    with pytest.raises(InvalidAnswer, match="more than 1000000 bytes"):
        stream.read_all(1_000_000, forever())
    stream.close()


# Keeping and closing the connection --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "steps", [(json_answer("hi"),), (Body(b"one"), Body(b"two")), (Status(500, body=b""),), (Status(204),)]
)
def test_a_connection_serves_again_after_a_complete_answer(
    up: ScriptedUpstream, session: Transport, steps: Sequence[Step]
) -> None:
    for _ in range(3):
        up.plays(*steps)
        everything(open_stream(session, up))
    assert up.connections == 1


def test_a_connection_serves_again_after_finish(up: ScriptedUpstream, session: Transport) -> None:
    for _ in range(3):
        up.plays(Body(b"data: [DONE]\n\n"))
        stream = open_stream(session, up)
        assert stream.read(LONG) == b"data: [DONE]\n\n", "and the end of the body is not read yet"
        stream.finish()
        stream.close()
    assert up.connections == 1


def test_finish_gives_up_on_a_provider_that_does_not_end(up: ScriptedUpstream, session: Transport) -> None:
    up.plays(Body(b"data: [DONE]\n\n"), Stall())
    stream = open_stream(session, up)
    stream.read(LONG)
    stream.finish()
    stream.close()
    assert up.requests[0].client_gone.wait(LONG)


def test_finish_gives_up_on_a_provider_that_sends_on_and_on(up: ScriptedUpstream, session: Transport) -> None:
    up.plays(Head(), *[Body(b"x" * 65_536)] * 2_000)
    stream = open_stream(session, up)
    finished = threading.Event()

    def finish() -> None:
        stream.finish()
        finished.set()

    in_thread(finish)
    assert finished.wait(LONG)
    stream.close()
    assert up.requests[0].client_gone.wait(LONG)


def test_close_in_the_middle_ends_the_connection(up: ScriptedUpstream, session: Transport) -> None:
    up.plays(Body(b"one"), Stall())
    stream = open_stream(session, up)
    assert stream.read(LONG) == b"one"
    stream.close()
    assert up.requests[0].client_gone.wait(LONG)
    everything(open_stream(session, up))
    assert up.connections == 2


def test_close_before_anything_was_read_ends_the_connection(up: ScriptedUpstream, session: Transport) -> None:
    up.plays(Head(), Stall())
    open_stream(session, up).close()
    assert up.requests[0].client_gone.wait(LONG)


def test_close_is_idempotent_and_never_touches_the_next_call(up: ScriptedUpstream, session: Transport) -> None:
    first = open_stream(session, up)
    everything(first)
    go_on = threading.Event()
    up.plays(Body(b"one"), WaitFor(go_on), Body(b"two"))
    second = open_stream(session, up)
    assert up.connections == 1
    first.close()
    first.cancel()
    first.finish()
    go_on.set()
    assert second.read_all(100, forever()) == b"onetwo"
    second.close()
    second.close()


def test_a_read_after_close_fails_or_ends(up: ScriptedUpstream, session: Transport) -> None:
    up.plays(Body(b"one"), Stall())
    stream = open_stream(session, up)
    stream.close()
    try:
        assert stream.read(LONG) == b""
    except InvalidAnswer as failure:
        assert says_nothing_private(failure, up)


def test_the_connection_stays_the_streams_until_it_is_closed(up: ScriptedUpstream, session: Transport) -> None:
    first = open_stream(session, up)
    first.read_all(1 << 20, forever())
    everything(open_stream(session, up))
    assert up.connections == 2, "the body has ended, but whoever holds the first may still cut it"
    first.close()
    everything(open_stream(session, up))
    everything(open_stream(session, up))
    assert up.connections == 2


@pytest.mark.parametrize("framing", ["chunked", "close", "length"])
def test_a_cut_from_another_thread_wakes_a_blocked_read(up: ScriptedUpstream, session: Transport, framing: str) -> None:
    heads = {"chunked": Head(), "close": Head(framing="close"), "length": Head(framing=1_000)}
    up.plays(heads[framing], Body(b"one"), Stall())
    stream = open_stream(session, up)
    assert stream.read(LONG) == b"one"
    failures: list[GatewayError] = []
    woken = threading.Event()

    def read() -> None:
        try:
            stream.read(LONG)
        except GatewayError as failure:
            failures.append(failure)
        woken.set()

    reader = in_thread(read)
    stream.cancel()
    assert woken.wait(2.0), "the read still blocks"
    reader.join(LONG)
    assert [type(failure) for failure in failures] == [InvalidAnswer], "a cut never looks like the end of the answer"
    stream.close()
    assert up.requests[0].client_gone.wait(LONG)
    everything(open_stream(session, up))


def test_a_connection_that_was_cut_after_its_body_does_not_serve_again(
    up: ScriptedUpstream, session: Transport
) -> None:
    stream = open_stream(session, up)
    stream.read_all(1 << 20, forever())
    stream.cancel()
    stream.close()
    everything(open_stream(session, up))
    assert up.connections == 2


def test_a_cut_while_the_head_is_being_read_is_seen_at_the_first_read(up: ScriptedUpstream, session: Transport) -> None:
    up.plays(Head(framing="close"), Stall())
    stream = open_stream(session, up)
    stream.cancel()
    with pytest.raises(InvalidAnswer):
        stream.read(LONG)
    stream.close()


def test_the_pool_keeps_as_many_connections_as_it_was_told(
    up: ScriptedUpstream, caplog: pytest.LogCaptureFixture, session_to: Opening
) -> None:
    size = 12
    together = threading.Barrier(size, timeout=LONG)

    def meet(request: Request) -> Sequence[Step]:
        together.wait()
        return (Json(200, {}),)

    up.answers(meet)
    with caplog.at_level(logging.DEBUG), closing(session_to(up.base_url, pool_size=size)) as session:
        for _ in range(3):
            threads = [in_thread(lambda: everything(open_stream(session, up))) for _ in range(size)]
            for thread in threads:
                thread.join(LONG)
    assert len(up.requests) == 3 * size
    assert up.connections == size
    assert not [record for record in caplog.records if "pool is full" in record.getMessage()]


def test_closing_the_session_ends_idle_connections(up: ScriptedUpstream, session_to: Opening) -> None:
    session = session_to(up.base_url)
    everything(open_stream(session, up))
    session.close()
    session.close()
    everything(open_stream(session, up))
    assert up.connections == 2
    session.close()


# Certificates ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_a_ca_bundle_that_is_not_there_is_named_with_its_variable(
    name: str, tmp_path: Path, session_to: Opening
) -> None:
    url = "https://127.0.0.1:9/v1"
    environ = {name: str(tmp_path / "missing.pem")}
    with closing(session_to(url, environ=environ)) as session, pytest.raises(ConnectionFailed) as caught:
        session.post(post(url), LONG, unwatched)
    assert f"{name}={environ[name]} cannot be read" in caught.value.message


def test_a_connection_inside_a_proxys_tls_is_shut_down_by_its_own_socket() -> None:
    """There urllib3 wraps the socket in an object that is none; taking it for one ended the thread that cuts."""

    class Wrapped:
        def __init__(self, inner: socket.socket) -> None:
            self.socket = inner

    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert plain(ours) is ours
        shut_down(Wrapped(ours))  # type: ignore[arg-type]
        assert theirs.recv(1) == b""
    with pytest.raises(TypeError, match="no socket"):
        plain(object())
