"""The contract of Slots over a real server: waiting in one line, every unit, and what a reload does."""

import threading
from contextlib import closing

import pytest

from gateway.config.rate_limit import RateLimit
from gateway.core.answer import Usage
from gateway.core.clock import SystemClock
from gateway.core.errors import DeadlineExceeded, Limited, RequestTooLargeForLimit
from gateway.limits.rate_limiter import RateLimiter
from gateway.limits.rate_limiters import RateLimiters
from gateway.limits.redis_engine import RedisEngine
from gateway.limits.redis_rows import RedisTicket
from gateway.limits.slots import MINUTE, Need, Refused, Terms, Wait
from gateway.limits.slots_commands import script_text
from gateway.sharing.address import RedisAddress
from gateway.sharing.redis_link import RedisLink
from gateway.sharing.script import Script, plain
from gateway.sharing.shared_server import SharedServer
from tests.support.fleet import Fleet, SharingGateway
from tests.support.redis_server import RedisServer, needs_redis

pytestmark = needs_redis

FOR_EVER = float("inf")
QUEUE = Terms(queue=True)


def of(gateway: SharingGateway, model: str = "m") -> RateLimiter:
    limiter = gateway.limiters.of("p", model)
    assert limiter is not None
    return limiter


def patient(requests: int = 1, *, provider: str = "p", max_queue: int = 50) -> RateLimit:
    """A row for whose room a call waits as long as it takes."""
    return RateLimit(provider=provider, requests_per_minute=requests, max_queue_size=max_queue, max_wait_seconds=1_000)


def used(gateway: SharingGateway) -> dict[str, int]:
    gateway.server.ask()  # what was told before goes first
    gateway.engine.clock.advance(1)  # type: ignore[attr-defined] # a status is kept for a moment
    return {unit.unit: unit.used for row in gateway.limiters.status().values() for unit in row.units}


def test_a_grant_takes_one_round_trip(redis: RedisServer) -> None:
    with closing(Fleet(redis, [RateLimit(provider="p", requests_per_minute=10)])) as fleet:
        gateway = fleet.gateways[0]
        assert gateway.takes()
        before = gateway.link.asked
        assert gateway.takes() and gateway.takes()
        assert gateway.link.asked == before + 2


def test_the_window_counts_from_when_a_request_has_left(redis: RedisServer) -> None:
    with closing(Fleet(redis, [RateLimit(provider="p", requests_per_minute=1)])) as fleet:
        first, second = fleet.gateways
        permit = of(first).try_acquire()
        assert permit is not None
        fleet.advance(10)
        permit.sent()
        first.server.ask()
        fleet.advance(MINUTE - 0.01)
        assert not second.takes()
        fleet.advance(0.02)
        assert second.takes()


def test_what_never_left_is_given_back(redis: RedisServer) -> None:
    with closing(Fleet(redis, [RateLimit(provider="p", requests_per_minute=1, tokens_per_day=10)])) as fleet:
        first, second = fleet.gateways
        permit = of(first).try_acquire(Need(tokens=10))
        assert permit is not None
        permit.close()
        assert used(first) == {"requestsPerMinute": 0, "tokensPerDay": 0}
        assert of(second).try_acquire(Need(tokens=10)) is not None


def test_true_tokens_take_the_place_of_the_estimate(redis: RedisServer) -> None:
    with closing(Fleet(redis, [RateLimit(provider="p", tokens_per_minute=100)])) as fleet:
        first, second = fleet.gateways
        permit = of(first).try_acquire(Need(tokens=90))
        assert permit is not None and of(second).try_acquire(Need(tokens=20)) is None
        permit.sent()
        permit.settle(Usage(30, 10))
        permit.close()
        assert used(first) == {"tokensPerMinute": 40}
        assert of(second).try_acquire(Need(tokens=60)) is not None


def test_places_are_leases_that_are_renewed(redis: RedisServer) -> None:
    with closing(Fleet(redis, [RateLimit(provider="p", max_concurrent=1)])) as fleet:
        first, second = fleet.gateways
        permit = of(first).try_acquire()
        assert permit is not None
        permit.sent()
        for _ in range(5):
            fleet.advance(20)
            first.server.look()
        assert of(second).try_acquire() is None
        fleet.advance(61)  # the first one is dead
        assert of(second).try_acquire() is not None


def test_several_rows_give_all_or_nothing(redis: RedisServer) -> None:
    rows = [RateLimit(provider="p", requests_per_minute=9), RateLimit(provider="p", model="m", max_concurrent=1)]
    with closing(Fleet(redis, rows)) as fleet:
        first, second = fleet.gateways
        assert of(first).try_acquire() is not None
        assert of(second).try_acquire() is None
        assert used(second) == {"requestsPerMinute": 1, "maxConcurrent": 1}
        assert of(second, "other").try_acquire() is not None


def test_refusals_say_what_a_local_one_says(redis: RedisServer) -> None:
    rows = [RateLimit(provider="p", requests_per_minute=1, max_queue_size=0, tokens_per_minute=50)]
    with closing(Fleet(redis, rows, 1)) as fleet:
        limiter = of(fleet.gateways[0])
        with pytest.raises(RequestTooLargeForLimit, match="tokensPerMinute of p: 50 in all"):
            limiter.admit(Need(tokens=51))
        limiter.admit(Need(tokens=5))
        with pytest.raises(Limited, match="requestsPerMinute of p: 1 of 1 used by all gateways; requests do not wait"):
            limiter.acquire(Need(tokens=5), deadline=FOR_EVER, left=lambda: False)
        with pytest.raises(DeadlineExceeded):
            limiter.acquire(Need(tokens=5), deadline=0.0, left=lambda: False)


def test_a_line_goes_over_all_gateways_and_in_its_order(redis: RedisServer) -> None:
    with closing(Fleet(redis, [patient()])) as fleet:
        engines = [each.limiters.of("p") for each in fleet.gateways]
        slots = [each._slots for each in engines if each is not None]
        assert fleet.gateways[0].takes()
        waiting = []
        for place in (0, 1, 0):
            answer = slots[place].ask(None, Need(), QUEUE)
            assert isinstance(answer, Wait)
            waiting.append((place, answer.ticket))
        for turn in range(3):
            for _ in range(61):  # a ticket that is not shown once in 3 s is forgotten
                fleet.advance(1)
                answers = [slots[place].ask(ticket, Need(), QUEUE) for place, ticket in waiting]
                if not all(isinstance(each, Wait) for each in answers):
                    break
            assert [isinstance(each, Wait) for each in answers] == [False] + [True] * (2 - turn)
            waiting.pop(0)


def test_a_call_that_leaves_makes_room_in_the_line(redis: RedisServer) -> None:
    with closing(Fleet(redis, [patient(max_queue=1)])) as fleet:
        slots = [of(each)._slots for each in fleet.gateways]
        assert fleet.gateways[0].takes()
        first = slots[0].ask(None, Need(), QUEUE)
        assert isinstance(first, Wait)
        full = slots[1].ask(None, Need(), QUEUE)
        assert isinstance(full, Refused) and "1 requests wait already" in full.why
        slots[0].leave(first.ticket)
        fleet.gateways[0].server.ask()
        assert isinstance(slots[1].ask(None, Need(), QUEUE), Wait)


def test_a_call_waits_no_longer_than_it_may(redis: RedisServer) -> None:
    row = RateLimit(provider="p", max_concurrent=1, max_wait_seconds=4)
    with closing(Fleet(redis, [row], 1)) as fleet:
        gateway = fleet.gateways[0]
        assert of(gateway).try_acquire() is not None

        def left() -> bool:
            fleet.advance(0)  # the server's clock follows the one that a wait moves
            return False

        with pytest.raises(Limited, match="a request waits at most 4 seconds for it"):
            of(gateway).acquire(deadline=FOR_EVER, left=left)


def test_rows_that_go_have_room_and_gone_providers_fail(redis: RedisServer) -> None:
    limits = [patient(), patient(provider="q")]
    with closing(Fleet(redis, limits, 1)) as fleet:
        gateway = fleet.gateways[0]
        old = of(gateway)._slots
        other = gateway.limiters.of("q")
        assert other is not None and other.try_acquire() is not None and gateway.takes()
        waiting, going = old.ask(None, Need(), QUEUE), other._slots.ask(None, Need(), QUEUE)
        assert isinstance(waiting, Wait) and isinstance(going, Wait)
        gateway.limiters.configure([], served={"p"})
        fleet.advance(1)
        assert not isinstance(old.ask(waiting.ticket, Need(), QUEUE), (Wait, Refused))
        gone = other._slots.ask(going.ticket, Need(), QUEUE)
        assert isinstance(gone, Refused) and gone.kind == "gone"


def test_a_changed_number_counts_what_was_granted(redis: RedisServer) -> None:
    with closing(Fleet(redis, [RateLimit(provider="p", requests_per_minute=1)], 1)) as fleet:
        gateway = fleet.gateways[0]
        assert gateway.takes() and not gateway.takes()
        gateway.limiters.configure([RateLimit(provider="p", requests_per_minute=3)])
        assert [gateway.takes() for _ in range(3)] == [True, True, False]


def test_waiting_calls_go_on_alone_in_their_order_and_come_back_in_it(redis: RedisServer) -> None:
    with closing(Fleet(redis, [patient()], 1)) as fleet:
        gateway = fleet.gateways[0]
        slots = of(gateway)._slots
        assert gateway.takes()
        tickets = [answer.ticket for _ in range(3) if isinstance(answer := slots.ask(None, Need(), QUEUE), Wait)]
        fleet.cut(is_cut=True)
        fleet.advance(2)
        assert isinstance(slots.ask(tickets[2], Need(), QUEUE), Wait)
        assert all(isinstance(each.own, Wait) for each in tickets)
        fleet.advance(MINUTE - 1)
        assert isinstance(slots.ask(tickets[1], Need(), QUEUE), Wait)
        assert not isinstance(slots.ask(tickets[0], Need(), QUEUE), Wait)
        fleet.cut(is_cut=False)
        fleet.empty()
        gateway.server.look()
        fleet.advance(0)
        assert all(each.own is None for each in tickets[1:])
        line = fleet.asking.plain("ZRANGE", "gw:{g:p}:p:q", 0, -1)
        assert [each.split(b"|")[0].decode() for each in line] == [each.id for each in tickets[1:]]


def test_every_key_expires(redis: RedisServer) -> None:
    row = RateLimit(
        provider="p",
        requests_per_minute=1,
        tokens_per_minute=9,
        requests_per_day=9,
        tokens_per_day=9,
        max_concurrent=9,
        max_wait_seconds=1_000,
    )
    with closing(Fleet(redis, [row], 1)) as fleet:
        slots = of(fleet.gateways[0])._slots
        assert not isinstance(slots.ask(None, Need(1, 2, 1), QUEUE), Wait)
        assert isinstance(slots.ask(None, Need(1, 2, 1), QUEUE), Wait)
        keys = [each for each in fleet.asking.plain("KEYS", "*") if each != b"{clock}"]
        assert len(keys) > 10
        assert [key for key in keys if int(fleet.asking.plain("TTL", key.decode())) <= 0] == []
        assert [key for key in keys if not key.startswith((b"gw:{g:p}", b"gw:{g}:"))] == []


def test_threads_of_two_gateways_wait_in_real_time_and_no_window_is_broken(redis: RedisServer) -> None:
    """A minute of 0.3 s, 8 threads of each gateway, 5 a window."""
    seconds, limit, calls = 0.3, 5, 3
    text = script_text().replace("local MINUTE, DAY = 60000000", f"local MINUTE, DAY = {int(seconds * 1e6)}")
    clock, script = SystemClock(), Script(text)
    servers, limiters, times = [], [], list[float]()
    for name in ("one", "two"):
        link = RedisLink(RedisAddress(redis.url), 5.0)
        server = SharedServer(link, group="threads", shown="", refuses=False, name=name, clock=clock)
        engine = RedisEngine(server, clock, script=script)
        limiters.append(RateLimiters([RateLimit(provider="p", requests_per_minute=limit)], engine))
        server.start()
        servers.append(server)

    def call(limiter: RateLimiter) -> None:
        for _ in range(calls):
            permit = limiter.acquire(deadline=FOR_EVER, left=lambda: False)
            times.append(clock.monotonic())
            permit.sent()
            permit.close()

    threads = [
        threading.Thread(target=call, args=(limiter,))
        for each in limiters
        for _ in range(4)
        if (limiter := each.of("p")) is not None
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for server in servers:
        server.close()
    times.sort()
    assert len(times) == len(threads) * calls
    slack = 0.02  # a caller's clock sees its grant a moment after it was given
    assert max(sum(at <= each < at + seconds - slack for each in times) for at in times) <= limit


def test_a_ticket_that_was_called_asks_at_once(redis: RedisServer) -> None:
    with closing(Fleet(redis, [RateLimit(provider="p", max_concurrent=1)], 1)) as fleet:
        gateway = fleet.gateways[0]
        permit = of(gateway).try_acquire()
        slots = of(gateway)._slots
        waiting = slots.ask(None, Need(), QUEUE)
        assert permit is not None and isinstance(waiting, Wait)
        ticket = waiting.ticket
        assert isinstance(ticket, RedisTicket)
        before = gateway.link.asked
        assert isinstance(slots.ask(ticket, Need(), QUEUE), Wait) and gateway.link.asked == before
        permit.sent()
        permit.close()
        assert not isinstance(slots.ask(ticket, Need(), QUEUE), Wait)
        gateway.engine.call("nobody")


def test_the_first_in_the_line_is_called_wherever_it_waits(redis: RedisServer) -> None:
    with closing(Fleet(redis, [RateLimit(provider="p", max_concurrent=1)])) as fleet:
        first, second = fleet.gateways
        permit = of(first).try_acquire()
        waiting = of(second)._slots.ask(None, Need(), QUEUE)
        assert permit is not None and isinstance(waiting, Wait)
        heard = second.link.subscription(5.0)
        second.link.send(heard, plain("SUBSCRIBE", "gw:g:wake"))
        second.link.read(heard)
        permit.sent()
        permit.close()
        first.server.ask()
        name = second.link.read(heard)[2].decode()
        heard.disconnect()
        assert name == waiting.ticket.id
        second.engine.call(name)
        assert not isinstance(of(second)._slots.ask(waiting.ticket, Need(), QUEUE), Wait)
