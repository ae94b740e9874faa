"""Headers of a provider that are passed on to the caller: what clients read to pace themselves.

Clients refuse a reply of more than 100 headers, so a provider that sends many would make an error of its answer. So
the number and the size of them are limited.
"""

import re
from collections.abc import Mapping
from typing import Final

from gateway.wires.base import Headers

MOST: Final = 32
LONGEST: Final = 256
"""Characters of a header's value."""
RATE_LIMITS: Final = re.compile(r"^x-ratelimit-[a-z0-9-]{1,64}$", re.MULTILINE | re.IGNORECASE | re.ASCII)
"""OpenAI's, which many servers send. Source: https://platform.openai.com/docs/guides/rate-limits."""


def forwarded(headers: Mapping[str, str], names: re.Pattern[str]) -> Headers:
    """The headers to pass on.

    Args:
        headers: the provider's, with case-insensitive or lower-case keys.
        names: matches a whole line that is the name of such a header.
    """
    found = names.findall("\n".join(headers))  # all at once: most names of a head are others
    passed = [
        (name.lower(), value)
        for name in found
        if len(value := headers[name]) <= LONGEST and value.isascii() and value.isprintable()
    ]
    return tuple(passed[:MOST])
