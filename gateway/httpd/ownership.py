"""Who has a connection: one owner at a time, and every way it passes to another.

`Connection.owner` is written by the present owner only, and a hand-over is the last thing an owner does with the
connection. So it needs no lock. The input side (the socket's reading, the parser, bytes read ahead, the request that is
served) is the owner's. The output side is under `Output.lock`. Only the loop closes, and only what it owns.
tests/httpd/ownership_model.py explores every order in which the threads can meet: change the model first.
"""

from enum import Enum
from typing import Final


class Owner(Enum):
    """Who has a connection."""

    LOOP = "the loop's thread: waits for the next request"
    WORKER = "a pool's thread, or its line: serves a request, or waits a moment for the next one"
    RELAY = "the relay's thread: sends the rest of a stream"
    CLOSED = "nobody: the loop has closed it"


LOOP: Final = Owner.LOOP
WORKER: Final = Owner.WORKER
RELAY: Final = Owner.RELAY
CLOSED: Final = Owner.CLOSED

HAND_OVERS: Final = frozenset(
    {
        (LOOP, WORKER),  # submit: a request has come whole
        (WORKER, WORKER),  # submit: the next request had come with the last one, or is another pool's
        (WORKER, RELAY),  # detach: the rest of the answer needs no thread
        (RELAY, WORKER),  # submit: the next request had come with the one whose stream has ended
        (WORKER, LOOP),  # give_back
        (RELAY, LOOP),  # give_back
        (LOOP, CLOSED),  # close
    }
)
"""All there are. The tests run with an `owner` that refuses any other."""
