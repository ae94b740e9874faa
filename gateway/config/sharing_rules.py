"""The rules of `sharing` that the schema cannot say. Nothing of the address is quoted: it may hold a password."""

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Final

from gateway.config.faults import KeyPath, Problem
from gateway.config.schema import Config
from gateway.config.sharing import Sharing
from gateway.core.secrets import Secret
from gateway.sharing.address import RedisAddress

INSTALL: Final = "pip install -r requirements-redis.txt, or pip install 'llm-local-gateway[redis]'"
_URL: Final[KeyPath] = ("sharing", "redis", "url")


def sound_sharing(config: Config) -> Iterator[Problem]:
    """The engine has a server, the server's address is one, and what passes a network is encrypted."""
    sharing = config.sharing
    if sharing.engine == "redis" and find_spec("redis") is None:
        message = f"redis needs a package that is not installed: {INSTALL}"
        yield Problem(("sharing", "engine"), message, fatal=True)
    if sharing.redis is None:
        if sharing.engine == "redis":
            message = "redis needs a server: give it sharing.redis.url"
            yield Problem(("sharing", "engine"), message, fatal=True)
        return
    try:
        address = RedisAddress(sharing.redis.url.reveal())
    except ValueError as fault:
        yield Problem(_URL, f"{fault}; it is written as rediss://user:${{REDIS_PASSWORD}}@host:6379/0", fatal=True)
        return
    if not (address.has_tls or address.is_loopback or sharing.redis.plaintext):
        message = (
            "is not encrypted and leaves this machine: write rediss://, or say `plaintext: true` beside it where the "
            "network is trusted"
        )
        yield Problem(_URL, message, fatal=True)
    if address.has_password and sharing.redis.url.is_written:
        message = "has a password in clear: put it into an environment variable and write ${NAME} in its place"
        yield Problem(_URL, message, fatal=False)


def shared_secrets(sharing: Sharing) -> Sequence[Secret]:
    """What of a usable section must not be shown. An address without a password may be: people are told it."""
    if sharing.redis is None:
        return ()
    url = sharing.redis.url
    secrets = RedisAddress(url.reveal()).secrets
    return (url, *map(Secret, secrets)) if secrets else ()


SHARING_RULES: Final = (sound_sharing,)
