"""The stream of a completion: its events pass as they came, but for the model's name.

The decoder reads what decides on failover and on the stream's end, as for a chat: the first text, the finish of each
choice, an error among the events, and [DONE]. A stream that breaks is not resumed, because a prompt with a suffix has
no place where another model could go on.
Source: https://platform.openai.com/docs/api-reference/completions.
"""

from collections.abc import Callable, Iterable

from gateway.core.answer import ChatChunk, Usage
from gateway.core.errors import GatewayError
from gateway.core.json_members import with_member
from gateway.core.passed import PassedRequest
from gateway.core.provider_failures import InvalidAnswer, ProviderFailure
from gateway.core.source import Source
from gateway.core.sse import DONE, Event, SseDecoder, comment, encode
from gateway.core.strict_json import JsonFault, JsonObject, JsonValue, loads
from gateway.wires import failure_classes, provider_events
from gateway.wires.base import MAX_CHOICES, Decoder
from gateway.wires.openai_failures import parse_in_stream
from gateway.wires.passed.answer import ANSWER_KEYS, read_usage
from gateway.wires.untrusted_fields import count, objects

WIRE = "openai_completions"


class CompletionChunk(ChatChunk, frozen=True):
    """One event. `data`: as it came."""

    data: bytes = b""


class CompletionDecoder:
    """Turns a provider's stream into chunks. Implements Decoder of gateway.wires.base.

    Args:
        request: that it answers.
    """

    def __init__(self, request: PassedRequest) -> None:
        self._asked = _choices_asked(request.fields)
        self._events = SseDecoder()
        self._seen: set[int] = set()
        self._ended: set[int] = set()
        self.fault: ProviderFailure | None = None
        self.done = False
        self.skipped = 0
        self.mended = 0

    @property
    def complete(self) -> bool:
        return len(self._ended) >= max(len(self._seen), self._asked)

    def feed(self, data: bytes) -> list[ChatChunk]:
        return self._read(provider_events.feed(self._events, data))

    def close(self) -> list[ChatChunk]:
        return self._read(self._events.close())

    def _read(self, events: Iterable[Event]) -> list[ChatChunk]:
        chunks: list[ChatChunk] = []
        for event in events:
            if self.done or self.fault:
                break
            if event.data.strip() == DONE:
                self.done = True
            elif event.data and (chunk := self._chunk(event)):
                chunks.append(chunk)
        return chunks

    def _chunk(self, event: Event) -> ChatChunk | None:
        """The chunk of one event; None where it has none, or is an error."""
        body: JsonValue
        try:
            body = loads(event.data)
        except JsonFault:
            body = None
        if event.event == "error" or failure_classes.holds_error(body, ANSWER_KEYS["completions"]):
            self.fault = parse_in_stream(body)
            return None
        if not isinstance(body, dict) or not ("choices" in body or "usage" in body):
            self.skipped += 1  # one bad event is no reason to lose the stream
            return None
        has_content = [self._note(choice) for choice in objects(body.get("choices"))]
        if len(self._seen) > MAX_CHOICES * max(1, self._asked):
            self.fault = InvalidAnswer("The provider's stream has more choices than any answer has.")
            return None
        return CompletionChunk(any(has_content), read_usage(body.get("usage")), Source(WIRE, body), data=event.data)

    def _note(self, choice: JsonObject) -> bool:
        """Note what a choice says. Returns whether it has content."""
        index, finish = count(choice.get("index")), choice.get("finish_reason")
        self._seen.add(index)
        if finish:
            self._ended.add(index)
        elif choice.get("text"):
            self._ended.discard(index)
        return bool(choice.get("text") or finish)


class CompletionEncoder:
    """Writes the caller's stream. Implements Encoder of gateway.wires.base.

    Args:
        model: the name that each event gets; None keeps the provider's.
        error_event: an error as an event of the caller's wire.
    """

    def __init__(self, model: str | None, error_event: Callable[[GatewayError], bytes]) -> None:
        self._model = model
        self._error_event = error_event

    def passthrough(self, decoder: Decoder) -> None:
        """There is no bypass: decoding finds the events' choices."""

    def encode(self, chunk: ChatChunk, skip: int = 0) -> bytes:
        if not isinstance(chunk, CompletionChunk):
            raise InvalidAnswer("The provider's stream is not one of a completion.")
        named = chunk.data if self._model is None else with_member(chunk.data, "model", self._model)
        return encode(named)

    def answered_by(self, provider: str, spent: Usage | None) -> bytes:
        return b""

    def heartbeat(self) -> bytes:
        return comment("keep-alive")

    def end(self) -> bytes:
        return encode(DONE)

    def error(self, error: GatewayError) -> bytes:
        return self._error_event(error)


def _choices_asked(fields: JsonObject) -> int:
    """The number of choices: `n` for each prompt. A list of tokens is one prompt, as a text is."""
    prompt = fields.get("prompt")
    prompts = len(prompt) if isinstance(prompt, list) and prompt and not isinstance(prompt[0], int) else 1
    return prompts * max(1, count(fields.get("n")))
