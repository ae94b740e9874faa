"""Connections that outlive the configuration whose calls have opened them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.core.no_op import no_op
from gateway.upstream.byte_stream import ByteStream
from gateway.upstream.cancellation import PendingResponse
from gateway.upstream.session import SharedTransports, UpstreamSession
from gateway.upstream.transport import HttpRequest
from tests.support.transports import LONG
from tests.support.upstream_script import ScriptedUpstream, json_answer


class Thing:
    """A transport that counts how often it is closed."""

    def __init__(self) -> None:
        self.closed = 0

    def post(
        self,
        request: HttpRequest,
        timeout: float,
        on_wait: Callable[[PendingResponse], None],
        on_sent: Callable[[], None] = no_op,
    ) -> ByteStream:
        raise AssertionError("nothing is sent")

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def made() -> list[Thing]:
    return []


@pytest.fixture
def make(made: list[Thing]) -> Callable[[], Thing]:
    def make() -> Thing:
        made.append(Thing())
        return made[-1]

    return make


def test_the_last_lease_closes_it_and_each_counts_once(made: list[Thing], make: Callable[[], Thing]) -> None:
    shared = SharedTransports()
    first, second = shared.lease("a", make), shared.lease("a", make)
    assert first.transport is second.transport
    for _ in range(3):
        first.close()
    assert (made[0].closed, len(shared)) == (0, 1)
    second.close()
    assert (made[0].closed, len(shared)) == (1, 0)
    third = shared.lease("a", make)
    assert third.transport is not second.transport
    third.close()


def test_other_settings_have_their_own(made: list[Thing], make: Callable[[], Thing]) -> None:
    shared = SharedTransports()
    leases = [shared.lease(key, make) for key in ("a", "b")]
    assert len(made) == 2
    for each in leases:
        each.close()
    assert [each.closed for each in made] == [1, 1]


def test_one_that_cannot_be_made_leaves_nothing(make: Callable[[], Thing]) -> None:
    shared = SharedTransports()

    def fail() -> Thing:
        raise OSError("no such file of certificates")

    with pytest.raises(OSError, match="certificates"):
        shared.lease("a", fail)
    assert len(shared) == 0
    shared.lease("a", make).close()


def test_a_session_goes_on_with_the_connections_of_the_one_before(tmp_path: Path) -> None:
    bundle = tmp_path / "company.pem"
    environ = {"SSL_CERT_FILE": str(bundle)}
    shared = SharedTransports()

    def session(endpoint: str, seconds: float = LONG) -> UpstreamSession:
        return UpstreamSession("acme", endpoint, pool_size=4, connect_seconds=seconds, environ=environ, shared=shared)

    with ScriptedUpstream() as up:
        up.answers(lambda _: (json_answer("hi"),))

        def ask(asked: UpstreamSession) -> int:
            body = asked.post(HttpRequest(f"{up.base_url}/x", {}, b"{}"), LONG, lambda _: None)
            body.read_all(1 << 16, iter([LONG] * 99))
            body.close()
            return up.connections

        before = session(up.base_url)
        assert ask(before) == 1
        after = session(up.base_url)
        before.close()
        assert ask(after) == 1
        for endpoint, seconds in ((up.base_url, 3.0), (f"{up.base_url}/v2", LONG)):
            other = session(endpoint, seconds)
            assert len(shared) == 2
            other.close()
        bundle.write_text("a certificate more")  # what TLS trusts has changed
        fresh = session(up.base_url)
        assert len(shared) == 2
        fresh.close()
        after.close()
        assert len(shared) == 0
