"""The User-Agent header of requests to providers.

The default is the gateway's own honest name. A configured pool is used as configured; the gateway itself never chooses
the name of another product.
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
        agents: the texts in the order they rotate; empty for the gateway's own name.
        sticky: each credential keeps one text; otherwise every call takes the next one.
    """

    def __init__(self, agents: Sequence[str] = (), *, sticky: bool = False) -> None:
        self._agents = tuple(agents) or (own_name(),)
        self._sticky = sticky
        self._turn = itertools.cycle(range(len(self._agents)))
        self._lock = threading.Lock()

    def pick(self, fingerprint: str) -> str:
        """The text for one call made with the credential of this hexadecimal `fingerprint` ('' for none)."""
        if len(self._agents) == 1:
            return self._agents[0]
        if self._sticky:
            return self._agents[int(fingerprint or "0", 16) % len(self._agents)]
        with self._lock:
            return self._agents[next(self._turn)]
