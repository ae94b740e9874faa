"""What parent and worker say to each other, as lines of JSON. Bytes in, messages out; no socket is known here.

A line has at most MAX_LINE bytes. A longer body goes in pieces, of which all but the last say that more follows, and
nothing comes between them. What breaks these rules ends the connection: both ends are ours, so it is a fault.
"""

from collections.abc import Iterator, Sequence
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from gateway.workers.siblings import MAX_BODY

MAX_LINE: Final = 64 << 10
"""Bytes."""
PIECE: Final = 45_000
"""Bytes of a body in a line: as base64 they are a third more."""
ALL: Final = -1
"""In place of a worker's number: all others."""
PARENT: Final = -2
"""Likewise: the parent itself."""

Kind = Literal[
    "start",  # parent: the body says what to serve (gateway.workers.start)
    "built",  # worker: it could serve; the body says what the greeting is
    "go",  # parent: accept connections
    "state",  # parent: the body says what all workers know (gateway.workers.start)
    "leaving",  # worker: it accepts no more, and ends when its calls have
    "drain",  # parent: do so
    "left",  # worker: it is about to end; `id` answers were cut
    "ask",  # worker: a question for `worker`
    "question",  # parent: another worker's question
    "answer",  # worker: to the question `id`
    "unanswered",  # worker: it has no answer to the question `id`
    "reply",  # parent: `worker`'s answer to the own question `id`
    "done",  # parent: no further reply to the own question `id` comes
    "keep",  # worker: the last answers to `topic` are to be kept
    "own",  # worker: its own answer to a topic that is kept
    "fold",  # parent: make one of the answers in the body, as an answer to the question `id`
    "prepare",  # parent: build what the body says, for the reload `id`
    "ready",  # worker: it is built
    "fault",  # worker: it cannot be built; the body says why
    "turn",  # parent: serve what was built
    "drop",  # parent: forget what was built
]


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message.

    Attributes:
        kind: see Kind.
        id: tells questions, reloads apart.
        topic: of a question.
        worker: to whom, or from whom.
        within: seconds that a question may take.
        body: anything.
        more: whether the body goes on in the next message.
    """

    kind: Kind
    id: int = 0
    topic: str = ""
    worker: int = ALL
    within: float = 0.0
    body: bytes = b""
    more: bool = False


class Broken(Exception):
    """The other end has broken the rules."""


_BODIES: Final = msgspec.json.Decoder(list[bytes])
_decoder: Final = msgspec.json.Decoder(Message)


def lines(message: Message) -> Iterator[bytes]:
    """A message as it is sent. Raises ValueError: its body is longer than MAX_BODY."""
    if len(message.body) > MAX_BODY:
        raise ValueError(f"a body of {len(message.body)} bytes is too long")
    for start in range(0, max(1, len(message.body)), PIECE):
        piece = message.body[start : start + PIECE]
        more = start + PIECE < len(message.body)
        yield msgspec.json.encode(replace(message, body=piece, more=more)) + b"\n"


class MessageReader:
    """Makes messages of what comes."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._body = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that are whole with these bytes. Raises Broken."""
        *whole, rest = data.split(b"\n")
        for each in whole:
            line = bytes(self._line + each) if self._line else each
            self._line.clear()
            message = self._message(line)
            if message is not None:
                yield message
        self._line += rest
        if len(self._line) > MAX_LINE:
            raise Broken("a line is too long")

    def _message(self, line: bytes) -> Message | None:
        if len(line) > MAX_LINE:
            raise Broken("a line is too long")
        try:
            message = _decoder.decode(line)
        except msgspec.DecodeError:
            raise Broken("a line is no message") from None
        if len(self._body) + len(message.body) > MAX_BODY:
            raise Broken("a body is too long")
        if message.more:
            self._body += message.body
            return None
        if self._body:
            message = replace(message, body=bytes(self._body + message.body))
            self._body.clear()
        return message


def folded(bodies: Sequence[bytes]) -> bytes:
    """The body of a message `fold`."""
    return msgspec.json.encode(bodies)


def unfolded(body: bytes) -> list[bytes]:
    """What `folded` was given."""
    return _BODIES.decode(body)
