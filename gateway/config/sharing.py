"""The section `sharing`: limits, budgets and rests that several gateways have together."""

from typing import Annotated, Literal

from msgspec import Meta

from gateway.config.setting_types import Name, Struct
from gateway.core.secrets import Secret


class RedisServer(Struct, frozen=True):
    """The server that the gateways of a group share: Redis 5 or later, or Valkey."""

    url: Annotated[
        Secret,
        Meta(
            description="rediss://user:${REDIS_PASSWORD}@host:6379/0. rediss is encrypted; redis is not, and needs "
            "`plaintext: true` for any server that is not on this machine. Special characters of a password stand as "
            "%XX."
        ),
    ]
    timeout_milliseconds: Annotated[
        int, Meta(ge=10, le=10_000, description="How long it may take to answer before the gateway goes on without it.")
    ] = 250
    on_failure: Annotated[
        Literal["share", "refuse"],
        Meta(
            description="While it does not answer, share: each gateway holds to its share of the limits; refuse: calls "
            "with a limit get 503."
        ),
    ] = "share"
    plaintext: Annotated[bool, Meta(description="Whether it may be asked without encryption over a network.")] = False


class Sharing(Struct, frozen=True):
    """What several gateways have together. Needs a restart."""

    engine: Annotated[
        Literal["local", "redis"],
        Meta(description="local: this gateway alone; redis: the gateways of a group through a server."),
    ] = "local"
    group: Annotated[
        Name, Meta(description="Gateways of one group share; another one on the same server does not.")
    ] = "default"
    redis: Annotated[RedisServer, Meta(description="The server, where the engine is redis.")] | None = None
