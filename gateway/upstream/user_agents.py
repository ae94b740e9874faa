"""What the gateway calls itself towards providers.

By default its own honest name; a configured pool is used as configured, never a product's name of our choosing.
"""

import itertools
import platform
import threading
from collections.abc import Sequence

from gateway import __version__


def own_name() -> str:
    """The default User-Agent (RFC 9110 section 10.1.5)."""
    return f"LLM-Gateway/{__version__} (Python/{platform.python_version()})"


class UserAgentPool:
    """The User-Agent texts of one provider.

    Args:
        agents: the texts in the order they rotate; empty: our own name.
        sticky: one text a credential instead of the next one each call.
    """

    def __init__(self, agents: Sequence[str] = (), *, sticky: bool = False) -> None:
        self._agents = tuple(agents) or (own_name(),)
        self._sticky = sticky
        self._turn = itertools.cycle(range(len(self._agents)))
        self._lock = threading.Lock()

    def pick(self, fingerprint: str) -> str:
        """The text for one call made with the credential of this hexadecimal `fingerprint` ('' for none)."""
        if self._sticky:
            return self._agents[int(fingerprint or "0", 16) % len(self._agents)]
        with self._lock:
            return self._agents[next(self._turn)]
