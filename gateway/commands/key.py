"""`key`: makes a key for a client and says where it goes. It writes nothing and asks nobody."""

import re
from collections.abc import Callable
from typing import Final

from gateway.commands.accounts import CommandFailed
from gateway.core.client_key import key_hash, new_key
from gateway.core.secrets import Secret

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""As every name in the configuration."""


def key(name: str, make: Callable[[], str] = new_key) -> str:
    """A new key, and the lines to paste; the first line is the key alone.

    The file gets the hash and not the key: it is copied, shown and committed more easily than an environment.

    Args:
        name: the client's.
        make: makes the key.

    Raises:
        CommandFailed: it is no name.
    """
    if not NAME.fullmatch(name):
        raise CommandFailed(
            "NAME has letters, digits, dots, - and _, 64 at most, and begins with a letter or digit.", 2
        )
    made = make()
    lines = [
        made,
        "",
        "This key is shown once and kept nowhere. The configuration file takes its hash, beside the clients that are",
        "there:",
        "",
        "    clients:",
        f'      - {{name: "{name}", keyHash: "{key_hash(Secret(made))}"}}',
        "",
        "With admin: true in that line it may also reload, read /metrics and see the calls of everybody. Callers send",
        "the key as Authorization: Bearer, or as x-api-key.",
    ]
    return "\n".join(lines)
