"""The time limits of a call, which hold on both transports: names, trickles, and requests that are refused early."""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager

import pytest
import requests

from gateway.core.errors import GatewayError
from gateway.core.provider_failures import ConnectionFailed, ProviderTimeout
from gateway.upstream.cancellation import PendingResponse
from gateway.upstream.proxied.transport import plain_session
from gateway.upstream.transport import Transport
from tests.support.fakes import FakeClock
from tests.support.ports import open_listener
from tests.support.running import alias, chat, provider, running
from tests.support.transports import LONG, SHORT, Opening, chosen, everything, in_thread, open_stream, post, unwatched
from tests.support.upstream_script import Body, Head, ScriptedUpstream, Send, Stall, WaitFor


class Leaping(FakeClock):
    """Time in which every look takes 100 seconds."""

    def monotonic(self) -> float:
        self.advance(100.0)
        return super().monotonic()


# A provider that trickles ------------------------------------------------------------------------------------------


@pytest.fixture
def leaping(up: ScriptedUpstream, session_to: Opening) -> Iterator[Transport]:
    with closing(session_to(up.base_url, clock=Leaping())) as opened:
        yield opened


@pytest.mark.parametrize("begin", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nX: 1\r\n", b"H"])
def test_a_head_that_trickles_has_no_more_time_than_one_that_does_not_come(
    up: ScriptedUpstream, leaping: Transport, begin: bytes
) -> None:
    up.plays(Send(begin), Stall())
    with pytest.raises(ProviderTimeout):
        open_stream(leaping, up)


def test_framing_that_trickles_does_not_begin_a_read_anew(up: ScriptedUpstream, session_to: Opening) -> None:
    head_is_read = threading.Event()
    up.plays(Head(), WaitFor(head_is_read), Send(b"1"), Stall())
    with closing(session_to(up.base_url, clock=Leaping())) as session:
        stream = open_stream(session, up)
        head_is_read.set()  # or it would come with the head, and be no trickle
        with pytest.raises(ProviderTimeout):
            stream.read(LONG)
        stream.close()


def test_what_comes_in_time_is_no_trickle(up: ScriptedUpstream, session_to: Opening) -> None:
    up.plays(Head(framing=3), Body(b"o"), Body(b"n"), Body(b"e"))
    with closing(session_to(up.base_url)) as session:
        assert everything(open_stream(session, up)) == b"one"


def test_first_token_seconds_bounds_a_provider_that_trickles(
    up: ScriptedUpstream, behind_proxy: Callable[[ScriptedUpstream], str]
) -> None:
    """A whole answer that begins and goes on by blanks; another target answers the call."""
    up.plays(Head(framing=1_000_000_000), *[Send(b" ")] * 10, Stall())
    with ScriptedUpstream() as other:
        config = {
            "modelAliases": [alias("best", "slow/m", "other/m")],
            "providers": {
                "slow": provider(behind_proxy(up), timeouts={"firstTokenSeconds": 0.2}),
                "other": provider(other.base_url),
            },
        }
        with running(config) as gateway:
            reply = gateway.post(chat("best"))
            assert (reply.status_code, reply.headers["x-gateway-attempts"]) == (
                200,
                "slow/m=provider_timeout,other/m=200",
            )


@pytest.fixture(params=["direct", "proxied"])
def behind_proxy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[ScriptedUpstream], str]:
    """The address of an upstream that is asked directly, or plays a proxy."""

    def address(up: ScriptedUpstream) -> str:
        if request.param == "direct":
            return up.base_url
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("http_proxy", up.url)
        return "http://api.acme.invalid/v1"

    return address


# A request that is refused before its end --------------------------------------------------------------------------


@contextmanager
def refusing(answer: bytes) -> Iterator[str]:
    """A provider that reads the head of a request, answers, and stops reading. Its base address."""
    done = threading.Event()
    with open_listener() as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(100)
                connection.sendall(answer)
                assert done.wait(LONG)

        thread = in_thread(serve)
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        finally:
            done.set()
            thread.join(LONG)


def test_who_refuses_a_request_and_stops_reading_is_heard(session_to: Opening) -> None:
    answer = b"HTTP/1.1 413 Too Large\r\nContent-Length: 8\r\n\r\ntoo long"
    with refusing(answer) as url, closing(session_to(url, connect_seconds=SHORT)) as session:
        stream = session.post(post(url, bytes(50_000_000)), LONG, unwatched)
        assert (stream.status, everything(stream)) == (413, b"too long")


def test_who_only_stops_reading_is_given_up(session_to: Opening) -> None:
    with (
        refusing(b"") as url,
        closing(session_to(url, connect_seconds=SHORT)) as session,
        pytest.raises(ConnectionFailed) as caught,
    ):
        session.post(post(url, bytes(50_000_000)), LONG, unwatched)
    assert caught.value.message == "acme could not be reached (it took nothing more of the request for 0.05 s)."


# A resolver that hangs ---------------------------------------------------------------------------------------------


class Hanging:
    """The system's resolver, which does not answer for one name until the test ends."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self.asked = threading.Semaphore(0)
        self.let_go = threading.Event()
        system = socket.getaddrinfo

        def getaddrinfo(
            host: str, port: int, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
        ) -> Sequence[object]:
            if host == name and not flags:
                self.asked.release()
                assert self.let_go.wait(LONG)
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
            return system(host, port, family, type, proto, flags)

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    def end(self) -> None:
        self.let_go.set()
        for thread in [each for each in threading.enumerate() if each.name == "resolver"]:
            thread.join(LONG)


NAME = "hangs.invalid"


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hanging]:
    made = Hanging(monkeypatch, NAME)
    yield made
    made.end()


@pytest.fixture(params=["direct", "proxied"])
def unresolved(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, hanging: Hanging) -> str:
    """An address whose own name hangs, or that of the proxy before it."""
    for name in ("NO_PROXY", "no_proxy", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    if request.param == "direct":
        return f"http://{NAME}/v1"
    monkeypatch.setenv("http_proxy", f"http://{NAME}:3128")
    return "http://api.acme.invalid/v1"


def test_a_name_that_is_not_resolved_is_told(unresolved: str) -> None:
    with closing(chosen(unresolved, connect_seconds=SHORT)) as session, pytest.raises(ConnectionFailed) as caught:
        session.post(post(unresolved), LONG, unwatched)
    through = "" if NAME in unresolved else f" through the proxy {NAME}:3128 (http_proxy)"
    assert caught.value.message == (
        f"acme could not be reached{through}: the name was not resolved within 0.05 s; check the DNS of this machine."
    )


def test_a_login_waits_for_no_name_longer_than_for_a_connection(hanging: Hanging) -> None:
    with plain_session(f"http://{NAME}/token", {}) as session, pytest.raises(requests.ConnectionError):
        session.post(f"http://{NAME}/token", data=b"", timeout=(SHORT, LONG))
    assert hanging.asked.acquire(blocking=False) and not hanging.let_go.is_set()


def test_a_lookup_can_be_cut(unresolved: str, hanging: Hanging) -> None:
    waits: list[PendingResponse] = []
    failures: list[GatewayError] = []
    with closing(chosen(unresolved)) as session:

        def wait() -> None:
            try:
                session.post(post(unresolved), LONG, waits.append)
            except GatewayError as failure:
                failures.append(failure)

        thread = in_thread(wait)
        assert hanging.asked.acquire(timeout=LONG)
        waits[0].cancel()
        thread.join(LONG)
        assert [type(failure) for failure in failures] == [ConnectionFailed]


def test_the_next_target_answers_while_the_first_ones_name_hangs(
    up: ScriptedUpstream, unresolved: str, hanging: Hanging
) -> None:
    config = {
        "modelAliases": [alias("best", "hangs/m", "acme/m")],
        "providers": {
            "hangs": provider(unresolved, timeouts={"connectSeconds": 0.05}),
            "acme": provider(up.base_url),
        },
    }
    with running(config) as gateway:
        reply = gateway.post(chat("best"))
        attempts = "hangs/m=provider_unreachable,acme/m=200"
        assert (reply.status_code, reply.headers["x-gateway-attempts"]) == (200, attempts), "it is not asked twice"
        hanging.end()


def test_a_name_that_hangs_does_not_hold_up_the_drain(unresolved: str, hanging: Hanging) -> None:
    config = {
        "gateway": {"drainSeconds": 0},
        "modelAliases": [alias("best", "hangs/m")],
        "providers": {"hangs": provider(unresolved, timeouts={"connectSeconds": LONG})},
    }
    with running(config) as gateway:
        replies: list[int] = []
        thread = in_thread(lambda: replies.append(gateway.post(chat("best")).status_code))
        assert hanging.asked.acquire(timeout=LONG)
        gateway.gateway.drain()
        thread.join(LONG)
        assert replies == [503]
        hanging.end()
