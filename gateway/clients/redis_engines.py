"""The engines of a gateway that shares limits and budgets through a server."""

from gateway.clients.engines import Engines
from gateway.clients.redis_budgets import RedisBudgets
from gateway.core.clock import Clock
from gateway.limits.redis_engine import RedisEngine
from gateway.sharing.shared_server import SharedServer


def redis_engines(server: SharedServer, clock: Clock) -> Engines:
    """The engines that keep limits and budgets in a server."""
    return Engines(RedisEngine(server, clock), RedisEngine(server, clock, "client:"), RedisBudgets(server, clock))
