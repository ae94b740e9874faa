"""Callers in a process of their own, so that they and the server really run at the same time.

`python -m tests.httpd.callers WHAT PORT COUNT SEED` does WHAT so often and ends with 0, or tells what was wrong.
"""

import contextlib
import random
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

LIMIT = 60.0  # seconds; only a hang takes so long
MIB = 1 << 20
ROOT = Path(__file__).parent.parent.parent
RESET = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
EXPECTING = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"


@lru_cache(maxsize=8)
def pattern(name: bytes, size: int) -> bytes:
    """A body that no other request gets, and in which no part looks like another."""
    line = b"%s-%%08d " % name
    return b"".join(map(line.__mod__, range(size // (len(name) + 10) + 1)))[:size]


def post(name: bytes, size: int) -> bytes:
    """A request for the pattern of that name, of that size."""
    return b"POST /?%s/%d HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}" % (name, size)


class Connection:
    """A connection that reads one answer after the other, and forgives nothing."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=LIMIT)
        self._came = bytearray()

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def take(self, most: int) -> None:
        """Receive so many bytes at most."""
        data = self.socket.recv(most)
        assert data, "the server has closed the connection"
        self._came += data

    def answer(self, piece: int = 1 << 16) -> bytes:
        """The body of the next answer; received in pieces of that size."""
        while b"\r\n\r\n" not in self._came:
            self.take(piece)
        head, _, self._came = self._came.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n"), head[:200]
        length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
        while len(self._came) < length:
            self.take(piece)
        body = bytes(self._came[:length])
        del self._came[:length]
        return body

    def reset(self) -> None:
        """Close with a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.socket.close()


def expect_and_reset(port: int, _: random.Random, name: bytes) -> None:
    """A call, its answer, a head that expects a 100, a reset."""
    with Connection(port) as connection:
        connection.socket.sendall(post(name, 10))
        assert connection.answer() == pattern(name, 10)
        with contextlib.suppress(ConnectionError):
            connection.socket.sendall(EXPECTING)
        connection.reset()


def ask_and_leave(port: int, _: random.Random, name: bytes) -> None:
    """A call, its answer, and the end."""
    with Connection(port) as connection:
        connection.socket.sendall(post(name, 10))
        assert connection.answer() == pattern(name, 10)


def ask_on_and_on(port: int, _: random.Random, name: bytes) -> None:
    """Sixteen connections, on each a call again and again as soon as the last one is answered."""
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(Connection(port)) for _number in range(16)]
        for _turn in range(20):
            for each in connections:
                each.socket.sendall(post(name, 10))
            for each in connections:
                assert each.answer() == pattern(name, 10)


def read_slowly(port: int, chance: random.Random, name: bytes) -> None:
    """A large answer that is read in small pieces, and eight calls behind it, sent while it comes and after."""
    sizes = [4 * MIB, *[40] * 8]
    with Connection(port) as connection:
        for number, size in enumerate(sizes):
            connection.socket.sendall(post(b"%s-%d" % (name, number), size))
            for _ in range(chance.randrange(12)):
                connection.take(40_000)
        for number, size in enumerate(sizes):
            assert connection.answer(50_000) == pattern(b"%s-%d" % (name, number), size)


def anything(port: int, chance: random.Random, name: bytes) -> None:
    """One connection whose caller does what comes to its mind: pipelines, cuts its requests at any byte, reads slowly
    or not at all, closes its half, expects a 100, resets, and leaves anywhere. Whatever it reads is its own."""
    with Connection(port) as connection, contextlib.suppress(ConnectionError):
        asked: list[tuple[bytes, int]] = []
        for number in range(chance.randint(1, 5)):
            size = chance.choice([1, 10, 100, 5_000, 80_000, 600_000]) if chance.random() < 0.995 else 8 * MIB
            asked.append((b"%s-%d" % (name, number), chance.randint(1, size)))
        text = b"".join(post(*each) for each in asked)
        if chance.random() < 0.1:
            text += EXPECTING
        leaves_at = chance.randrange(len(text) + 1) if chance.random() < 0.3 else None
        send_in_pieces(connection, text[:leaves_at], chance)
        if leaves_at is None and chance.random() < 0.2:
            connection.socket.shutdown(socket.SHUT_WR)
        for each in asked[: chance.randint(0, len(asked)) if leaves_at is None else 0]:
            assert connection.answer(chance.choice([1_000, 50_000, 1 << 18])) == pattern(*each)
        if chance.random() < 0.2:
            connection.reset()


def send_in_pieces(connection: Connection, text: bytes, chance: random.Random) -> None:
    """Cut at any byte, a few times; what comes back meanwhile stays in the kernel."""
    connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    cuts = sorted(chance.randrange(len(text) + 1) for _ in range(chance.choice([0, 0, 1, 3])))
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        if start < end:
            connection.socket.sendall(text[start:end])


def take_nothing(port: int, _: random.Random, __: bytes) -> None:
    """Ten callers that ask for 8 MiB, take nothing of it, and leave together."""
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(Connection(port)) for _number in range(10)]
        for each in connections:
            each.socket.sendall(post(b"untaken", 8 * MIB))
        for each in connections:
            each.socket.recv(1, socket.MSG_PEEK)


KINDS: dict[str, Callable[[int, random.Random, bytes], None]] = {
    each.__name__: each
    for each in (expect_and_reset, ask_and_leave, ask_on_and_on, read_slowly, anything, take_nothing)
}


def run(kind: str, port: int, count: int, processes: int) -> None:
    """So many processes, each of which does so so often. Raises AssertionError: one of them was answered wrongly."""
    arguments = [sys.executable, "-m", "tests.httpd.callers", kind, str(port), str(count)]
    running = [
        subprocess.Popen([*arguments, str(seed)], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for seed in range(processes)
    ]
    try:
        told = [process.communicate(timeout=10 * LIMIT)[1] for process in running]
    finally:
        for process in running:
            process.kill()
            process.wait()
    assert [process.returncode for process in running] == [0] * processes, "\n".join(told)


if __name__ == "__main__":
    what = KINDS[sys.argv[1]]
    server, times, seed = map(int, sys.argv[2:])
    chance = random.Random(seed)
    for turn in range(times):
        what(server, chance, b"%d-%d" % (seed, turn))
