"""The address of a Redis or Valkey server: what `sharing.redis.url` may say, and connections to it."""

import socket
import ssl
from collections.abc import Sequence
from typing import Any, Final, Protocol, cast
from urllib.parse import SplitResult, unquote, urlsplit

from gateway.core.this_machine import is_this_machine

SCHEMES: Final = ("redis", "rediss")
PORT: Final = 6379


class Connection(Protocol):
    """What is used of the client library's connection."""

    _sock: socket.socket | None

    def connect(self) -> None: ...
    def disconnect(self) -> None: ...
    def send_packed_command(self, command: Sequence[bytes], check_health: bool = True) -> None: ...
    def read_response(self) -> Any: ...  # noqa: ANN401 - whatever the server answers


class RedisAddress:
    """A server's address.

    Attributes:
        host, port: where it listens.
        database: its number.
        has_tls: the connection is encrypted, and the server's certificate verified.
        has_password: it names one.

    Args:
        url: `rediss://user:password@host:port/database`.

    Raises:
        ValueError: it is no such address; the text says why, without the address.
    """

    def __init__(self, url: str) -> None:
        parts = _split(url)
        if parts.scheme not in SCHEMES:
            raise ValueError("has to begin with redis:// or rediss://")
        if not parts.hostname:
            raise ValueError("names no host")
        if parts.query or parts.fragment:
            raise ValueError("may have nothing after the number of its database")
        database = parts.path.strip("/")
        if database and not database.isdecimal():
            raise ValueError("has to end with the number of a database, such as /0")
        self.host = parts.hostname
        self.port = parts.port or PORT
        self.database = int(database or 0)
        self.has_tls = parts.scheme == "rediss"
        self.has_password = bool(parts.password)
        self._login = {
            name: unquote(value)
            for name, value in (("username", parts.username), ("password", parts.password))
            if value
        }

    @property
    def secrets(self) -> Sequence[str]:
        """What must not be shown."""
        return [self._login["password"]] if "password" in self._login else []

    def __str__(self) -> str:
        """Without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'rediss' if self.has_tls else 'redis'}://{host}:{self.port}/{self.database}"

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine."""
        return is_this_machine(self.host)

    def connection(self, timeout: float, *, connecting: float | None = None) -> Connection:
        """A connection that is not open yet, with retries off.

        Args:
            timeout: seconds that an answer may take.
            connecting: seconds that each step of connecting may; None for the same.
        """
        from redis import connection as made_by  # noqa: PLC0415 - 21 MB that only a gateway with Redis loads
        from redis.backoff import NoBackoff  # noqa: PLC0415 - the same
        from redis.retry import Retry  # noqa: PLC0415 - the same

        settings: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "db": self.database,
            "socket_timeout": timeout,
            "socket_connect_timeout": timeout if connecting is None else connecting,
            "socket_keepalive": True,
            "retry": Retry(NoBackoff(), 0),
            "driver_info": None,
            "protocol": 2,
            **self._login,
        }
        if not self.has_tls:
            return cast(Connection, made_by.Connection(**settings))
        verified = made_by.SSLConnection(ssl_cert_reqs=ssl.CERT_REQUIRED, ssl_check_hostname=True, **settings)
        return cast(Connection, verified)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("is no address") from None
    return parts
