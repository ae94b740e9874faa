"""What a gateway shares with others through a server: made at the start, where `sharing.engine` is redis.

It knows all the parts: connections, keeper, messages, engines, rests. Without that setting nothing of it is imported.
"""

import logging
import socket
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from gateway.clients.engines import Engines
from gateway.clients.redis_engines import redis_engines
from gateway.config.sharing import RedisServer
from gateway.core.clock import Clock
from gateway.knowledge import Knowledge
from gateway.limits.redis_engine import RedisEngine
from gateway.routing.redis_rests import RedisRests
from gateway.routing.rest_board import MemoryBoard
from gateway.sharing.address import RedisAddress
from gateway.sharing.redis_link import RedisAway, RedisLink
from gateway.sharing.server_check import check_server
from gateway.sharing.shared_server import SharedServer
from gateway.sharing.subscription import Subscription

logger = logging.getLogger(__name__)


class RedisSharing:
    """The sharing of one process.

    Attributes:
        server: the server.

    Args:
        settings: of the server.
        group: whose gateways share.
        port: of this gateway, for its name.
        clock: the time.

    Raises:
        UnusableServer: the server refuses this gateway, or is too old.
    """

    def __init__(self, settings: RedisServer, group: str, port: int, clock: Clock) -> None:
        address = RedisAddress(settings.url.reveal())
        self._clock = clock
        self._link = RedisLink(address, settings.timeout_milliseconds / 1000)
        self.server = SharedServer(
            self._link,
            group=group,
            shown=str(address),
            refuses=settings.on_failure == "refuse",
            name=f"{socket.gethostname()}:{port}",
            clock=clock,
        )
        self._engines: Engines | None = None
        self._messages: Subscription | None = None
        self._rests: RedisRests | None = None
        self._failure: str | None = None
        self._warnings: Sequence[str] = ()
        try:
            self._warnings = check_server(self._link, str(address))
        except RedisAway as failure:
            self._failure = str(failure)
        finally:
            self._link.abandon()  # nothing is open before the start

    def known(self, knowledge: Knowledge) -> Knowledge:
        """What this machine knows of targets, which others hear of from now on, and the other way round."""
        self._rests = RedisRests(knowledge.rests or MemoryBoard(), self.server, self._clock)
        return replace(knowledge, rests=self._rests)

    def engines(self, clock: Clock) -> Engines:
        """The engines of limits and budgets; one set a process."""
        self._engines = redis_engines(self.server, clock)
        return self._engines

    def start(self) -> None:
        """Begin to listen and to keep alive, and say what the start has found."""
        channels: dict[str, Callable[[bytes], None]] = {
            f"gw:{self.server.group}:wake": self._wake,
            self.server.members.channel: lambda body: None,
        }
        if self._rests is not None:
            channels[self._rests.channel] = self._rests.hear
        self._messages = Subscription(self._link, channels, self._catch_up, self._clock)
        for each in self._warnings:
            logger.warning("%s", each)
        if self._failure is not None:
            self.server.fail(self.server.generation, self._failure)
        self.server.start()
        self._messages.start()

    def close(self) -> None:
        """End. Idempotent."""
        if self._messages is not None:
            self._messages.close()
        self.server.close()

    def _catch_up(self) -> None:
        if self._rests is not None:
            self._rests.catch_up()

    def _wake(self, body: bytes) -> None:
        """Call the ticket of this process that may have room now."""
        name = body.decode(errors="replace")
        if not name.startswith(self.server.gateway) or self._engines is None:
            return
        for engine in (self._engines.providers, self._engines.clients):
            if isinstance(engine, RedisEngine):
                engine.call(name)
