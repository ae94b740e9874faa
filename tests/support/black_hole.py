"""A provider whose connections can become black holes: what comes is dropped before TCP sees it, so that nobody
acknowledges it and no end of the connection is told, as where a router or a VPN has forgotten it."""

import ctypes
import socket
import struct
import sys
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from tests.support.ports import open_listener

SO_ATTACH_FILTER = 26  # asm-generic/socket.h
EMPTY = 80  # bytes: more than any TCP header without data, and less than a request
DROP_DATA = b"".join(  # the classic packet filter, linux/filter.h: is it longer? then keep 0 bytes of it, else all
    struct.pack("HBBI", *instruction)
    for instruction in ((0x80, 0, 0, 0), (0x25, 0, 1, EMPTY), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF))
)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def can_drop() -> bool:
    """Whether this system can drop the packets of one socket."""
    return sys.platform == "linux"


class BlackHole:
    """Answers each request by `{}`, until it swallows what comes."""

    def __init__(self) -> None:
        self._listener = open_listener()
        self.base_url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.answered = 0
        self._accepting = threading.Thread(target=self._accept, name="upstream-hole", daemon=True)
        self._accepting.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(10)
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    @property
    def connections(self) -> int:
        with self._lock:
            return len(self._open)

    def swallow_what_comes(self) -> None:
        """On every connection that is there; where there is none, on all that come."""
        with self._lock:
            for connection in self._open or [self._listener]:  # connections inherit the listener's filter
                drop_data(connection)

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                connection, _ = self._listener.accept()
                thread = threading.Thread(
                    target=self._serve, args=(connection,), name="upstream-hole-line", daemon=True
                )
                with self._lock:
                    self._open.append(connection)
                    self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection, connection.makefile("rb") as stream:
            while line := stream.readline():
                size = 0
                while line not in (b"\r\n", b""):
                    name, _, value = line.partition(b":")
                    size = int(value) if name.lower() == b"content-length" else size
                    line = stream.readline()
                stream.read(size)
                with self._lock:
                    self.answered += 1
                connection.sendall(ANSWER)


def drop_data(connection: socket.socket) -> None:
    """Have the system drop every packet with data that comes for this socket (socket(7), SO_ATTACH_FILTER)."""
    program = ctypes.create_string_buffer(DROP_DATA)
    fprog = struct.pack("HL", len(DROP_DATA) // 8, ctypes.addressof(program))
    connection.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, fprog)
