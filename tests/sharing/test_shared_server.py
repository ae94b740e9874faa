"""Asking and telling a shared server, and its keeper."""

import threading
from collections.abc import Sequence
from contextlib import closing

import pytest

from gateway.core.clock import SystemClock
from gateway.sharing import shared_server
from gateway.sharing.address import RedisAddress
from gateway.sharing.redis_link import RedisAway, RedisLink
from gateway.sharing.script import Command, plain
from gateway.sharing.shared_server import SharedServer
from tests.support.fleet import Fleet
from tests.support.ports import free_port
from tests.support.redis_server import RedisServer, needs_redis

pytestmark = needs_redis


class Heard:
    """A follower that writes down what it hears."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.returned = threading.Event()

    def away(self) -> None:
        self.said.append("away")

    def back(self) -> None:
        self.said.append("back")
        self.returned.set()

    def beat(self) -> None:
        pass

    def renewals(self) -> Sequence[Command]:
        return [plain("SET", "{clock}renewed", 1)]


def test_what_was_told_goes_before_the_next_question(redis: RedisServer) -> None:
    with closing(Fleet(redis, [], 1)) as fleet:
        gateway = fleet.gateways[0]
        asked = gateway.link.asked
        gateway.server.tell(plain("SET", "a", "1"))
        gateway.server.tell(plain("APPEND", "a", "2"))
        assert gateway.link.asked == asked
        assert gateway.server.ask(plain("GET", "a")) == [b"12"]
        assert gateway.link.asked == asked + 1


def test_the_keeper_sends_what_nobody_takes_along_and_says_goodbye(redis: RedisServer) -> None:
    with closing(RedisServer()) as own:
        link = RedisLink(RedisAddress(own.url), 5.0)
        server = SharedServer(link, group="g", shown="", refuses=False, name="n", clock=SystemClock())
        server.start()
        server.tell(plain("LPUSH", "told", "word"))
        watcher = RedisLink(RedisAddress(own.url), 5.0)
        assert watcher.ask([plain("BLPOP", "told", 4)]) == [[b"told", b"word"]]
        server.close()
        server.close()
        assert watcher.ask([plain("ZCARD", "gw:{g}:members")]) == [0]
        watcher.close()


def test_a_server_that_takes_no_reports_is_away(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_server, "MOST_TOLD", 2)
    with closing(Fleet(redis, [], 1)) as fleet:
        server, heard = fleet.gateways[0].server, Heard()
        server.follow(heard)
        for _ in range(3):
            server.tell(plain("PING"))
        assert not server.is_up and heard.said == ["away"]
        server.tell(plain("PING"))  # is dropped
        with pytest.raises(RedisAway, match="takes no more reports"):
            server.ask(plain("PING"))


def test_it_says_once_that_it_is_away_and_once_that_it_is_back(
    redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(Fleet(redis, [], 2)) as fleet:
        server, heard = fleet.gateways[0].server, Heard()
        server.follow(heard)
        fleet.cut(is_cut=True)
        for _ in range(3):
            with pytest.raises(RedisAway):
                server.ask(plain("PING"))
        share = "each of 2 gateways holds to its share of the limits until it does."
        found = [each for each in caplog.messages if "does not answer" in each]
        assert found == [f"Redis at redis://here does not answer (cut): {share}"]
        assert server.view().in_words() == caplog.messages[0]
        for pause in (1, 2, 4):
            fleet.advance(pause - 0.1)
            server.look()
            assert not server.is_up
            fleet.advance(0.1)
            server.look()
        fleet.cut(is_cut=False)
        fleet.advance(8)
        server.look()
        assert heard.said == ["away", "back"] and server.generation == 2
        assert caplog.messages[-1] == "Redis at redis://here answers again, after 15 seconds."
        assert "2 gateways of the group g share" in server.view().in_words()


def test_a_keeper_finds_a_server_that_starts_later() -> None:
    port = free_port()
    link = RedisLink(RedisAddress(f"redis://127.0.0.1:{port}"), 1.0)
    server, heard = SharedServer(link, group="g", shown="", refuses=True, name="n", clock=SystemClock()), Heard()
    server.follow(heard)
    server.start()
    with pytest.raises(RedisAway):
        server.ask(plain("PING"))
    with closing(RedisServer(port=port)):
        assert heard.returned.wait(10)
        assert server.ask(plain("PING")) == [b"PONG"]
        assert "calls with a limit are refused" not in server.view().in_words()
        server.close()
