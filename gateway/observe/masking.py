"""Masks secrets in a text: known ones by value, others by their shape.

Every log line is masked, and every text from outside that is shown to a person. This module does not know how a secret
got into a text.
"""

import re
import threading
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from gateway.core.secrets import MASK, Secret
from gateway.core.strict_json import dumps

SHORTEST_SECRET: Final = 6
"""Characters. A shorter value is not masked, because ordinary words would be masked too."""
MAX_ADDED: Final = 200
"""The number of added secrets that are kept. A token lives for minutes or days, and the oldest ones have expired."""
_SHAPES: Final = re.compile(
    r"\b(?:sk|gsk|xai|pk|rk)[-_][A-Za-z0-9_\-]{16,}|\bAIza[A-Za-z0-9_\-]{20,}|\bya29\.[A-Za-z0-9_\-.]+"
    r"|\beyJ[A-Za-z0-9_\-]{8,2000}\.[A-Za-z0-9_\-.]+|\bgh[pousr]_[A-Za-z0-9]{20,}"
)


class Masker:
    """Masks secrets in texts. Safe to use from many threads.

    Args:
        secrets: masked by value, until `keep` is called.
    """

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._given = {secret.reveal() for secret in secrets}
        self._added: dict[str, None] = {}
        self._lock = threading.Lock()  # guards the two above
        self._known = self._pattern()

    def add(self, secret: Secret) -> None:
        """Mask a further secret from now on, such as the token of a login or a renewal."""
        value = secret.reveal()
        if value in self._given or value in self._added:
            return
        with self._lock:
            self._added[value] = None
            for oldest in list(self._added)[:-MAX_ADDED]:
                del self._added[oldest]
            self._known = self._pattern()

    def keep(self, secrets: Iterable[Secret]) -> None:
        """Mask these for as long as they are not replaced by another call, and those of the call before like added
        ones: what has gone from the configuration may still stand in a text."""
        with self._lock:
            before, self._given = self._given, {secret.reveal() for secret in secrets}
            self._added = {value: None for value in (*self._added, *before) if value not in self._given}
            for oldest in list(self._added)[:-MAX_ADDED]:
                del self._added[oldest]
            self._known = self._pattern()

    def _pattern(self) -> re.Pattern[str] | None:
        values = (*self._given, *self._added)
        seen = {form for value in values if len(value) >= SHORTEST_SECRET for form in _forms(value)}
        known = sorted(seen, key=len, reverse=True)
        return re.compile("|".join(map(re.escape, known))) if known else None

    def finds(self, text: str) -> bool:
        """Whether the text contains anything to mask."""
        known = self._known
        return (known is not None and known.search(text) is not None) or _SHAPES.search(text) is not None

    def mask(self, text: str) -> str:
        """The text with every secret replaced by ***."""
        known = self._known
        if known is not None:
            text = known.sub(MASK, text)
        return _SHAPES.sub(MASK, text)


def _forms(value: str) -> tuple[str, ...]:
    """The forms of a value in a message, in a repr, in JSON and in an address."""
    return value, repr(value)[1:-1], dumps(value).decode()[1:-1], quote(value, safe="", errors="replace")
