"""A real Redis or Valkey server on a loopback port, for the tests that need one; skipped with the reason elsewhere."""

import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from gateway.sharing.address import RedisAddress
from gateway.sharing.redis_link import RedisAway, RedisLink
from gateway.sharing.script import Command, plain
from tests.support.other_processes import stop
from tests.support.ports import free_port

PROGRAM = shutil.which("redis-server") or shutil.which("valkey-server")
CLIENT = find_spec("redis") is not None

needs_redis = pytest.mark.skipif(
    not (PROGRAM and CLIENT),
    reason="redis-server is not installed" if CLIENT else "redis is not installed: requirements-redis.txt has it",
)


class RedisServer:
    """A server of its own, without a file.

    Attributes:
        port: where it listens.

    Args:
        options: of the program, such as ("--requirepass", "word").
        port: where it is to listen; a free one by default.
    """

    def __init__(self, options: Sequence[str] = (), port: int | None = None) -> None:
        self.port = port or free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._options = tuple(options)
        self._folder = tempfile.TemporaryDirectory(prefix="redis-")
        self.start()

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        assert PROGRAM is not None
        fixed = ("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
        log = Path(self._folder.name, "log")
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [PROGRAM, *fixed, "--dir", self._folder.name, *self._options], stdout=output, stderr=output
            )
        while b"Ready to accept connections" not in log.read_bytes():
            assert self._process.poll() is None, log.read_text()

    def pause(self) -> None:
        """Stop it where it is; its connections stay. POSIX's."""
        if sys.platform != "win32":
            stop(self._process.pid)

    def resume(self) -> None:
        """Let it go on."""
        if sys.platform != "win32":
            self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once; what it had is gone."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        self.kill()
        self._folder.cleanup()


class Asking:
    """One round trip after the other, for a test that asks the server itself."""

    def __init__(self, server: RedisServer, timeout: float = 5.0) -> None:
        self.link = RedisLink(RedisAddress(server.url), timeout)

    def __call__(self, command: Command) -> Any:
        return self.link.ask([command])[0]

    def plain(self, *arguments: str | int) -> Any:
        return self(plain(*arguments))

    def close(self) -> None:
        self.link.close()

    def is_there(self) -> bool:
        try:
            return bool(self.plain("PING") == b"PONG")
        except RedisAway:
            return False
