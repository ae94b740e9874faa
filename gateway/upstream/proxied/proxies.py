"""Which proxy the environment names for an address, as it is now (HTTPS_PROXY, NO_PROXY and the like).

Addresses of this machine have none, whatever the environment says: their keys travel unencrypted, and a proxy would
read them.
"""

import os
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies

from gateway.core.this_machine import is_this_machine

SPOKEN: Final = frozenset({"http", "https"})
VARIABLES: Final = tuple(
    name for kind in ("https", "http", "all", "no") for name in (f"{kind}_proxy", f"{kind}_proxy".upper())
)
"""All variables about proxies."""
SYSTEM: Final = "the system's settings"
"""Where a proxy comes from that no variable names: Windows and macOS have settings for it."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy before an address.

    Attributes:
        scheme: how it is spoken to.
        address: its host and port, without its user and password; empty where the variable holds no address.
        source: the variable that names it, or SYSTEM.
    """

    scheme: str
    address: str
    source: str

    def __str__(self) -> str:
        return f"the proxy {self.address} ({self.source})"

    @property
    def fault(self) -> str | None:
        """Why it cannot be used; None if it can."""
        if not self.address:
            return f"{self.source} is no address of a proxy: name it as http://HOST:PORT, or add the host to NO_PROXY"
        if self.scheme in SPOKEN:
            return None
        kind = "SOCKS" if self.scheme.startswith("socks") else f"{self.scheme}://"
        return f"{kind} is not supported for {self}: name an http:// proxy, or add the host to NO_PROXY"


def proxies_for(endpoint: str) -> dict[str, str]:
    """The proxies by scheme, as requests takes them. Addresses of this machine have none."""
    if is_this_machine(urlsplit(endpoint).hostname) or getproxies().keys() <= {"no"}:
        return {}
    from requests.utils import get_environ_proxies  # noqa: PLC0415 - takes 40 ms, and most have no proxy

    return dict(get_environ_proxies(endpoint))


def proxy_of(endpoint: str) -> Proxy | None:
    """The proxy before an address; None if there is none."""
    proxies = proxies_for(endpoint)
    if not proxies:
        return None
    from requests.utils import select_proxy  # noqa: PLC0415 - as above

    url = select_proxy(endpoint, proxies)
    if url is None:
        return None
    scheme, _, rest = url.rpartition("://")
    return Proxy(scheme.lower() or "http", _address(rest), _source(endpoint, url))


def is_proxied(endpoint: str) -> bool:
    """Whether an address is behind a proxy."""
    return proxy_of(endpoint) is not None


def _address(text: str) -> str:
    """Host and port of a URL's part behind its scheme; empty where they are malformed."""
    authority = re.split(r"[/?#]", text, maxsplit=1)[0].rpartition("@")[2]
    try:
        found = urlsplit(f"//{authority}")
        return authority if found.hostname and found.port != 0 else ""
    except ValueError:
        return ""


def _source(endpoint: str, url: str) -> str:
    """Which variable names the proxy; in small letters it wins over capitals (urllib.request.getproxies)."""
    scheme = urlsplit(endpoint).scheme.lower()
    names = [f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY"]
    return next((name for name in names if os.environ.get(name) == url), SYSTEM)
