"""What a gateway has together with others, by its configuration: with nobody, or through a server."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from gateway.clients.engines import Engines, local_engines
from gateway.config.loader import Loaded
from gateway.core.clock import Clock, SystemClock
from gateway.knowledge import ALONE, Knowledge

if TYPE_CHECKING:
    from gateway.sharing.shared_server import SharedServer


def _nothing() -> None:
    pass


class Together(Struct, frozen=True):
    """The parts, for a Runtime.

    Attributes:
        engines: makes what keeps the use of limits and budgets.
        knowledge: what is known of targets.
        server: what they are shared in; None where they are not.
        start: begins to listen to others.
        close: ends it. Idempotent.
    """

    engines: Callable[[Clock], Engines] = local_engines
    knowledge: Knowledge = ALONE
    server: "SharedServer | None" = None
    start: Callable[[], None] = _nothing
    close: Callable[[], None] = _nothing


def together(
    loaded: Loaded, knowledge: Knowledge = ALONE, engines: Callable[[Clock], Engines] = local_engines
) -> Together:
    """What a process has together with others. Nothing is open before `start`.

    Args:
        loaded: the configuration.
        knowledge: what it knows without a server, alone or with the other workers of its machine.
        engines: what keeps limits and budgets without a server.

    Raises:
        UnusableServer: the server refuses this gateway, or is too old.
    """
    config = loaded.config
    if config.sharing.engine != "redis" or config.sharing.redis is None:
        return Together(engines, knowledge)
    from gateway.redis_sharing import RedisSharing  # noqa: PLC0415 - the client library alone takes 21 MB

    sharing = RedisSharing(config.sharing.redis, config.sharing.group, config.gateway.port, SystemClock())
    return Together(sharing.engines, sharing.known(knowledge), sharing.server, sharing.start, sharing.close)
