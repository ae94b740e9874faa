"""Workers of one gateway without a parent process: each asks the others at once, on its own thread."""

from collections.abc import Mapping

from gateway.workers.siblings import Fold, Handler


class Hub:
    """Where the workers meet.

    Attributes:
        workers: by number.
        silent: the numbers of those that answer nobody now.

    Args:
        count: of workers.
    """

    def __init__(self, count: int = 2) -> None:
        self.count = count
        self.silent: set[int] = set()
        self.left: dict[str, bytes] = {}  # by topic, of dead workers
        self.workers = [Worker(self, number) for number in range(count)]

    def restart(self, number: int) -> "Worker":
        """A worker dies, and another one begins in its place."""
        dead = self.workers[number]
        for topic, last in dead.kept.items():
            before = self.left.get(topic)
            self.left[topic] = dead.folds[topic]([before, last]) if before is not None else last
        self.workers[number] = Worker(self, number)
        return self.workers[number]


class Worker:
    """One of them. It is a Siblings.

    Attributes:
        handlers, folds: by topic.
        kept: its last answers to topics that are kept.
    """

    def __init__(self, hub: Hub, number: int) -> None:
        self.number = number
        self.handlers: dict[str, Handler] = {}
        self.folds: dict[str, Fold] = {}
        self.kept: dict[str, bytes] = {}
        self._hub = hub

    @property
    def count(self) -> int:
        return self._hub.count

    @count.setter
    def count(self, count: int) -> None:
        self._hub.count = count

    def answer(self, topic: str, handler: Handler) -> None:
        self.handlers[topic] = handler

    def keep(self, topic: str, fold: Fold) -> None:
        self.folds[topic] = fold

    def ask(self, topic: str, body: bytes, *, within: float) -> Mapping[int, bytes]:
        kept = topic in self.folds
        found: dict[int, bytes] = {}
        for other in self._hub.workers:
            if other is self and not kept:
                continue
            answer = self._hub.workers[other.number].answered(topic, body)
            if answer is not None:
                found[other.number] = answer
        if kept and topic in self._hub.left:
            found[-1] = self._hub.left[topic]
        return found

    def ask_one(self, number: int, topic: str, body: bytes, *, within: float) -> bytes | None:
        if number == self.number or number not in range(self._hub.count):
            return None
        return self._hub.workers[number].answered(topic, body)

    def answered(self, topic: str, body: bytes) -> bytes | None:
        """What it answers to another."""
        if self.number in self._hub.silent or topic not in self.handlers:
            return self.kept.get(topic)
        answer = self.handlers[topic](body)
        if topic in self.folds:
            self.kept[topic] = answer
        return answer
