"""Gateways that share a real server, each with its own connections, all in one made-up time."""

from collections.abc import Sequence
from typing import Any

from gateway.config.rate_limit import RateLimit
from gateway.limits.rate_limiters import RateLimiters
from gateway.limits.redis_engine import RedisEngine
from gateway.limits.slots_commands import script_text
from gateway.sharing.address import RedisAddress
from gateway.sharing.members import members_script
from gateway.sharing.redis_link import RedisAway, RedisLink
from gateway.sharing.script import Command, Script
from gateway.sharing.shared_server import SharedServer
from tests.support.fakes import FakeClock
from tests.support.redis_server import Asking, RedisServer

SERVER_AHEAD = 1_700_000_000.25
"""Seconds by which the server's clock is ahead of the gateways' monotonic one."""
MADE_UP_TIME = "redis.call('HMGET', '{clock}', 'seconds', 'micros')"
IN_MADE_UP_TIME = Script(script_text().replace("redis.call('TIME')", MADE_UP_TIME))
MEMBERS_IN_MADE_UP_TIME = Script(members_script().replace("redis.call('TIME')", MADE_UP_TIME))


class CutLink(RedisLink):
    """Connections that a test can cut, and that know how often the server was asked.

    Attributes:
        is_cut: the server cannot be reached.
        loses: it is reached, and its answer is not.
        asked: round trips.
    """

    def __init__(self, server: RedisServer) -> None:
        super().__init__(RedisAddress(server.url), 5.0)
        self.is_cut = False
        self.loses = False
        self.asked = 0

    def ask(self, commands: Sequence[Command]) -> list[Any]:
        if self.is_cut:
            raise RedisAway("cut")
        self.asked += 1
        answers = super().ask(commands)
        if self.loses:
            raise RedisAway("lost")
        return answers


class SharingGateway:
    """One gateway: its part of the sharing, and its limits.

    Attributes:
        link: its connections.
        server: its view of the server.
        engine: its engine.
        limiters: its limits.
    """

    def __init__(
        self, redis: RedisServer, clock: FakeClock, limits: Sequence[RateLimit], name: str, *, refuses: bool = False
    ) -> None:
        self.link = CutLink(redis)
        self.server = SharedServer(self.link, group="g", shown="redis://here", refuses=refuses, name=name, clock=clock)
        self.server.members.script = MEMBERS_IN_MADE_UP_TIME
        self.engine = RedisEngine(self.server, clock, script=IN_MADE_UP_TIME)
        self.limiters = RateLimiters(limits, self.engine)
        self.server.look()

    def takes(self, provider: str = "p") -> bool:
        """Whether a request may leave now; it does then, and its answer is over at once."""
        limiter = self.limiters.of(provider)
        assert limiter is not None
        permit = limiter.try_acquire()
        if permit is None:
            return False
        permit.sent()
        permit.close()
        return True


class Fleet:
    """Several of them.

    Args:
        redis: the server; it is emptied.
        limits: of each gateway.
        size: how many.
        refuses: calls with a limit are refused while the server is away.
    """

    def __init__(
        self, redis: RedisServer, limits: Sequence[RateLimit], size: int = 2, *, refuses: bool = False
    ) -> None:
        self.clock = FakeClock()
        self.asking = Asking(redis)
        self.empty()
        self.gateways = [
            SharingGateway(redis, self.clock, limits, f"gateway {number}", refuses=refuses) for number in range(size)
        ]
        self.beat()

    def empty(self) -> None:
        """The server loses all that it has."""
        self.asking.plain("FLUSHALL")
        self.advance(0)

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        micros = int((self.clock.monotonic() + SERVER_AHEAD) * 1_000_000)
        self.asking.plain("HSET", "{clock}", "seconds", micros // 1_000_000, "micros", micros % 1_000_000)

    def beat(self) -> None:
        """Each keeper does what is due, twice, so that each has heard of all."""
        for _ in range(2):
            self.advance(5)
            for each in self.gateways:
                each.server.look()

    def cut(self, *, is_cut: bool) -> None:
        """The server goes away for all, or comes back."""
        for each in self.gateways:
            each.link.is_cut = is_cut

    def close(self) -> None:
        for each in self.gateways:
            each.server.close()
        self.asking.link.close()
