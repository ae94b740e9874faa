"""`key`: makes a key for a caller and says where it goes. It writes nothing and asks nobody."""

import re
from collections.abc import Callable
from typing import Final

from gateway.commands.accounts import CommandFailed
from gateway.core.client_key import new_key

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""As every name in the configuration."""
VARIABLE: Final = "GATEWAY_KEY_"


def key(name: str, make: Callable[[], str] = new_key) -> str:
    """A new key, and the lines to paste; the first line is the key alone.

    The file gets a variable's name and not the key: it is copied, shown and committed more easily than an environment.

    Args:
        name: the caller's, for the variable.
        make: makes the key.

    Raises:
        CommandFailed: it is no name.
    """
    if not NAME.fullmatch(name):
        raise CommandFailed(
            "NAME has letters, digits, dots, - and _, 64 at most, and begins with a letter or digit.", 2
        )
    variable = VARIABLE + re.sub("[.-]", "_", name).upper()
    made = make()
    lines = [
        made,
        "",
        "This key is shown once and kept nowhere. Set it where the gateway runs:",
        "",
        f"    {variable}={made}",
        "",
        "and name it in the configuration file, beside the keys that are there:",
        "",
        "    gateway:",
        f'      apiKeys: ["${{{variable}}}"]',
        "",
        "The gateway reads its environment when it starts. Callers send it as Authorization: Bearer, or as x-api-key.",
    ]
    return "\n".join(lines)
