"""When the gateway may be reached from other machines: it is said to be meant, and callers need a key.

A rule of its own, because it holds for what is served and not only for the file: the command line and the environment
name addresses too, and a reload keeps the old address while it takes over new keys.
"""

import ipaddress
from collections.abc import Iterator

from gateway.config.client_rules import needs_key
from gateway.config.faults import Problem
from gateway.config.schema import Config
from gateway.core.program import command
from gateway.core.this_machine import is_this_machine


def guarded_host(config: Config) -> Iterator[Problem]:
    """Beyond this machine the gateway listens only where that is meant, and where callers need a key."""
    gateway = config.gateway
    if is_this_machine(gateway.host):
        return
    how = f"gateway.exposed: true and a key of callers ({command('key NAME')} makes one)"
    if not gateway.exposed:
        message = f"must be a loopback address: 127.0.0.1, ::1 or localhost; any other needs {how}"
        yield Problem(("gateway", "host"), message, fatal=True)
    elif not _is_address(gateway.host):
        message = "must be an address where it is exposed: 0.0.0.0, :: or one of this machine's"
        yield Problem(("gateway", "host"), message, fatal=True)
    elif not needs_key(config):
        message = (
            "must have a key while other machines can reach gateway.host:"
            f" {command('key NAME')} makes one, and says where it goes"
        )
        yield Problem(("gateway", "apiKeys"), message, fatal=True)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host[1:-1] if host.startswith("[") and host.endswith("]") else host)
    except ValueError:
        return False
    return True
