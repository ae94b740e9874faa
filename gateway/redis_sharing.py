"""What a gateway shares with others through a server: made at the start, where `sharing.engine` is redis.

It knows all the parts: connections, keeper, messages, engines, rests. Without that setting nothing of it is imported.
"""

import logging
import socket
from collections.abc import Callable, Sequence

from gateway.clients.engines import Engines
from gateway.clients.redis_engines import redis_engines
from gateway.config.sharing import RedisServer
from gateway.core.clock import Clock
from gateway.core.secrets import Secret
from gateway.limits.redis_engine import RedisEngine
from gateway.routing.redis_rests import RedisRests
from gateway.routing.rest_board import MemoryBoard, RestBoard
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
        rests: the board of rests, which others hear of.
        secrets: what of the address must not be shown.

    Args:
        settings: of the server.
        group: whose gateways share.
        port: of this gateway, for its name.
        clock: the time.
        board: the rests that this machine knows; its workers may have one together.

    Raises:
        UnusableServer: the server refuses this gateway, or is too old.
    """

    def __init__(
        self, settings: RedisServer, group: str, port: int, clock: Clock, board: RestBoard | None = None
    ) -> None:
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
        self.rests = RedisRests(board or MemoryBoard(), self.server, clock)
        self._engines: Engines | None = None
        self._messages: Subscription | None = None
        self.secrets = [Secret(text) for text in address.secrets]
        self._failure: str | None = None
        self._warnings: Sequence[str] = ()
        try:
            self._warnings = check_server(self._link, str(address))
        except RedisAway as failure:
            self._failure = str(failure)
        except BaseException:
            self._link.close()
            raise

    def engines(self, clock: Clock) -> Engines:
        """The engines of limits and budgets; one set a process."""
        self._engines = redis_engines(self.server, clock)
        return self._engines

    def start(self) -> None:
        """Begin to listen and to keep alive, and say what the start has found."""
        channels: dict[str, Callable[[bytes], None]] = {
            self.rests.channel: self.rests.hear,
            f"gw:{self.server.group}:wake": self._wake,
            self.server.members.channel: lambda body: None,
        }
        self._messages = Subscription(self._link, channels, self.rests.catch_up, self._clock)
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

    def _wake(self, body: bytes) -> None:
        """Call the ticket of this process that may have room now."""
        name = body.decode(errors="replace")
        if not name.startswith(self.server.gateway) or self._engines is None:
            return
        for engine in (self._engines.providers, self._engines.clients):
            if isinstance(engine, RedisEngine):
                engine.call(name)
