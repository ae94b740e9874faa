"""An authorization server's endpoint: which addresses may be asked, and what an answer is.

The HTTP client is in http.py alone: importing it takes 50 ms, and most processes never ask.
"""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from gateway.core.this_machine import is_this_machine


@dataclass(frozen=True, slots=True)
class OAuthResponse:
    """A response with any status but a redirect. Its body may contain a token, so the repr omits it."""

    status: int
    content_type: str
    body: bytes = field(repr=False)


def trusted_address(url: str) -> bool:
    """Whether secrets may be sent to an address: https, or http on this machine; no user name, no fragment."""
    try:
        address = urlsplit(url)
        host, _ = address.hostname, address.port
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and not any(mark in url for mark in ' \\"<>')
    if not host or not plain or "@" in address.netloc or address.fragment:
        return False
    return address.scheme == "https" or (address.scheme == "http" and is_this_machine(host))
