"""A caller of the invented wire: asks a whole gateway, and reads what comes as strictly as a client would."""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from gateway.core.sse import Event, SseDecoder
from tests.support.block_wire import PATH
from tests.support.edge import connect_to
from tests.support.running import Running

SHOWN = {"oracle-thoughts": "shown"}
LIVE = PATH + "?live=yes"


def words(text: str) -> dict[str, Any]:
    """A block of text."""
    return {"is": "words", "words": text}


def thought(text: str) -> dict[str, Any]:
    """A block of reasoning."""
    return {"is": "thought", "words": text}


def errand(id: str, tool: str, given: Mapping[str, object]) -> dict[str, Any]:
    """A block that calls a tool."""
    return {"is": "errand", "errand": id, "tool": tool, "input": dict(given)}


def outcome(id: str, text: str, **more: object) -> dict[str, Any]:
    """A block with the result of a call."""
    return {"is": "outcome", "errand": id, "words": text, **more}


def seeker(*blocks: Mapping[str, Any]) -> dict[str, Any]:
    """A turn of the caller."""
    return {"by": "seeker", "blocks": list(blocks)}


def oracle(*blocks: Mapping[str, Any]) -> dict[str, Any]:
    """A turn of the model."""
    return {"by": "oracle", "blocks": list(blocks)}


QUESTION = seeker(words("Tell me."))


def question(*turns: Mapping[str, Any], mind: str = "best", **fields: object) -> dict[str, Any]:
    """A request."""
    return {"mind": mind, "talk": list(turns or (QUESTION,)), **fields}


@dataclass
class Heard:
    """A stream, read event by event. Reading asserts what every stream of this wire keeps: the numbers count from 0,
    one block is open at a time, blocks are numbered in their order, and nothing follows the end.

    Attributes:
        names: of the events, in their order.
        blocks: what they add up to; `pieces`: of each block, how many there were.
        begin, end, doom, moved: the data of those events.
    """

    names: list[str] = field(default_factory=list)
    blocks: list[dict[str, Any]] = field(default_factory=list)
    pieces: list[int] = field(default_factory=list)
    begin: dict[str, Any] | None = None
    end: dict[str, Any] | None = None
    doom: dict[str, Any] | None = None
    moved: dict[str, Any] | None = None
    _open: int | None = None

    def take(self, event: Event) -> None:
        """Read one event."""
        data: dict[str, Any] = json.loads(event.data)
        assert data.pop("n") == len(self.names), "the numbers are not in order"
        assert self.end is None and self.doom is None, "something follows the end"
        self.names.append(event.event)
        match event.event:
            case "begin":
                assert self.begin is None
                self.begin = data
            case "open":
                assert self._open is None and data.pop("block") == len(self.blocks)
                self._open = len(self.blocks)
                self.blocks.append({**data, "input" if data["is"] == "errand" else "words": ""})
                self.pieces.append(0)
            case "add":
                assert data["more"] and data["block"] == self._open
                self.blocks[-1][[*self.blocks[-1]][-1]] += data["more"]
                self.pieces[-1] += 1
            case "close":
                assert data["block"] == self._open
                self._open = None
            case "end":
                assert self._open is None
                self.end = data
            case "doom":
                self.doom = data
            case "moved":
                self.moved = data
            case other:
                assert other == "hum" and not data

    @property
    def events(self) -> list[str]:
        """The names of the events that say something."""
        return [name for name in self.names if name != "hum"]

    @property
    def said(self) -> list[dict[str, Any]]:
        """The blocks with the inputs of errands read."""
        return [{**one, "input": json.loads(one["input"] or "{}")} if "input" in one else one for one in self.blocks]

    @property
    def as_whole(self) -> dict[str, Any]:
        """The whole answer that the stream adds up to."""
        assert self.begin is not None and self.end is not None, self.names
        return {**self.begin, "blocks": self.said, **self.end}


def heard(reply: requests.Response) -> Heard:
    """A stream that has come whole."""
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8", reply.text
    found = Heard()
    for event in SseDecoder().feed(reply.content):
        found.take(event)
    return found


class Listener:
    """A caller that reads a stream while it comes; the test decides how far."""

    def __init__(self, gateway: Running, body: Mapping[str, Any]) -> None:
        data = json.dumps(body).encode()
        head = f"POST {LIVE} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        self._connection: socket.socket = connect_to(gateway)
        self._connection.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        self._events: SseDecoder | None = None
        self._head = b""
        self.stream = Heard()

    def until(self, name: str) -> None:
        """Read up to the next event of this name, or to one behind it that came with it."""
        before = self.stream.names.count(name)
        while self.stream.names.count(name) == before:
            assert self._read(), self.stream.names

    def rest(self) -> Heard:
        """Read to the end."""
        while self._read():
            pass
        self._connection.close()
        return self.stream

    def close(self) -> None:
        """Leave. Idempotent."""
        self._connection.close()

    def _read(self) -> bool:
        data = self._connection.recv(1 << 16)
        if self._events is None:
            self._head += data
            _, end, data = self._head.partition(b"\r\n\r\n")
            if not end:
                return bool(self._head)
            assert self._head.startswith(b"HTTP/1.1 200 ") or self._head.startswith(b"HTTP/1.0 200 "), self._head
            self._events = SseDecoder()
        for event in self._events.feed(data):
            self.stream.take(event)
        return bool(data) or not self.stream.names
