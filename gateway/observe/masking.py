"""Secrets out of a text, by value and by shape: whatever path a key took into it.

It is asked for every line of the log, and by whoever shows a text from outside to a person.
"""

import re
import threading
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from gateway.core.secrets import MASK, Secret
from gateway.core.strict_json import dumps

SHORTEST_SECRET: Final = 6
"""Characters below which a value is not masked: it would blacken ordinary words."""
MAX_LEARNED: Final = 200
"""Learned secrets that are remembered. A token lives for minutes or days, and the oldest have expired by then."""
_SHAPES: Final = re.compile(
    r"\b(?:sk|gsk|xai|pk|rk)[-_][A-Za-z0-9_\-]{16,}|\bAIza[A-Za-z0-9_\-]{20,}|\bya29\.[A-Za-z0-9_\-.]+"
    r"|\beyJ[A-Za-z0-9_\-]{8,2000}\.[A-Za-z0-9_\-.]+|\bgh[pousr]_[A-Za-z0-9]{20,}"
)


class Masker:
    """Takes secrets out of a text. Safe to use from many threads.

    Args:
        secrets: the ones known by value.
    """

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._given = {secret.reveal() for secret in secrets}
        self._learned: dict[str, None] = {}
        self._lock = threading.Lock()  # over the two above
        self._known = self._pattern()

    def learn(self, secret: Secret) -> None:
        """Mask this one too from here on: a token that has come with a login or a renewal."""
        value = secret.reveal()
        if value in self._given or value in self._learned:
            return
        with self._lock:
            self._learned[value] = None
            for oldest in list(self._learned)[:-MAX_LEARNED]:
                del self._learned[oldest]
            self._known = self._pattern()

    def _pattern(self) -> re.Pattern[str] | None:
        values = (*self._given, *self._learned)
        seen = {form for value in values if len(value) >= SHORTEST_SECRET for form in _forms(value)}
        known = sorted(seen, key=len, reverse=True)
        return re.compile("|".join(map(re.escape, known))) if known else None

    def finds(self, text: str) -> bool:
        """Whether there is anything to mask."""
        known = self._known
        return (known is not None and known.search(text) is not None) or _SHAPES.search(text) is not None

    def mask(self, text: str) -> str:
        """`text` with every secret as ***."""
        known = self._known
        if known is not None:
            text = known.sub(MASK, text)
        return _SHAPES.sub(MASK, text)


def _forms(value: str) -> tuple[str, ...]:
    """A value as it stands in a message, in a repr, in JSON and in an address."""
    return value, repr(value)[1:-1], dumps(value).decode()[1:-1], quote(value, safe="", errors="replace")
