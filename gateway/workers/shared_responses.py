"""Kept responses of several workers: each keeps its own, and asks the one whose number stands in an id for others.

What a worker has made has its number in the id, so one other worker is asked. An id that a provider has made says
nothing, nor does the id of an entry: all others are asked, once for all entries of a request. A worker that does not
answer in ANSWER_SECONDS, or whose answer is larger than the siblings carry (MAX_BODY), counts as one that has nothing.
The next answer of such a conversation is kept by the worker that gives it, with all that was said before.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from gateway.core.response_store import Conversation, Limits, ResponseStore
from gateway.core.strict_json import JsonObject, JsonValue, dumps, loads
from gateway.workers.siblings import ANSWER_SECONDS, Siblings

TOPIC: Final = "responses"
NOTHING: Final = b""
_MARKED: Final = re.compile(r"[a-z]{1,8}_w(\d\d)_", re.ASCII)


class SharedResponses(ResponseStore):
    """The answers of all workers; those of this one are at hand. Threads may share it.

    Args:
        now: monotonic seconds.
        siblings: the other workers.
        limits: of what this worker keeps.
    """

    def __init__(self, now: Callable[[], float], siblings: Siblings, limits: Limits | None = None) -> None:
        super().__init__(now, limits)
        self.mark = f"w{siblings.number:02d}_"
        self._siblings = siblings
        siblings.answer(TOPIC, self._answer)

    def conversation(self, id: str, client: str) -> Conversation | None:
        if (own := super().conversation(id, client)) is not None:
            return own
        for found in self._others("conversation", [id], client):
            match found:
                case {"provider": str(provider), "entries": list(entries)}:
                    return Conversation(provider, entries)
        return None

    def input(self, id: str, client: str) -> list[JsonValue] | None:
        if (own := super().input(id, client)) is not None:
            return own
        return next((found for found in self._others("input", [id], client) if isinstance(found, list)), None)

    def response(self, id: str, client: str) -> JsonObject | None:
        if (own := super().response(id, client)) is not None:
            return own
        return next((found for found in self._others("response", [id], client) if isinstance(found, dict)), None)

    def entries(self, ids: Iterable[str], client: str) -> dict[str, JsonObject]:
        wanted = list(ids)
        own = super().entries(wanted, client)
        missing = [id for id in wanted if id not in own]
        for found in self._others("entries", missing, client) if missing else ():
            if isinstance(found, dict):
                own |= {id: entry for id, entry in found.items() if isinstance(entry, dict)}
        return own

    def delete(self, id: str, client: str) -> bool:
        return super().delete(id, client) or any(self._others("delete", [id], client))

    def _others(self, what: str, ids: Sequence[str], client: str) -> Iterator[JsonValue]:
        """What others have: an answer of each worker that has something."""
        question = dumps([what, client, *ids])
        marked = _MARKED.match(ids[0]) if len(ids) == 1 else None
        answers: Iterable[bytes | None]
        if marked is None:
            answers = self._siblings.ask(TOPIC, question, within=ANSWER_SECONDS).values()
        elif (number := int(marked[1])) != self._siblings.number:
            answers = [self._siblings.ask_one(number, TOPIC, question, within=ANSWER_SECONDS)]
        else:
            answers = ()
        yield from (loads(answer) for answer in answers if answer)

    def _answer(self, question: bytes) -> bytes:
        """What this worker has. It runs on the siblings' thread, so what is long is not read for it."""
        match loads(question):
            case ["conversation", str(client), str(id)]:
                chain = self._chain(id, client)
                if chain is None:
                    return NOTHING
                texts = [text for kept in chain for text in (kept.input, kept.output)]
                return b'{"provider":%b,"entries":%b}' % (dumps(chain[-1].provider), _joined(texts))
            case ["input", str(client), str(id)]:
                chain = self._chain(id, client)
                texts = [text for kept in chain or () for text in (kept.input, kept.output)]
                return _joined(texts[:-1]) if texts else NOTHING
            case ["response", str(client), str(id)]:
                response = super().response(id, client)
                return NOTHING if response is None else dumps(response)
            case ["entries", str(client), *ids]:
                found: JsonObject = {**super().entries([id for id in ids if isinstance(id, str)], client)}
                return dumps(found) if found else NOTHING
            case ["delete", str(client), str(id)]:
                return b"true" if super().delete(id, client) else NOTHING
        raise ValueError("no question about responses")


def _joined(lists: Sequence[bytes]) -> bytes:
    """One JSON array of several."""
    return b"[%b]" % b",".join(inner for each in lists if (inner := each[1:-1]))
