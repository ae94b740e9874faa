"""Which proxy the environment names for an address, as it is now (HTTPS_PROXY, NO_PROXY and the like)."""

from typing import Final
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, select_proxy

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def proxies_for(endpoint: str) -> dict[str, str]:
    """The proxies by scheme, as requests takes them. Addresses of this machine have none."""
    if urlsplit(endpoint).hostname in LOOPBACK:
        return {}
    return dict(get_environ_proxies(endpoint))


def is_proxied(endpoint: str) -> bool:
    """Whether an address is behind a proxy."""
    return select_proxy(endpoint, proxies_for(endpoint)) is not None
