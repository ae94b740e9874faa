"""Kept connections that end: the request goes once more on a fresh one, and nobody is blamed.

Through a whole gateway, directly and through a proxy. The provider's rate limit has exactly as many slots as there are
calls, so a slot that was taken twice would fail the last call.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

import pytest

from gateway.core.provider_failures import ConnectionFailed, ProviderTimeout
from gateway.routing.router import Target
from gateway.upstream.cancellation import PendingResponse
from gateway.upstream.transport import Transport
from tests.support.running import alias, chat, provider, running
from tests.support.transports import LONG, SHORT, Opening, everything, in_thread, open_stream, post, unwatched
from tests.support.upstream_script import (
    Cut,
    Request,
    Reset,
    ScriptedUpstream,
    Send,
    Stall,
    Status,
    Step,
    healthy,
)

FORWARDED = "http://api.acme.invalid/v1"
GOODBYE = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
ENDINGS: Mapping[str, Sequence[Step]] = {
    "closed": (Cut(),),
    "reset": (Reset(),),
    "408": (Send(GOODBYE), Cut()),
}


class Limited:
    """A provider that answers so many requests on a connection, and ends it when the next one comes."""

    def __init__(self, most: int, ending: Sequence[Step]) -> None:
        self._most = most
        self._ending = ending
        self._lock = threading.Lock()
        self._served: Counter[int] = Counter()
        self.executed = 0

    def __call__(self, request: Request) -> Sequence[Step]:
        with self._lock:
            if self._served[request.connection] == self._most:
                return self._ending
            self._served[request.connection] += 1
            self.executed += 1
        return healthy(request)


@pytest.fixture(params=["direct", "proxied"])
def endpoint(request: pytest.FixtureRequest, up: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch) -> str:
    """The provider's address, behind no proxy or behind one: then the upstream plays the proxy."""
    if request.param == "direct":
        return up.base_url
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", up.url)
    return FORWARDED


def one_target(endpoint: str, calls: int) -> dict[str, object]:
    return {
        "modelAliases": [alias("best", "acme/m")],
        "providers": {"acme": provider(endpoint)},
        "rateLimits": [{"provider": "acme", "requestsPerMinute": calls}],
    }


def serves(endpoint: str, calls: int) -> None:
    """Every call is answered at its first attempt, nothing is held against the target, and no slot is taken twice."""
    with running(one_target(endpoint, calls)) as gateway:
        for number in range(calls):
            reply = gateway.post(chat("best", stream=number % 2 == 1))
            assert (reply.status_code, reply.headers["x-gateway-attempts"]) == (200, "acme/m=200")
        status = gateway.gateway.runtime.health.describe(Target("acme", "m"))
        assert (status.state, status.failures) == ("closed", 0)
        assert gateway.post(chat("best")).status_code == 429, "each call has taken a slot"


@pytest.mark.parametrize("calls", [40, pytest.param(300, marks=pytest.mark.slow)])
@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_a_provider_that_ends_each_kept_connection_as_the_next_request_comes(
    up: ScriptedUpstream, endpoint: str, ending: Sequence[Step], calls: int
) -> None:
    acme = Limited(1, ending)
    up.answers(acme)
    serves(endpoint, calls)
    assert acme.executed == calls, "none ran twice"


@pytest.mark.parametrize("most", [30, pytest.param(300, marks=pytest.mark.slow)])
@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_a_provider_with_a_limit_of_requests_a_connection(
    up: ScriptedUpstream, endpoint: str, ending: Sequence[Step], most: int
) -> None:
    acme = Limited(most, ending)
    up.answers(acme)
    serves(endpoint, most + 2)
    assert (acme.executed, up.connections) == (most + 2, 2)


# What is not repeated ----------------------------------------------------------------------------------------------


@pytest.fixture
def session(up: ScriptedUpstream, session_to: Opening) -> Iterator[Transport]:
    with closing(session_to(up.base_url)) as opened:
        everything(open_stream(opened, up))  # from now on it has a kept connection
        yield opened


@pytest.mark.parametrize("ending", [Cut(), Reset()], ids=["closed", "reset"])
def test_a_fresh_connection_is_not_repeated(up: ScriptedUpstream, session_to: Opening, ending: Step) -> None:
    up.plays(ending)
    with closing(session_to(up.base_url)) as session, pytest.raises(ConnectionFailed):
        open_stream(session, up)
    assert len(up.requests) == 1


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_it_is_repeated_once_and_not_twice(up: ScriptedUpstream, session: Transport, ending: Sequence[Step]) -> None:
    up.plays(*ending)
    up.plays(Cut())
    with pytest.raises(ConnectionFailed):
        open_stream(session, up)
    assert [request.connection for request in up.requests] == [0, 0, 1]


def test_what_has_begun_to_answer_is_not_repeated(up: ScriptedUpstream, session: Transport) -> None:
    up.plays(Send(b"HTTP/1.1 2"), Cut())
    with pytest.raises(ConnectionFailed):
        everything(open_stream(session, up))
    assert len(up.requests) == 2


def test_what_is_silent_for_too_long_is_not_repeated(up: ScriptedUpstream, session: Transport) -> None:
    up.plays(Stall())
    with pytest.raises(ProviderTimeout):
        open_stream(session, up, SHORT)
    assert len(up.requests) == 2


def test_a_408_that_keeps_the_connection_is_an_answer(up: ScriptedUpstream, session: Transport) -> None:
    up.plays(Status(408, body=b"your prompt took too long"))
    stream = open_stream(session, up)
    assert (stream.status, everything(stream)) == (408, b"your prompt took too long")
    assert len(up.requests) == 2


def test_a_408_on_a_fresh_connection_is_an_answer(up: ScriptedUpstream, session_to: Opening) -> None:
    up.plays(Send(GOODBYE), Cut())
    with closing(session_to(up.base_url)) as session:
        stream = open_stream(session, up)
        assert (stream.status, everything(stream)) == (408, b"")
    assert len(up.requests) == 1


def test_a_call_that_was_cut_is_not_repeated(up: ScriptedUpstream, session: Transport) -> None:
    up.plays(Stall())
    waits: list[PendingResponse] = []
    failures: list[ConnectionFailed] = []

    def wait() -> None:
        try:
            session.post(post(up.base_url), LONG, waits.append)
        except ConnectionFailed as failure:
            failures.append(failure)

    thread = in_thread(wait)
    up.wait_for_requests(2)
    waits[0].cancel()
    thread.join(LONG)
    assert len(failures) == 1 and len(up.requests) == 2


def test_it_leaves_for_the_rate_limit_once(up: ScriptedUpstream, session: Transport) -> None:
    up.plays(Cut())
    left: list[None] = []
    everything(session.post(post(up.base_url), LONG, unwatched, lambda: left.append(None)))
    assert (len(left), len(up.requests)) == (1, 3)


def test_the_answer_has_the_time_that_is_left(up: ScriptedUpstream, session: Transport) -> None:
    up.plays(Cut())
    up.plays(Stall())
    with pytest.raises(ProviderTimeout):
        open_stream(session, up, SHORT)
