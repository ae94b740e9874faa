"""The state machine that reads a Gemini answer: GenerateContentResponse objects in, neutral chunks out.

A whole answer is one such object and a stream is many, so one reader serves both, with the same result. This wire does
not mark the end of an answer. A finish may arrive alone, with the last text, or on every event, and a tool call changes
its meaning. So the reader holds finishes back until the body has ended.
Source: https://ai.google.dev/api/generate-content#generatecontentresponse.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from gateway.core.answer import ChatChunk, ChoiceDelta, Envelope
from gateway.core.deltas import has_content, plain_text
from gateway.core.provider_failures import InvalidAnswer, ProviderFailure
from gateway.core.rendered import Rendered
from gateway.core.source import Source
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.base import MAX_CHOICES
from gateway.wires.gemini.citations import read_citations
from gateway.wires.gemini.errors import holds_error, parse_in_stream
from gateway.wires.gemini.finish import FAILED, STOP, UNSET, failure, finish, refusal
from gateway.wires.gemini.logprobs import read_logprobs
from gateway.wires.gemini.parts import PartReader
from gateway.wires.gemini.usage import read_usage
from gateway.wires.reasoning_memory import ReasoningMemory
from gateway.wires.untrusted_fields import an_object, objects, text

WIRE: Final = "gemini"
MAX_QUOTED: Final = 1 << 20
"""Characters of a choice's text that are kept for citations; the longest answers have a third of that."""
MAX_GROUNDING: Final = 32
"""Events with grounding metadata that are kept; mostly only the last event has it."""
_KNOWN: Final = frozenset({"candidates", "promptFeedback", "usageMetadata", "modelVersion", "responseId"})


@dataclass(slots=True)
class _Choice:
    """The state of one choice.

    Attributes:
        text: its text in pieces, until it is too long for a search of citations. `length`: of the whole text.
        line_open: whether its text does not end with a line end.
        spoke: whether it has any content (text, reasoning, calls, media).
        calls: how many tools it called.
        finish: Google's finish reason, "" while there is none. `finish_message`: the explanation beside it.
        went_on: whether it continued after a finish, so that the finish does not mean its end.
        grounding: its grounding metadata.
    """

    text: list[str] = field(default_factory=list)
    length: int = 0
    line_open: bool = False
    spoke: bool = False
    calls: int = 0
    finish: str = ""
    finish_message: str = ""
    went_on: bool = False
    grounding: list[JsonObject] = field(default_factory=list)

    def add_text(self, texts: list[str]) -> None:
        """Add the texts of one more event."""
        if not texts:
            return
        self.line_open = not texts[-1].endswith("\n")
        if self.length <= MAX_QUOTED:
            self.text += texts
            self.length += sum(map(len, texts))
        if self.length > MAX_QUOTED:
            self.text.clear()

    def add_finish(self, reason: str, message: str, *, has_content: bool) -> None:
        """Add the finish reason ("" for none) of one more event, which has content or not."""
        self.went_on |= has_content and bool(self.finish)
        if has_content or not self.finish or reason not in ("", STOP):
            self.finish, self.finish_message = reason, message

    def finish_delta(self, index: int) -> ChoiceDelta:
        """The delta with its finish."""
        word = finish(self.finish, spoke=self.spoke, called=bool(self.calls))
        return ChoiceDelta(index=index, finish=word, native_finish=self.finish or None)

    def closing_delta(self, index: int) -> ChoiceDelta:
        """The delta with what depends on the whole choice: its refusal and its citations."""
        blocked = not self.spoke and finish(self.finish, spoke=False, called=False) == "content_filter"
        return ChoiceDelta(
            index=index,
            refusal=refusal("the answer", self.finish, self.finish_message) if blocked else "",
            citations=read_citations(self.grounding, "".join(self.text)) if self.length <= MAX_QUOTED else (),
        )


class AnswerReader:
    """Reads one answer. Its attributes are those of Decoder in gateway.wires.base.

    Args:
        now: the start of the answer, in seconds since the epoch.
        asked: the request that it answers.
        memory: keeps the data that tool calls need back.
    """

    def __init__(self, now: int, asked: Rendered, memory: ReasoningMemory) -> None:
        self._asked = asked.choices
        self._parts = PartReader(asked.tools, memory)
        self._choices: dict[int, _Choice] = {}
        self._envelope = Envelope("", now, "")
        self.fault: ProviderFailure | None = None
        self.done = False
        self.skipped = 0

    @property
    def complete(self) -> bool:
        ended = sum(bool(choice.finish) and not choice.went_on for choice in self._choices.values())
        return self.done or ended >= max(len(self._choices), self._asked, 1)

    def read(self, event: JsonValue) -> list[ChatChunk]:
        """The chunks of one event; none after the answer has ended."""
        if self.done or self.fault:
            return []
        if holds_error(event):
            self.fault = parse_in_stream(event)
            return []
        if not isinstance(event, dict) or not event.keys() & _KNOWN:
            self.skipped += 1
            return []
        self._update_envelope(event)
        if len(self._choices) > MAX_CHOICES:
            self.fault = InvalidAnswer("The provider's stream has more choices than any answer has.")
            return []
        found = sorted(_by_index(event.get("candidates")), key=lambda one: one[0])  # openai-python needs choice 0 first
        deltas = tuple([one for index, candidate in found for one in self._read_candidate(index, candidate)])
        if self.fault:
            return []
        speaks = has_content(deltas) or self._ends_without_content()
        usage = read_usage(event.get("usageMetadata"))
        chunk = ChatChunk(speaks, usage, Source(WIRE, event), plain_text(deltas), self._envelope, deltas)
        return [chunk, *self._blocked(event)]

    def end(self, *, whole: bool = False) -> list[ChatChunk]:
        """The last chunks at the end of the body: what depends on the whole answer, and the finishes, if every choice
        has one.

        Args:
            whole: whether the body is certainly complete. A missing finish then does not mean that it was cut off.
        """
        if self.done or self.fault or not self._choices:
            return []
        choices = sorted(self._choices.items())
        if not whole and not all(choice.finish for _, choice in choices):
            return []
        finishes = tuple(choice.finish_delta(index) for index, choice in choices)
        spoke = any(choice.spoke for _, choice in choices)
        if not spoke and all(one.finish == "stop" for one in finishes):
            self.fault = InvalidAnswer(
                "The provider answered with nothing."
            )  # agents would repeat the request for ever
            return []
        closing = tuple(one for index, choice in choices if (one := choice.closing_delta(index)) != ChoiceDelta(index))
        return self._close(closing, finishes, has_content=not spoke)

    def _close(
        self, closing: tuple[ChoiceDelta, ...], finishes: tuple[ChoiceDelta, ...], *, has_content: bool
    ) -> list[ChatChunk]:
        self.done = True
        return [
            ChatChunk(has_content, None, Source(WIRE, {}), plain_text(deltas), self._envelope, deltas)
            for deltas in (closing, finishes)
            if deltas
        ]

    def _update_envelope(self, event: JsonObject) -> None:
        known = self._envelope
        self._envelope = replace(
            known,
            id=known.id or text(event.get("responseId")),
            model=known.model or text(event.get("modelVersion")),
        )

    def _read_candidate(self, index: int, candidate: JsonObject) -> tuple[ChoiceDelta, ...]:
        """The deltas of one candidate of one event."""
        choice = self._choices.setdefault(index, _Choice())
        parts = an_object(candidate.get("content")).get("parts")
        content = self._parts.read(parts, line_open=choice.line_open, calls=choice.calls)
        deltas = content.deltas(index, read_logprobs(candidate.get("logprobsResult")))
        speaks = has_content(deltas)
        choice.add_text(content.text)
        choice.spoke |= speaks
        choice.calls = content.calls
        if (grounding := an_object(candidate.get("groundingMetadata"))) and len(choice.grounding) < MAX_GROUNDING:
            choice.grounding.append(grounding)
        reason, message = text(candidate.get("finishReason")), text(candidate.get("finishMessage"))
        choice.add_finish("" if reason in UNSET else reason, message, has_content=speaks)
        if choice.finish.upper() in FAILED:
            self.fault = failure(choice.finish, message)
        return deltas

    def _ends_without_content(self) -> bool:
        """Whether a choice without content has a finish that is an answer by itself: cut off or filtered. A plain stop
        is not, and content may still follow it."""
        return any(
            choice.finish and not choice.spoke and finish(choice.finish, spoke=False, called=False) != "stop"
            for choice in self._choices.values()
        )

    def _blocked(self, event: JsonObject) -> list[ChatChunk]:
        """The last chunks of an answer whose prompt was blocked: all choices end, and nothing follows."""
        feedback = an_object(event.get("promptFeedback"))
        reason = text(feedback.get("blockReason"))
        if reason in UNSET:
            return []
        choices = sorted((self._choices or {0: _Choice()}).items())
        sentence = refusal("the prompt", reason, text(feedback.get("blockReasonMessage")))
        refusals = tuple(ChoiceDelta(index, refusal=sentence) for index, choice in choices if not choice.spoke)
        finishes = tuple(ChoiceDelta(index, finish="content_filter", native_finish=reason) for index, _ in choices)
        return self._close(refusals, finishes, has_content=True)


def _by_index(candidates: JsonValue) -> Iterator[tuple[int, JsonObject]]:
    """Each candidate with its index; one without an index gets the first free one, mostly 0, which Google omits."""
    found = objects(candidates)
    indexes = [candidate.get("index") for candidate in found]
    taken = {index for index in indexes if type(index) is int}
    free = 0
    for index, candidate in zip(indexes, found, strict=True):
        if type(index) is int and index >= 0:
            yield index, candidate
            continue
        while free in taken:
            free += 1
        taken.add(free)
        yield free, candidate
