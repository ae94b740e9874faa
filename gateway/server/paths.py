"""The gateway's own paths that others must know too. A module of its own, so that a client imports no web framework."""

from typing import Final

EXPLAIN: Final = "/gateway/explain"
RELOAD: Final = "/gateway/reload"
