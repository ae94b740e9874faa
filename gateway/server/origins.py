"""What a request says of the web page that it comes from. From the WSGI environ alone."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from gateway.httpd.interfaces import AUTHORITY
from gateway.server.paths import OWN, PAGE

Environ: TypeAlias = Mapping[str, Any]
"""WSGI's, in which the values of all fields are strings."""


def own_origin(environ: Environ) -> str:
    """The origin of a page of ours: the host by which it is asked, which was accepted. A browser sends it with a POST
    of our own page too. TLS is nothing that we speak."""
    host = environ.get(AUTHORITY) or environ.get("HTTP_HOST") or ""
    return f"http://{host.lower()}"


def asks_for_own(environ: Environ) -> bool:
    """Whether the page, its data, or the metrics are asked for, which no other page may have."""
    path = environ.get("PATH_INFO") or PAGE
    return path == PAGE or path.startswith(OWN)


def is_preflight(environ: Environ) -> bool:
    """Whether a browser asks whether a page may ask (https://fetch.spec.whatwg.org/#cors-preflight-fetch)."""
    return (
        environ.get("REQUEST_METHOD") == "OPTIONS"
        and "HTTP_ORIGIN" in environ
        and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
    )


def normal_origin(origin: str) -> str:
    """An origin as a browser writes it."""
    return origin.strip().rstrip("/").lower()
