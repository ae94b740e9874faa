"""The gateway's own paths that others must know too, and how a path is read. A module of its own, so that a client
imports no web framework."""

from typing import Final

CLIENTS: Final = "/gateway/clients.json"
EXPLAIN: Final = "/gateway/explain"
RELOAD: Final = "/gateway/reload"
HEALTH: Final = "/health"
METRICS: Final = "/metrics"
USAGE: Final = "/gateway/usage.json"
STATUS: Final = "/gateway/status.json"
CALLS: Final = "/gateway/calls.json"
LOGIN: Final = "/gateway/login"
LOGOUT: Final = "/gateway/logout"
PAGE: Final = "/"
PAGE_FILES: Final = "/gateway/page/"
OWN: Final = ("/gateway", METRICS)
"""How the paths begin that are about the gateway itself, besides the page's."""


def acts(path: str) -> bool:
    """Whether a path acts for the person who runs the gateway: that takes a right that no reader has."""
    return path.startswith((LOGIN, LOGOUT))


def plain_path(path: str) -> str:
    """`/v1/x` for `/v1/v1/x` and `/v1//x`: a client's base address may have one /v1 or one slash too many."""
    if path.startswith(("/v1//", "/v1/v1/")):
        return "/v1/" + path.removeprefix("/v1/").removeprefix("v1/").lstrip("/")
    return path
