"""Names are looked up on threads of their own: whoever waits can stop, and the last good addresses serve meanwhile."""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from gateway.core.clock import SystemClock
from gateway.net.resolver import REFRESH_SECONDS, REMEMBERED_SECONDS, Address, NotResolved, Resolver
from tests.support.fakes import FakeClock
from tests.support.transports import LONG, SHORT, in_thread

FIRST, SECOND = (("127.0.0.1", 1), ("127.0.0.1", 2))


def address(of: tuple[str, int]) -> Address:
    return (socket.AF_INET, socket.SOCK_STREAM, 6, "", of)


class Names:
    """A resolver's own resolver: it answers, fails, or hangs until it is let go."""

    def __init__(self) -> None:
        self.says: Sequence[Address] | Exception = [address(FIRST)]
        self.let_go = threading.Event()
        self.let_go.set()
        self.hanging = threading.Semaphore(0)
        self.lookups = 0

    def __call__(self, host: str, port: int) -> Sequence[Address]:
        self.lookups += 1
        says = self.says
        if not self.let_go.is_set():
            self.hanging.release()
            assert self.let_go.wait(LONG)
        if isinstance(says, Exception):
            raise says
        return says

    def hang(self, then: Sequence[Address] | Exception) -> None:
        self.let_go.clear()
        self.says = then


class HangingClock(FakeClock):
    """Time that passes only where the resolver hangs."""

    def __init__(self, names: Names) -> None:
        super().__init__()
        self._names = names

    def wait(self, condition: threading.Condition, timeout: float) -> bool:
        return condition.wait(LONG) if self._names.let_go.is_set() else super().wait(condition, timeout)


@pytest.fixture
def names() -> Iterator[Names]:
    made = Names()
    yield made
    made.let_go.set()


def unwatched(abandon: Callable[[], None]) -> None:
    """The test does not end this wait."""


def look_up(resolver: Resolver, seconds: float = LONG) -> Sequence[Address]:
    return resolver.addresses("acme.invalid", 443, seconds, unwatched)


def let_end(resolver: Resolver, names: Names) -> None:
    """Let the lookup that hangs end, and wait until it has."""
    names.let_go.set()
    for thread in [each for each in threading.enumerate() if each.name == "resolver"]:
        thread.join(LONG)


def test_each_connection_asks_anew(names: Names) -> None:
    resolver = Resolver(SystemClock(), names)
    assert look_up(resolver) == [address(FIRST)]
    names.says = [address(SECOND)]
    assert look_up(resolver) == [address(SECOND)]


@pytest.mark.parametrize("fault", [socket.gaierror(socket.EAI_NONAME, "no such name"), UnicodeError("label too long")])
def test_what_the_system_says_is_raised(names: Names, fault: Exception) -> None:
    names.says = fault
    with pytest.raises(type(fault)):
        look_up(Resolver(SystemClock(), names))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_address_needs_no_lookup(names: Names, host: str) -> None:
    found = Resolver(SystemClock(), names).addresses(host, 443, LONG, unwatched)
    assert (found[0][4][:2], names.lookups) == ((host, 443), 0)


def test_a_resolver_that_hangs_is_waited_for_no_longer_than_the_call_likes(names: Names) -> None:
    names.hang([address(FIRST)])
    with pytest.raises(NotResolved):
        look_up(Resolver(SystemClock(), names), SHORT)


def test_a_wait_can_be_ended_from_another_thread(names: Names) -> None:
    names.hang([address(FIRST)])
    abandons: list[Callable[[], None]] = []
    faults: list[Exception] = []

    def wait() -> None:
        try:
            Resolver(SystemClock(), names).addresses("acme.invalid", 443, LONG, abandons.append)
        except ConnectionAbortedError as fault:
            faults.append(fault)

    thread = in_thread(wait)
    assert names.hanging.acquire(timeout=LONG)
    abandons[0]()
    thread.join(LONG)
    assert len(faults) == 1


def test_a_wait_that_was_ended_before_it_began_does_not_begin(names: Names) -> None:
    names.hang([address(FIRST)])
    with pytest.raises(ConnectionAbortedError):
        Resolver(SystemClock(), names).addresses("acme.invalid", 443, LONG, lambda abandon: abandon())


def test_all_that_want_a_name_wait_for_one_lookup(names: Names) -> None:
    names.hang([address(FIRST)])
    resolver = Resolver(SystemClock(), names)
    found: list[Sequence[Address]] = []
    thread = in_thread(lambda: found.append(look_up(resolver)))
    assert names.hanging.acquire(timeout=LONG)
    for _ in range(3):
        with pytest.raises(NotResolved):
            look_up(resolver, SHORT)
    names.let_go.set()
    thread.join(LONG)
    assert (found, names.lookups) == ([[address(FIRST)]], 1)


def test_the_last_good_addresses_serve_while_a_refresh_hangs(names: Names) -> None:
    clock = HangingClock(names)
    resolver = Resolver(clock, names)
    assert look_up(resolver) == [address(FIRST)]
    names.hang([address(SECOND)])
    before = clock.monotonic()
    assert look_up(resolver) == [address(FIRST)]
    assert clock.monotonic() - before == pytest.approx(REFRESH_SECONDS)
    assert look_up(resolver) == [address(FIRST)]
    assert clock.monotonic() - before == pytest.approx(REFRESH_SECONDS), "what hangs already is not waited for"
    let_end(resolver, names)
    assert look_up(resolver) == [address(SECOND)]


def test_they_serve_for_a_minute(names: Names) -> None:
    clock = HangingClock(names)
    resolver = Resolver(clock, names)
    look_up(resolver)
    names.hang([address(SECOND)])
    clock.advance(REMEMBERED_SECONDS)
    with pytest.raises(NotResolved):
        look_up(resolver)


def test_they_serve_where_the_resolver_gives_up(names: Names) -> None:
    resolver = Resolver(SystemClock(), names)
    look_up(resolver)
    names.says = socket.gaierror(socket.EAI_AGAIN, "try again")
    assert look_up(resolver) == [address(FIRST)]


def test_they_do_not_serve_a_name_that_is_gone(names: Names) -> None:
    resolver = Resolver(SystemClock(), names)
    look_up(resolver)
    names.says = socket.gaierror(socket.EAI_NONAME, "no such name")
    with pytest.raises(socket.gaierror):
        look_up(resolver)


def test_a_system_without_a_thread_left_is_told(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none_left)
    with pytest.raises(OSError, match="no thread left"):
        look_up(Resolver(SystemClock(), names))
