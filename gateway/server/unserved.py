"""Which rows a configuration switches off. Their paths are then unknown ones."""

from typing import Final

from gateway.config import schema
from gateway.server.login_routes import NAMES as LOGINS
from gateway.server.metrics_route import NAME as METRICS
from gateway.server.page_route import NAMES as PAGE

NOTHING: Final[frozenset[str]] = frozenset()


def unserved(settings: schema.Gateway) -> frozenset[str]:
    """The names of the rows. Logins are there for the page; what it shows may be read without it."""
    return (NOTHING if settings.metrics else frozenset({METRICS})) | (NOTHING if settings.page else PAGE | LOGINS)
