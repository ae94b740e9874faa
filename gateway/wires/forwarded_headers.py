"""Headers of a provider that are passed on to the caller: what clients read to pace themselves.

Clients refuse a reply of more than 100 headers, so a provider that sends many would make an error of its answer. So
the number and the size of them are limited.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from gateway.wires.base import Headers

MOST: Final = 32
LONGEST: Final = 256
"""Characters of a header's value."""
RATE_LIMITS: Final = re.compile(r"\n(x-ratelimit-[a-z0-9-]{1,64})$", re.MULTILINE)
"""OpenAI's, which many servers send. Source: https://platform.openai.com/docs/guides/rate-limits."""


def forwarded(headers: Mapping[str, str], names: re.Pattern[str]) -> Headers:
    """The headers to pass on.

    Args:
        headers: the provider's.
        names: matches the end of a line and then a whole line that is the name of such a header, in lower case; its
            group is the name. It begins with plain characters and no `^`: Python finds those in half the time.
    """
    values = tuple(headers.values())
    passed = [
        (name, value)
        for name, place in _matching(tuple(headers.keys()), names)
        if len(value := values[place]) <= LONGEST and value.isascii() and value.isprintable()
    ]
    return tuple(passed[:MOST])


@lru_cache(maxsize=32)
def _matching(fields: tuple[str, ...], names: re.Pattern[str]) -> Sequence[tuple[str, int]]:
    """Those of the fields that are passed on: in lower case, and their places. It is remembered, because a provider's
    answers mostly have the same fields."""
    places = {each.lower(): place for place, each in enumerate(fields)}
    found = names.findall("\n".join(("", *places)))  # all at once: most fields of a head are others
    return [(name, places[name]) for name in found]
