"""Keeps answers in memory, so that a later request can build on one by its id instead of sending its conversation.

A client may send only what is new, and name the answer before it. Each answer is kept as JSON text with a link to the
one before it, so a conversation of many turns costs its texts once, and not once a turn. The store is bounded in bytes,
in answers and in time; the least recently used answers go first. Nothing of it is written to a disk. Of the entries of
a conversation it knows no field but their id. This module knows no wire format, and no vendor.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from msgspec import Struct

from gateway.core.strict_json import JsonObject, JsonValue, dumps, loads

MAX_RESPONSES: Final = 4_096
OVERHEAD: Final = 1_024
"""Bytes that an answer costs beside its texts."""


class Limits(Struct, frozen=True):
    """How much is kept.

    Attributes:
        bytes: of all answers together; 0 keeps nothing.
        seconds: after which an answer is forgotten.
    """

    bytes: int = 64 << 20
    seconds: float = 24 * 3600.0


class Turn(Struct, frozen=True):
    """One answer, to be kept.

    Attributes:
        id: of the answer.
        client: the id of the key that may use it.
        provider: the name of the provider that knows it by this id; "" where none does.
        input: the entries of the conversation before it.
        output: its own.
        fields: the rest of the answer.
        repeated: fields that are mostly those of the answer before; they are kept once.
        previous: the id of the answer before; "" where it builds on none.
        inherited: how many entries of `input` came from there.
    """

    id: str
    client: str
    provider: str
    input: list[JsonValue]
    output: list[JsonValue]
    fields: JsonObject
    repeated: JsonObject
    previous: str = ""
    inherited: int = 0


class _Kept:
    """An answer as it is kept. `links`: the later answers that build on it, and the store's own entry."""

    def __init__(self, turn: Turn, previous: "_Kept | None", born: float) -> None:
        new = turn.input if previous is None else turn.input[turn.inherited :]
        self.id = turn.id
        self.client = turn.client
        self.provider = turn.provider
        self.previous = previous
        self.born = born
        self.input = dumps(new)
        self.output = dumps(turn.output)
        self.fields = dumps(turn.fields)
        self.repeated = dumps(turn.repeated)
        if previous is not None and previous.repeated == self.repeated:
            self.repeated = previous.repeated
        self.ids = [id for each in (*new, *turn.output) if (id := _id(each))]
        self.links = 1

    @property
    def size(self) -> int:
        shared = self.previous is not None and self.repeated is self.previous.repeated
        own = len(self.input) + len(self.output) + len(self.fields) + (0 if shared else len(self.repeated))
        return OVERHEAD + own

    def chain(self) -> "list[_Kept]":
        """All answers of the conversation, the first one first."""
        found: list[_Kept] = []
        kept: _Kept | None = self
        while kept is not None:
            found.append(kept)
            kept = kept.previous
        return found[::-1]


class Conversation(Struct, frozen=True):
    """What was said up to an answer, the answer included. `provider`: see Turn."""

    provider: str
    entries: list[JsonValue]


class ResponseStore:
    """The answers of this process. Threads may share it.

    Attributes:
        mark: stands in the ids of answers that are made here, behind their prefix.

    Args:
        now: monotonic seconds.
        limits: how much is kept; those of Limits by default. `configure` changes them.
    """

    mark: str = ""

    def __init__(self, now: Callable[[], float], limits: Limits | None = None) -> None:
        self._now = now
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._by_entry: dict[str, _Kept] = {}
        self._bytes = 0

    @property
    def is_on(self) -> bool:
        """Whether anything is kept at all."""
        return self._limits.bytes > 0

    @property
    def bytes(self) -> int:
        """What is kept costs so much."""
        return self._bytes

    def configure(self, limits: Limits) -> None:
        """Keep so much from now on."""
        with self._lock:
            self._limits = limits
            self._make_room()

    def keep(self, turn: Turn) -> None:
        """Keep an answer. Where the answer before is gone, all of `input` is kept with it."""
        with self._lock:
            if turn.id in self._kept or not self.is_on:
                return
            previous = self._find(turn.previous, turn.client) if turn.previous else None
            kept = _Kept(turn, previous, self._now())
            if previous is not None:
                previous.links += 1
            self._kept[kept.id] = kept
            self._by_entry.update(dict.fromkeys(kept.ids, kept))
            self._bytes += kept.size
            self._make_room()

    def conversation(self, id: str, client: str) -> Conversation | None:
        """What was said up to an answer; None where the client has no such answer."""
        chain = self._chain(id, client)
        if chain is None:
            return None
        texts = (text for kept in chain for text in (kept.input, kept.output))
        return Conversation(chain[-1].provider, [entry for text in texts for entry in _list(text)])

    def input(self, id: str, client: str) -> list[JsonValue] | None:
        """What was said before an answer; None where the client has no such answer."""
        chain = self._chain(id, client)
        if chain is None:
            return None
        texts = [text for kept in chain for text in (kept.input, kept.output)]
        return [entry for text in texts[:-1] for entry in _list(text)]

    def response(self, id: str, client: str) -> JsonObject | None:
        """An answer's fields and, as `output`, its entries; None where the client has no such answer."""
        with self._lock:
            kept = self._find(id, client)
        if kept is None:
            return None
        return {**_object(kept.fields), **_object(kept.repeated), "output": _list(kept.output)}

    def entries(self, ids: Iterable[str], client: str) -> dict[str, JsonObject]:
        """Entries of conversations by their ids, those that the client has."""
        return {id: found for id in ids if (found := self._entry(id, client)) is not None}

    def delete(self, id: str, client: str) -> bool:
        """Forget an answer; those that build on it stay whole. Returns whether it was there for the client."""
        with self._lock:
            if self._find(id, client) is None:
                return False
            self._forget(id)
            return True

    def _entry(self, id: str, client: str) -> JsonObject | None:
        with self._lock:
            kept = self._by_entry.get(id)
            if kept is None or self._find(kept.id, client) is None:
                return None
        found = (each for text in (kept.output, kept.input) for each in _list(text))
        return next((each for each in found if isinstance(each, dict) and _id(each) == id), None)

    def _chain(self, id: str, client: str) -> list[_Kept] | None:
        with self._lock:
            kept = self._find(id, client)
            return None if kept is None else kept.chain()

    def _find(self, id: str, client: str) -> _Kept | None:
        kept = self._kept.get(id)
        if kept is None or kept.client != client:
            return None
        if kept.born + self._limits.seconds <= self._now():
            self._forget(id)
            return None
        self._kept.move_to_end(id)
        return kept

    def _make_room(self) -> None:
        oldest = self._now() - self._limits.seconds
        for id in [kept.id for kept in self._expired(oldest)]:
            self._forget(id)
        while self._kept and (self._bytes > self._limits.bytes or len(self._kept) > MAX_RESPONSES):
            self._forget(next(iter(self._kept)))

    def _expired(self, oldest: float) -> Iterator[_Kept]:
        """The least recently used ones that are too old: an older one that is in use goes when it is asked for."""
        for kept in self._kept.values():
            if kept.born > oldest:
                return
            yield kept

    def _forget(self, id: str) -> None:
        """Remove an answer from what can be asked for. Its texts go with the last answer that builds on it."""
        kept: _Kept | None = self._kept.pop(id)
        while kept is not None:
            kept.links -= 1
            if kept.links:
                return
            self._bytes -= kept.size
            for each in kept.ids:
                if self._by_entry.get(each) is kept:
                    del self._by_entry[each]
            kept = kept.previous


def _id(entry: JsonValue) -> str:
    id = entry.get("id") if isinstance(entry, dict) else None
    return id if isinstance(id, str) else ""


def _list(text: bytes) -> list[JsonValue]:
    value = loads(text)
    return value if isinstance(value, list) else []


def _object(text: bytes) -> JsonObject:
    value = loads(text)
    return value if isinstance(value, dict) else {}
