"""Connections to a Redis or Valkey server, and round trips over them.

A caller takes a connection, sends its commands, reads their answers, and gives the connection back; the one that was
used last goes first. The client library makes connections (TLS, login, protocol) and reads answers; its retries are off
and its own pool is not used: a call that asks a server that is not there has to know at once.

Who touches what: the lists of idle and busy connections belong to whoever holds the lock; a connection belongs to the
caller that took it. `abandon` shuts the sockets of busy ones down, so that their callers do not wait any longer, and
leaves closing to them.
"""

import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from gateway.sharing.address import Connection, RedisAddress
from gateway.sharing.script import Command

MOST_CONNECTIONS: Final = 32


class RedisAway(Exception):
    """The server did not answer as it should. The text says how, and holds no secret."""


class WrongPassword(RedisAway):
    """The server does not accept the user or the password, or wants one."""


class RedisLink:
    """The connections to one server. Safe to use from many threads.

    Args:
        address: of the server.
        timeout: seconds that connecting and each answer may take.
    """

    def __init__(self, address: RedisAddress, timeout: float) -> None:
        import redis  # noqa: PLC0415 - 21 MB that only a gateway with `sharing.engine: redis` loads

        self._errors = redis.exceptions
        self._address = address
        self._timeout = timeout
        self._lock = threading.Condition(threading.Lock())
        self._waiting = 0
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self._closed = False

    def ask(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands in one piece, and read their answers.

        Raises:
            RedisAway: the server did not answer all of them, or answered an error. What it did is not known then.
        """
        try:
            connection = self._take()
            is_sound = False
            try:
                answers = self._exchange(connection, commands)
                is_sound = True
            finally:
                self._give_back(connection, is_sound=is_sound)
        except self._errors.AuthenticationError as error:
            raise WrongPassword(_words(error)) from None
        except (self._errors.RedisError, OSError) as error:
            raise RedisAway(_words(error)) from None
        return answers

    def subscription(self, silence: float) -> Connection:
        """A connection of its own, for messages. The caller disconnects it.

        Args:
            silence: seconds for which nothing may come.

        Raises:
            RedisAway: it could not be made.
        """
        connection = self._address.connection(silence, connecting=self._timeout)
        try:
            connection.connect()
        except (self._errors.RedisError, OSError) as error:
            connection.disconnect()
            raise RedisAway(_words(error)) from None
        return connection

    def send(self, connection: Connection, command: Command) -> None:
        """Send a command on such a connection. Raises RedisAway."""
        try:
            connection.send_packed_command([command.short], check_health=False)
        except (self._errors.RedisError, OSError) as error:
            raise RedisAway(_words(error)) from None

    def read(self, connection: Connection) -> Any:  # noqa: ANN401 - whatever the server says
        """What comes next on such a connection. Raises RedisAway."""
        try:
            return connection.read_response()
        except (self._errors.RedisError, OSError) as error:
            raise RedisAway(_words(error)) from None

    def interrupt(self, connection: Connection) -> None:
        """Have whoever reads of a connection read no longer."""
        if (sock := connection._sock) is not None:  # noqa: SLF001 - the library has no public name for it
            _shut_down(sock)

    def abandon(self) -> None:
        """Have everyone who waits for an answer wait no longer, and use no connection again that was made before."""
        with self._lock:
            idle, self._idle = self._idle, []
            for each in self._busy:
                self.interrupt(each)
        for each in idle:
            each.disconnect()

    def close(self) -> None:
        """Close all connections. Idempotent."""
        self._closed = True
        self.abandon()

    def _take(self) -> Connection:
        with self._lock:
            if len(self._busy) >= MOST_CONNECTIONS:
                self._wait_for_room()
            if self._idle:
                connection = self._idle.pop()
                self._busy.add(connection)
                return connection
            connection = self._address.connection(self._timeout)
            self._busy.add(connection)
        try:
            connection.connect()
        except BaseException:
            self._give_back(connection, is_sound=False)
            raise
        return connection

    def _wait_for_room(self) -> None:
        """Wait until a connection may be taken. Under the lock."""
        self._waiting += 1
        try:
            if not self._lock.wait_for(lambda: len(self._busy) < MOST_CONNECTIONS, self._timeout):
                raise RedisAway(f"all {MOST_CONNECTIONS} connections are waiting for it")
        finally:
            self._waiting -= 1

    def _give_back(self, connection: Connection, *, is_sound: bool) -> None:
        with self._lock:
            self._busy.discard(connection)
            if self._waiting:
                self._lock.notify()
            if is_sound and not self._closed:
                self._idle.append(connection)
                return
        connection.disconnect()

    def _exchange(self, connection: Connection, commands: Sequence[Command]) -> list[Any]:
        connection.send_packed_command([b"".join([each.short for each in commands])], check_health=False)
        answers = [self._read(connection) for _ in commands]
        for place, answer in enumerate(answers):
            if isinstance(answer, self._errors.NoScriptError):
                connection.send_packed_command([commands[place].in_full], check_health=False)
                answers[place] = self._read(connection)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers

    def _read(self, connection: Connection) -> Any:  # noqa: ANN401 - whatever the server answers
        """An answer; an error that ends no connection is one as well."""
        try:
            return connection.read_response()
        except self._errors.ResponseError as error:
            return error


def _shut_down(sock: socket.socket) -> None:
    with suppress(OSError):  # its owner has closed it meanwhile, or it was never connected
        sock.shutdown(socket.SHUT_RDWR)


def _words(error: Exception) -> str:
    """An error in one line. The client library's texts name host and port, and never a user or password."""
    text = " ".join(str(error).split())
    return text[:200] or type(error).__name__
