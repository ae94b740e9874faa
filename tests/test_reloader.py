"""The reloads of a server that is only played: what is tried again, and what a stop leaves undone."""

import os
import threading
from pathlib import Path

import pytest

from gateway.config.faults import Fault
from gateway.config.loader import ConfigError, Loaded, parse
from gateway.config_file import ConfigFile
from gateway.core.clock import SystemClock
from gateway.core.errors import Draining
from gateway.reload import Reloader
from tests.support.edge import LIMIT, until

FIRST = b"gateway: {drainSeconds: 1}\n"
SECOND = b"gateway: {drainSeconds: 2}\n"

pytestmark = pytest.mark.usefixtures("file_seen_soon")


class Server:
    """Serves whatever it is given."""

    def __init__(self) -> None:
        self.loaded = parse(FIRST, "config.yaml", env={})
        self.generation = 1

    def serve(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self.generation += 1


class Locked(ConfigFile):
    """A file that another program has locked the first times: it looks the same before and after."""

    tries: list[int] = []  # noqa: RUF012 - set by the test

    def read(self) -> bytes:
        self.tries.append(len(self.tries))
        if len(self.tries) < 3:
            raise ConfigError([Fault("", 0, 0, "cannot be read: Permission denied", str(self.path))])
        return ConfigFile.read(self)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_bytes(SECOND)
    os.utime(path, (1, 1))
    return path


def test_a_file_that_cannot_be_read_is_tried_again_and_told_once(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Locked, "tries", [])
    server = Server()
    reloader = Reloader(server, Locked(path, {}), SystemClock())
    reloader.start()
    try:
        until(lambda: server.generation == 2)
    finally:
        reloader.close()
    assert len([each for each in caplog.messages if "Permission denied" in each]) == 1
    assert server.loaded.config.gateway.drain_seconds == 2


def test_after_a_stop_nothing_is_read(path: Path) -> None:
    server = Server()
    reloader = Reloader(server, ConfigFile(path, {}), SystemClock())
    reloader.start()
    reloader.stop()
    with pytest.raises(Draining):
        reloader.reload()
    reloader.request()
    reloader.close()
    reloader.close()
    assert server.generation == 1
    assert "gateway-reload" not in [each.name for each in threading.enumerate()]


def test_a_stop_in_the_middle_of_a_reload_is_no_fault(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Closed(Server):
        def serve(self, loaded: Loaded) -> None:
            raise Draining("The gateway is shutting down.")

    with pytest.raises(Draining):
        Reloader(Closed(), ConfigFile(path, {}), SystemClock()).reload()
    assert caplog.messages == []


def test_requests_come_one_after_the_other_and_each_is_answered(path: Path) -> None:
    server, serving = Server(), threading.Semaphore(0)

    class Slow(Server):
        def serve(self, loaded: Loaded) -> None:
            serving.release()
            assert go_on.wait(LIMIT)
            server.serve(loaded)
            Server.serve(self, loaded)

    go_on = threading.Event()
    slow = Slow()
    reloader = Reloader(slow, ConfigFile(path, {}), SystemClock())
    outcomes: list[int] = []
    threads = [threading.Thread(target=lambda: outcomes.append(reloader.reload().generation)) for _ in range(3)]
    for each in threads:
        each.start()
    assert serving.acquire(timeout=LIMIT)
    go_on.set()
    for each in threads:
        each.join(LIMIT)
    assert outcomes == [2, 2, 2]
    assert server.generation == 2, "the others found nothing new"
