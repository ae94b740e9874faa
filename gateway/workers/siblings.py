"""What a worker may ask of the other workers of its gateway: the contract, and the one of a gateway with one process.

Questions are for rare events (a scrape, a status, a stored answer, a login), never for what every call does: each one
passes through the parent and takes a fraction of a millisecond at best. A topic is a short name, such as `metrics`; its
bodies are bytes whose form is the business of who answers and who asks. This module imports nothing, so that every
layer may be given a `Siblings`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

MAX_BODY: Final = 8 << 20
"""Bytes of a question or an answer."""

ANSWER_SECONDS: Final = 0.3
"""What others get to answer whoever shows something to people, or looks for what a worker keeps."""

Handler = Callable[[bytes], bytes]
"""Answers a question of another worker. It runs on the hub's one thread: it neither waits nor asks. What it raises is
logged, and the question has no answer."""
Fold = Callable[[Sequence[bytes]], bytes]
"""Makes one answer of several, as one worker would have given it; likewise on the hub's thread."""


class Siblings(Protocol):
    """The other workers. Safe to use from many threads.

    Attributes:
        number: this worker's number, from 0. One that is started again in the place of a dead one has its number.
        count: of all workers that the gateway is to have, this one too.
    """

    number: int
    count: int

    def answer(self, topic: str, handler: Handler) -> None:
        """Answer what others ask about a topic from now on; a later handler takes the place of an earlier one."""

    def ask(self, topic: str, body: bytes, *, within: float) -> Mapping[int, bytes]:
        """Ask all others at once.

        Args:
            topic: what about.
            body: at most MAX_BODY bytes.
            within: seconds until what has not come is given up.

        Returns:
            The answers by worker. A worker that does not answer in time, or not at all, is missing; of a topic that is
            kept its last answer stands for it, and the last ones of dead workers stand under negative numbers. Of a
            topic that is kept, this worker's own answer is among them, just as the parent keeps it.
        """

    def ask_one(self, number: int, topic: str, body: bytes, *, within: float) -> bytes | None:
        """Ask one other worker; None where it does not answer within so many seconds, or there is no such one."""

    def keep(self, topic: str, fold: Fold) -> None:
        """Have the parent keep the last answer of each worker to a topic, so that no sum goes down where one dies.

        Args:
            topic: `answer` has been called for it.
            fold: of two dead workers' answers makes one.
        """


class NoSiblings:
    """One process serves alone: there is nobody to ask.

    Of a topic that is kept, its own answer is the only one: callers need not tell the two cases apart.
    """

    number = 0
    count = 1

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}
        self._kept: set[str] = set()

    def answer(self, topic: str, handler: Handler) -> None:
        self._handlers[topic] = handler

    def ask(self, topic: str, body: bytes, *, within: float) -> Mapping[int, bytes]:
        return {0: self._handlers[topic](body)} if topic in self._kept else {}

    def ask_one(self, number: int, topic: str, body: bytes, *, within: float) -> bytes | None:
        return None

    def keep(self, topic: str, fold: Fold) -> None:
        self._kept.add(topic)
