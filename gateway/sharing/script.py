"""Commands of the Redis protocol as bytes: scripts by their digest, and in full where the server does not know them.

A command is packed before a connection is taken, so that what waits for its turn is bytes (RESP2, arrays of bulk
strings).
"""

from collections.abc import Sequence
from hashlib import sha1
from typing import NamedTuple

Argument = str | int


def packed(*arguments: Argument) -> bytes:
    """The arguments as bulk strings, without the head of their array."""
    parts = []
    for each in arguments:
        text = str(each).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(text), text))
    return b"".join(parts)


class Script:
    """A script that the server keeps, and is asked for by its digest.

    Args:
        text: in Lua.
    """

    def __init__(self, text: str) -> None:
        self.by_digest = packed("EVALSHA", sha1(text.encode(), usedforsecurity=False).hexdigest())
        self.by_text = packed("EVAL", text)

    def command(self, keys: Sequence[str], *arguments: Argument) -> "Command":
        """One call of it."""
        rest = packed(len(keys), *keys, *arguments)
        return Command(b"*%d\r\n" % (3 + len(keys) + len(arguments)), self, rest)


class Command(NamedTuple):
    """One command.

    Attributes:
        head: of its array.
        script: whose call it is; None for a command of the server's own.
        rest: its arguments.
    """

    head: bytes
    script: Script | None
    rest: bytes

    @property
    def short(self) -> bytes:
        """What is sent first."""
        return self.head + (self.script.by_digest if self.script else b"") + self.rest

    @property
    def in_full(self) -> bytes:
        """What is sent to a server that does not know the script."""
        return self.head + (self.script.by_text if self.script else b"") + self.rest


def plain(*arguments: Argument) -> Command:
    """A command without a script, such as TIME."""
    return Command(b"*%d\r\n" % len(arguments), None, packed(*arguments))
