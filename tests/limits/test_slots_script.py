"""The admission script, with a made-up time, against a model that remembers everything and counts anew each time."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.limits.slots import Need
from gateway.limits.slots_commands import Holding, RowTerms, SlotsCommands, script_text
from gateway.sharing.script import Script
from tests.support.examples import examples
from tests.support.redis_server import Asking, RedisServer, needs_redis

pytestmark = needs_redis

MINUTE, DAY = 60_000_000, 86_400_000_000
CELL, DAY_CELL, CELLS = 41_667, 60_000_000, 1_440
LEASE, SEEN = 60_000_000, 3_000_000
START = 1_800_000_000_000_000
FOR_EVER = 1e9
"""Seconds: longer than any line here, of which each token may wait for a day."""
ANOTHER_CLOCK = Script(
    script_text().replace("redis.call('TIME')", "redis.call('HMGET', '{clock}', 'seconds', 'micros')")
)
BASE = "gw:{group:provider}"


@pytest.fixture(scope="module")
def server() -> Iterator[Asking]:
    running = RedisServer()
    asking = Asking(running)
    yield asking
    asking.link.close()
    running.close()


class Told:
    """The script's side: gateways that ask about the same rows at a time that the test sets.

    Args:
        server: is emptied.
        rows: their numbers, in the script's order.
    """

    def __init__(self, server: Asking, rows: list[tuple[int, ...]], max_queue: int = 50) -> None:
        self.server = server
        server.plain("FLUSHALL")
        self.terms = [RowTerms(f"{BASE}:row{index}", max_queue, FOR_EVER, row) for index, row in enumerate(rows)]
        self.gateways = [SlotsCommands(ANOTHER_CLOCK, BASE, name, self.terms) for name in ("a", "b")]
        self.at(START)
        for each in self.gateways:
            nothing = [Holding(((), (), (), (), ())) for _ in rows]
            assert server(each.restore(1, nothing, ())) == 1

    def at(self, now: int) -> None:
        self.now = now
        self.server.plain("HSET", "{clock}", "seconds", now // 1_000_000, "micros", now % 1_000_000)

    def ask(self, gateway: int, name: str, need: Need, mode: Any = "try", remaining: float = float("inf")) -> list[int]:
        answer = self.server(self.gateways[gateway].ask(1, name, need, mode, remaining))
        return [1, answer] if isinstance(answer, int) else list(answer)

    def status(self) -> list[int]:
        answer = self.server(self.gateways[0].status())
        assert isinstance(answer, list)
        return answer


@dataclass
class Grant:
    name: str
    gateway: int
    need: Need
    granted: int
    counts: int
    tokens: int
    lease: int
    is_sent: bool = False
    is_over: bool = False
    is_back: bool = False


@dataclass
class Model:
    """Everything that happened, counted anew at every question."""

    rows: list[tuple[int, ...]]
    grants: list[Grant] = field(default_factory=list)
    line: list[tuple[str, Need]] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)

    def used(self, now: int) -> list[int]:
        kept = [each for each in self.grants if not each.is_back]
        return [
            sum(each.need.places for each in self.grants if not each.is_over and each.lease > now),
            sum(each.need.requests for each in kept if each.counts > now - MINUTE),
            sum(each.tokens for each in kept if each.counts // CELL >= now // CELL - CELLS),
            sum(each.need.requests for each in kept if each.counts // DAY_CELL >= now // DAY_CELL - CELLS),
            sum(each.tokens for each in kept if each.counts // DAY_CELL >= now // DAY_CELL - CELLS),
        ]

    def has_room(self, now: int, need: Need, before: list[Need]) -> bool:
        for row in self.rows:
            amounts = [need.places, need.requests, need.tokens, need.requests, need.tokens]
            ahead = [len(before), len(before), sum(each.tokens for each in before)] * 2
            for limit, used, amount, others in zip(
                row, self.used(now), amounts, ahead[:2] + ahead[2:3] + ahead[3:4] + ahead[2:3], strict=True
            ):
                if limit and amount and limit - used - min(amount, limit) < others:
                    return False
        return True

    def prune(self, now: int) -> None:
        self.line = [each for each in self.line if self.seen[each[0]] > now - SEEN]


LIMITS = st.tuples(
    st.integers(0, 3), st.integers(0, 4), st.integers(0, 40), st.integers(0, 6), st.integers(0, 80)
).filter(any)
NEEDS = st.builds(Need, st.just(1), st.integers(0, 30), st.integers(0, 1))
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "ask", "queue", "again", "again", "sent", "settle", "release", "leave", "renew"]),
        st.integers(0, 1),
        st.integers(0, 10),
        NEEDS,
        st.sampled_from([0, 1, 1_000, 41_667, 700_000, 2_900_000, 20_000_000, 59_999_999, 60_100_000, 3_600_000_000]),
    ),
    max_size=30,
)


@settings(max_examples=examples(150))
@given(rows=st.lists(LIMITS, min_size=1, max_size=2), steps=STEPS)
def test_it_grants_what_a_model_grants(server: Asking, rows: list[tuple[int, ...]], steps: list[Any]) -> None:
    told, model, now = Told(server, rows), Model(rows), START
    for name, (kind, gateway, which, need, later) in enumerate(steps):
        now += later
        told.at(now)
        model.prune(now)
        open_grants = [each for each in model.grants if not each.is_over]
        if kind in {"ask", "queue"}:
            room = model.has_room(now, need, [each for _, each in model.line])
            answer = told.ask(gateway, f"x-{name}", need, "queue" if kind == "queue" else "try")
            assert answer[0] == (1 if room else 0 if kind == "queue" else -1), (rows, model)
            if answer[0] == 1:
                assert answer[1] == now
                model.grants.append(Grant(f"x-{name}", gateway, need, now, now, need.tokens, now + LEASE))
            elif answer[0] == 0:
                model.line.append((f"x-{name}", need))
                model.seen[f"x-{name}"] = now
        elif kind == "again" and model.line:
            ticket, wanted = model.line[which % len(model.line)]
            before = [each for _, each in model.line[: which % len(model.line)]]
            answer = told.ask(gateway, ticket, wanted, "wait")
            assert answer[0] == (1 if model.has_room(now, wanted, before) else 0), (rows, model)
            model.seen[ticket] = now
            if answer[0] == 1:
                model.line = [each for each in model.line if each[0] != ticket]
                model.grants.append(Grant(ticket, gateway, wanted, now, now, wanted.tokens, now + LEASE))
        elif kind == "leave" and model.line:
            ticket, wanted = model.line.pop(which % len(model.line))
            server(told.gateways[gateway].leave(1, ticket, wanted))
        elif kind == "renew" and open_grants:
            grant = open_grants[which % len(open_grants)]
            server(told.gateways[gateway].renew(1, [[grant.name]] * len(rows)))
            if grant.lease > now:
                grant.lease = now + LEASE
        elif open_grants:
            end(server, told, open_grants[which % len(open_grants)], kind, now)
        if model.line == [] and kind != "leave":
            assert used_of(told, len(rows)) == [
                number if limit else 0 for row in rows for limit, number in zip(row, model.used(now), strict=True)
            ]


def end(server: Asking, told: Told, grant: Grant, kind: str, now: int) -> None:
    """A grant's request leaves, is counted, or ends."""
    commands = told.gateways[grant.gateway]
    if kind == "sent" and not grant.is_sent:
        grant.is_sent, grant.counts = True, now
        server(commands.sent(1, grant.name, grant.need, grant.granted, now))
    elif kind == "settle" and grant.is_sent:
        server(commands.settle(1, grant.counts, 7 - grant.tokens))
        grant.tokens = 7
    elif kind == "release":
        grant.is_over, grant.is_back = True, not grant.is_sent
        server(commands.release(1, grant.name, grant.need, grant.granted, was_sent=grant.is_sent))


def used_of(told: Told, rows: int) -> list[int]:
    found = told.status()
    return [number for row in range(rows) for number in found[row * 7 : row * 7 + 5]]
