"""Races on real sockets: callers that leave, reset, pipeline or read slowly, while Python changes threads as often as
it can. Whatever they do, the server serves on, every answer is whole and its own, and no fault is logged."""

import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.httpd import callers
from tests.httpd.serving import patterns
from tests.support.edge import LIMIT, MIB, Served, get, read_answer, until


@pytest.fixture(autouse=True)
def often_switched() -> Iterator[None]:
    """Python changes threads every microsecond."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        ("expect_and_reset", 60),
        ("ask_and_leave", 60),
        ("ask_on_and_on", 2),
        ("read_slowly", 2),
        ("anything", 40),
        pytest.param("expect_and_reset", 6_700, marks=pytest.mark.slow),
        pytest.param("ask_and_leave", 2_000, marks=pytest.mark.slow),
        pytest.param("ask_on_and_on", 40, marks=pytest.mark.slow),
        pytest.param("read_slowly", 300, marks=pytest.mark.slow),
        pytest.param("anything", 6_700, marks=pytest.mark.slow),
    ],
)
def test_the_server_serves_on_and_every_answer_is_its_own(
    kind: str, count: int, caplog: pytest.LogCaptureFixture
) -> None:
    descriptors = open_descriptors()
    with Served(patterns, threads=64) as served:
        callers.run(kind, served.address[1], count, processes=3)
        until(lambda: served.open == 0)
        assert served.server.wait_idle(LIMIT)
        with served.connect() as connection:
            connection.sendall(get(b"/health"))
            assert read_answer(connection).status == 200
    assert [record.getMessage() for record in caplog.records if record.levelno > logging.INFO] == []
    assert open_descriptors() == descriptors


def open_descriptors() -> int:
    """Of this process; always the same where the system does not tell."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


class Process:
    """The server in a process of its own, whose memory is its own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.httpd.serving"],
            cwd=callers.ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def memory(self) -> tuple[int, int]:
        """Resident bytes and open descriptors, once every caller has been forgotten."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        resident, descriptors = self._line().split()
        return int(resident), int(descriptors)

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="what a process holds is read from /proc")
@pytest.mark.parametrize(("at_once", "times"), [(1, 2), pytest.param(2, 4, marks=pytest.mark.slow)])
def test_the_memory_of_answers_that_nobody_took_comes_back(at_once: int, times: int) -> None:
    with closing(Process()) as server:
        callers.run("take_nothing", server.port, 1, processes=at_once)
        first, _ = server.memory()
        for _ in range(times - 1):
            callers.run("take_nothing", server.port, 1, processes=1)
        last, descriptors = server.memory()
    assert last < 400 * MIB and descriptors < 80
    assert last <= 1.3 * first
