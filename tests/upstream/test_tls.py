"""Calls over TLS, both ways: who is trusted, and that everything else is as it is without."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.core.errors import GatewayError
from gateway.core.provider_failures import ConnectionFailed, InvalidAnswer, ProviderTimeout
from gateway.upstream.cancellation import PendingResponse
from tests.support.ports import open_listener
from tests.support.tls import TRUSTED, server_context
from tests.support.transports import (
    LONG,
    SHORT,
    Opening,
    chosen,
    everything,
    forever,
    in_thread,
    open_stream,
    post,
    unwatched,
)
from tests.support.upstream_script import Body, Cut, Head, ScriptedUpstream, Stall, Status, WaitFor, json_answer
from tests.support.wine import no_wake_up


@pytest.fixture
def up() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream(server_context()) as upstream:
        yield upstream


def test_a_server_that_the_bundle_vouches_for_answers(up: ScriptedUpstream, session_to: Opening) -> None:
    body = bytes(300_000)
    with closing(session_to(up.base_url, environ=TRUSTED)) as session:
        for _ in range(3):
            up.plays(json_answer("hi"))
            everything(session.post(post(up.base_url, body), LONG, unwatched))
    assert [request.body for request in up.requests] == [body] * 3
    assert up.connections == 1


def test_a_name_is_asked_at_each_of_its_addresses(up: ScriptedUpstream, session_to: Opening) -> None:
    """`localhost` may be ::1 first, where nobody listens."""
    url = up.base_url.replace("127.0.0.1", "localhost")
    with closing(session_to(url, environ=TRUSTED)) as session:
        everything(session.post(post(url), LONG, unwatched))
    assert up.requests[0].headers["host"] == url.split("/")[2]


@pytest.mark.parametrize("environ", [{}, TRUSTED], ids=["unknown-authority", "other-name"])
def test_a_server_that_nobody_vouches_for_is_told_nothing(session_to: Opening, environ: dict[str, str]) -> None:
    name = "elsewhere" if environ else "here"
    with ScriptedUpstream(server_context(name)) as up, closing(session_to(up.base_url, environ=environ)) as session:
        with pytest.raises(ConnectionFailed) as caught:
            session.post(post(up.base_url), LONG, unwatched)
        assert caught.value.message.startswith("acme could not be reached: certificate of 127.0.0.1: ")
        assert up.requests == []


def test_a_folder_of_certificates_is_a_bundle_too(up: ScriptedUpstream, session_to: Opening, tmp_path: Path) -> None:
    root = ssl.create_default_context(cafile=TRUSTED["SSL_CERT_FILE"])
    assert len(root.get_ca_certs()) == 1
    # what `openssl rehash` would name it: the hash of the authority's name
    (tmp_path / "b24b0ffe.0").write_bytes(Path(TRUSTED["SSL_CERT_FILE"]).read_bytes())
    with closing(session_to(up.base_url, environ={"SSL_CERT_FILE": str(tmp_path)})) as session:
        everything(session.post(post(up.base_url), LONG, unwatched))


@no_wake_up
def test_a_stream_comes_piece_by_piece(up: ScriptedUpstream, session_to: Opening) -> None:
    go_on = threading.Event()
    with closing(session_to(up.base_url, environ=TRUSTED)) as session:
        up.plays(Body(b"one"), WaitFor(go_on), Body(b"two"))
        stream = open_stream(session, up)
        assert stream.read(LONG) == b"one"
        with pytest.raises(ProviderTimeout):
            open_silent(session_to, up)
        go_on.set()
        assert stream.read_all(100, forever()) == b"two"
        stream.close()
        everything(open_stream(session, up))
    assert up.connections == 2, "one for the silent answer, one for the rest"


def open_silent(session_to: Opening, up: ScriptedUpstream) -> None:
    """An answer that does not come in time."""
    up.plays(Stall())
    with closing(session_to(up.base_url, environ=TRUSTED)) as session:
        open_stream(session, up, SHORT)


def test_an_answer_larger_than_what_is_read_at_once_arrives(up: ScriptedUpstream, session_to: Opening) -> None:
    up.plays(Status(200, body=bytes(range(256)) * 4_000))
    with closing(session_to(up.base_url, environ=TRUSTED)) as session:
        stream = open_stream(session, up)
        assert stream.read_all(2_000_000, forever()) == bytes(range(256)) * 4_000
        stream.close()


def test_an_answer_that_breaks_off_is_broken(up: ScriptedUpstream, session_to: Opening) -> None:
    up.plays(Body(b"one"), Cut())
    with closing(session_to(up.base_url, environ=TRUSTED)) as session, pytest.raises(InvalidAnswer):
        everything(open_stream(session, up))


@pytest.mark.parametrize("begun", [False, True], ids=["head", "body"])
def test_a_cut_wakes_whoever_waits(up: ScriptedUpstream, session_to: Opening, begun: bool) -> None:
    up.plays(*((Head(), Body(b"one"), Stall()) if begun else (Stall(),)))
    waits: list[PendingResponse] = []
    failures: list[GatewayError] = []
    reads = threading.Event()
    with closing(session_to(up.base_url, environ=TRUSTED)) as session:

        def wait() -> None:
            try:
                stream = session.post(post(up.base_url), LONG, waits.append)
                cutting.append(stream.cancel)
                try:
                    stream.read(LONG)
                    reads.set()
                    stream.read(LONG)
                finally:
                    stream.close()
            except GatewayError as failure:
                failures.append(failure)

        cutting: list[Callable[[], None]] = []
        thread = in_thread(wait)
        asked = up.wait_for_requests(1)[0]
        assert not begun or reads.wait(LONG)
        cut = cutting[0] if begun else waits[0].cancel
        cut()
        thread.join(2.0)
        assert not thread.is_alive()
        assert [type(failure) for failure in failures] == [InvalidAnswer if begun else ConnectionFailed]
        assert asked.client_gone.wait(LONG)


@no_wake_up
def test_a_cut_ends_a_handshake_that_does_not_go_on() -> None:
    """Only over our own connections: requests does not tell its socket before it waits for an answer."""
    with open_listener() as mute:
        url = f"https://127.0.0.1:{mute.getsockname()[1]}/v1"
        waits: list[PendingResponse] = []
        failures: list[GatewayError] = []
        with closing(chosen(url, environ=TRUSTED)) as session:

            def wait() -> None:
                try:
                    session.post(post(url), LONG, waits.append)
                except GatewayError as failure:
                    failures.append(failure)

            thread = in_thread(wait)
            connection, _ = mute.accept()
            with connection:
                assert connection.recv(1) == b"\x16", "the handshake has begun"
                waits[0].cancel()
                thread.join(2.0)
                assert not thread.is_alive()
        assert [type(failure) for failure in failures] == [ConnectionFailed]
