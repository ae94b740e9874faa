"""What a start wants to know of the server: that it lets this gateway in, is new enough, and keeps what is written."""

from collections.abc import Sequence
from typing import Final

from gateway.sharing.faults import UnusableServer
from gateway.sharing.redis_link import RedisAway, RedisLink, WrongPassword
from gateway.sharing.script import plain

OLDEST: Final = 5


def check_server(link: RedisLink, shown: str) -> Sequence[str]:
    """Look at the server once, before anything is served. Returns what to warn of.

    Args:
        link: to the server.
        shown: its address for people.

    Raises:
        UnusableServer: it does not let this gateway in, or is too old.
        RedisAway: it does not answer, which may change.
    """
    try:
        facts = _facts(link.ask([plain("INFO")])[0])
    except WrongPassword as refused:
        raise UnusableServer(
            f"sharing.redis.url: the server {shown} does not accept the user or the password ({refused})."
        ) from None
    version = facts.get("redis_version", "")
    major = version.split(".")[0]
    if major.isdecimal() and int(major) < OLDEST:
        raise UnusableServer(
            f"sharing.redis.url: the server {shown} is Redis {version}: it has to be {OLDEST} or later."
        )
    policy = facts.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        drops = f"Redis at {shown} drops what it keeps when its memory is full (maxmemory-policy {policy})"
        return [f"{drops}, and limits with it: set noeviction."]
    return ()


def _facts(answer: object) -> dict[str, str]:
    """The lines of INFO, by their names."""
    if not isinstance(answer, bytes):
        raise RedisAway("it answers INFO with something else")
    lines = answer.decode(errors="replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)
