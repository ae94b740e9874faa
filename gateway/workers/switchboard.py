"""Which worker has asked what, who has answered, and what the last answers were: the parent's part of questions.

Messages in, messages out, by worker; no socket, no thread and no clock is known here.

    asked -> each other worker that serves is asked; each answer is a reply at once
          -> all have answered, or the time is over: of a topic that is kept, the last answers of all that have not
             answered, dead workers too, are replies as well; then `done`

A worker's last answer to a topic that is kept is replaced by its next one. When it dies, the answer is kept under a
negative number of its own; a worker makes one of two of those, so that there are few however many die. An answer is a
reply to a question once, whatever its number has become meanwhile: sums are made of them.
"""

from collections.abc import Collection, Iterator
from typing import Final

from msgspec import Struct

from gateway.workers.messages import ALL, Message, folded

MAX_OPEN: Final = 1_000
"""Questions that are open at once; one more is done at once, without an answer."""
To = tuple[int, Message]
"""A message and the worker that it is for."""


class _Question(Struct):
    """One that is open.

    Attributes:
        asker: who has asked; its `own_id` tells its questions apart.
        waiting: who has not answered.
        answered: the numbers of those that have, and of those among them that have died since.
        everybody: whether all were asked.
        deadline: monotonic seconds.
    """

    asker: int
    own_id: int
    topic: str
    waiting: set[int]
    everybody: bool
    deadline: float
    answered: set[int]


class _Fold(Struct):
    """A worker is making one answer of two dead workers' answers.

    Attributes:
        folder: that worker.
        numbers: of the two.
    """

    folder: int
    topic: str
    numbers: tuple[int, int]


class Switchboard:
    """Questions and kept answers. For one thread."""

    def __init__(self) -> None:
        self._open: dict[int, _Question] = {}
        self._folds: dict[int, _Fold] = {}
        self._last_id = 0
        self._last_dead = 0
        self._kept: dict[str, dict[int, bytes]] = {}

    @property
    def next_deadline(self) -> float | None:
        """When `expire` is to be called, in monotonic seconds; None while nothing is open."""
        return min((each.deadline for each in self._open.values()), default=None)

    def ask(self, asker: int, message: Message, serving: Collection[int], now: float) -> Iterator[To]:
        """A worker has asked others.

        Args:
            asker: that worker.
            message: its question.
            serving: the workers that can answer.
            now: monotonic seconds.
        """
        everybody = message.worker == ALL
        asked = {each for each in serving if each != asker and (everybody or each == message.worker)}
        question = _Question(asker, message.id, message.topic, asked, everybody, now + message.within, set())
        if not asked or len(self._open) >= MAX_OPEN:
            yield from self._done(question)
            return
        id = self._new_id()
        self._open[id] = question
        for each in sorted(asked):
            yield each, Message("question", id, message.topic, asker, body=message.body)

    def answer(self, worker: int, message: Message, serving: Collection[int]) -> Iterator[To]:
        """A worker has answered a question, or has no answer to it; late ones are kept, where answers are."""
        if message.id in self._folds:
            yield from self._folded(message, serving)
            return
        question = self._open.get(message.id)
        if question is None or worker not in question.waiting:
            return
        question.waiting.discard(worker)
        if message.kind == "answer":
            question.answered.add(worker)
            self.own(worker, question.topic, message.body)
            yield question.asker, Message("reply", question.own_id, worker=worker, body=message.body)
        if not question.waiting:
            del self._open[message.id]
            yield from self._done(question)

    def keep(self, topic: str) -> None:
        """The last answers to a topic are to be kept from now on."""
        self._kept.setdefault(topic, {})

    def own(self, worker: int, topic: str, body: bytes) -> None:
        """What a worker says about a topic; kept, where answers to it are."""
        kept = self._kept.get(topic)
        if kept is not None:
            kept[worker] = body

    def gone(self, worker: int, serving: Collection[int]) -> Iterator[To]:
        """A worker has died: nobody waits for it, and its last answers stay."""
        for id in [id for id, each in self._folds.items() if each.folder == worker]:
            del self._folds[id]
        self._last_dead -= 1
        for answers in self._kept.values():
            if worker in answers:
                answers[self._last_dead] = answers.pop(worker)
        for question in self._open.values():
            if worker in question.answered:
                question.answered.add(self._last_dead)
        for id, question in list(self._open.items()):
            if question.asker == worker:
                del self._open[id]
            elif worker in question.waiting:
                yield from self.answer(worker, Message("unanswered", id), serving)
        yield from self._fold(serving)

    def expire(self, now: float) -> Iterator[To]:
        """The time of some questions is over."""
        for id in [id for id, each in self._open.items() if each.deadline <= now]:
            yield from self._done(self._open.pop(id))

    def _done(self, question: _Question) -> Iterator[To]:
        kept = self._kept.get(question.topic, {}) if question.everybody else {}
        for worker, body in kept.items():
            if worker != question.asker and worker not in question.answered:
                yield question.asker, Message("reply", question.own_id, worker=worker, body=body)
        yield question.asker, Message("done", question.own_id)

    def _fold(self, serving: Collection[int]) -> Iterator[To]:
        """Have a worker make one answer of two of dead ones. Where none serves, the next death brings it up again."""
        folding = {each.topic for each in self._folds.values()}
        for topic, answers in self._kept.items():
            dead = sorted(number for number in answers if number < 0)
            if len(dead) < 2 or topic in folding or not serving:
                continue
            pair = (dead[0], dead[1])
            id = self._new_id()
            self._folds[id] = _Fold(min(serving), topic, pair)
            yield min(serving), Message("fold", id, topic, body=folded([answers[each] for each in pair]))

    def _folded(self, message: Message, serving: Collection[int]) -> Iterator[To]:
        fold = self._folds.pop(message.id)
        one, two = fold.numbers
        mixed = any((one in each.answered) != (two in each.answered) for each in self._open.values())
        if message.kind != "answer" or mixed:
            return  # as long as it cannot be done they stay apart
        answers = self._kept[fold.topic]
        for each in fold.numbers:
            del answers[each]
        answers[fold.numbers[1]] = message.body
        yield from self._fold(serving)

    def _new_id(self) -> int:
        self._last_id += 1
        return self._last_id
