"""A Gemini answer as a machine: GenerateContentResponse objects in, chunks in our words out.

One object may be a whole answer, and a stream is many of the same kind, so one reader serves both and both come out
alike. What is peculiar to this wire is that nothing says the end. A finish may come alone, with the last words, or on
every event, and a tool call makes another finish of it; so finishes are held until the body has ended.
Source: https://ai.google.dev/api/generate-content#generatecontentresponse.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from gateway.core.answer import ChatChunk, ChoiceDelta, Envelope, plain_text
from gateway.core.provider_failures import InvalidAnswer, ProviderFailure
from gateway.core.request import Rendered, Source
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.base import MAX_CHOICES
from gateway.wires.gemini.citations import read_citations
from gateway.wires.gemini.errors import holds_error, in_band
from gateway.wires.gemini.finish import FAILED, STOP, UNSAID, failure, finish, refusal
from gateway.wires.gemini.logprobs import read_logprobs
from gateway.wires.gemini.memory import CallMemory
from gateway.wires.gemini.parts import PartReader
from gateway.wires.gemini.usage import read_usage
from gateway.wires.untrusted_fields import an_object, objects, text

WIRE: Final = "gemini"
MAX_QUOTED: Final = 1 << 20
"""Characters of a choice's text; the longest answers have a third of it."""
MAX_GROUNDING: Final = 32
"""Events that bring what a text rests on; mostly it is the last one."""
_KNOWN: Final = frozenset({"candidates", "promptFeedback", "usageMetadata", "modelVersion", "responseId"})


@dataclass(slots=True)
class _Choice:
    """What has been seen of one choice.

    Attributes:
        text: what it said, in pieces, until that is too long to look for quotations in. `length`: of all of it.
        line_open: its text does not end with a line's end.
        spoke: it said, thought, called or made anything.
        called: it called a tool.
        finish: Google's word, "" while there is none; `told` is the explanation beside it.
        went_on: it spoke on after a finish, so that its finish does not mean its end.
        grounding: what its text rests on.
    """

    text: list[str] = field(default_factory=list)
    length: int = 0
    line_open: bool = False
    spoke: bool = False
    called: bool = False
    finish: str = ""
    told: str = ""
    went_on: bool = False
    grounding: list[JsonObject] = field(default_factory=list)

    def hears(self, said: list[str]) -> None:
        """It says more."""
        if not said:
            return
        self.line_open = not said[-1].endswith("\n")
        if self.length <= MAX_QUOTED:
            self.text += said
            self.length += sum(map(len, said))
        if self.length > MAX_QUOTED:
            self.text.clear()

    def ends(self, reason: str, told: str, *, says: bool) -> None:
        """One more event: with a finish or "", and with words or without."""
        self.went_on |= says and bool(self.finish)
        if says or not self.finish or reason not in ("", STOP):
            self.finish, self.told = reason, told

    def as_said(self, index: int) -> ChoiceDelta:
        """Its end."""
        word = finish(self.finish, spoke=self.spoke, called=self.called)
        return ChoiceDelta(index=index, finish=word, native_finish=self.finish or None)

    def afterthoughts(self, index: int) -> ChoiceDelta:
        """What can be said only now that all of it is known."""
        blocked = not self.spoke and finish(self.finish, spoke=False, called=False) == "content_filter"
        return ChoiceDelta(
            index=index,
            refusal=refusal("the answer", self.finish, self.told) if blocked else "",
            citations=read_citations(self.grounding, "".join(self.text)) if self.length <= MAX_QUOTED else (),
        )


class AnswerReader:
    """The machine. Its attributes are those of Decoder in gateway.wires.base.

    Args:
        now: when the answer began, in seconds since the epoch.
        asked: what it answers.
        memory: of what its tool calls need back.
    """

    def __init__(self, now: int, asked: Rendered, memory: CallMemory) -> None:
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
        """The chunks of one event; none once the answer has ended."""
        if self.done or self.fault:
            return []
        if holds_error(event):
            self.fault = in_band(event)
            return []
        if not isinstance(event, dict) or not event.keys() & _KNOWN:
            self.skipped += 1
            return []
        self._name(event)
        if len(self._choices) > MAX_CHOICES:
            self.fault = InvalidAnswer("The provider's stream has more choices than any answer has.")
            return []
        found = sorted(_by_index(event.get("candidates")), key=lambda one: one[0])  # openai-python wants 0 to be first
        said = [self._hear(index, candidate) for index, candidate in found]
        if self.fault:
            return []
        answers = any(map(_says, said)) or self._ends_without_words()
        usage, words = read_usage(event.get("usageMetadata")), tuple(said)
        chunk = ChatChunk(answers, usage, Source(WIRE, event), plain_text(words), self._envelope, words)
        return [chunk, *self._blocked(event)]

    def end(self, *, whole: bool = False) -> list[ChatChunk]:
        """The answer has ended: the finishes, if every choice has one, and what could not be said before.

        Args:
            whole: nothing can have been cut off, so a finish that is missing was left out.
        """
        if self.done or self.fault or not self._choices:
            return []
        choices = sorted(self._choices.items())
        if not whole and not all(choice.finish for _, choice in choices):
            return []
        finishes = tuple(choice.as_said(index) for index, choice in choices)
        spoke = any(choice.spoke for _, choice in choices)
        if not spoke and all(one.finish == "stop" for one in finishes):
            self.fault = InvalidAnswer("The provider answered with nothing.")  # agents would ask again for ever
            return []
        after = tuple(one for index, choice in choices if (one := choice.afterthoughts(index)) != ChoiceDelta(index))
        return self._close(after, finishes, says=not spoke)

    def _close(
        self, after: tuple[ChoiceDelta, ...], finishes: tuple[ChoiceDelta, ...], *, says: bool
    ) -> list[ChatChunk]:
        self.done = True
        parts = [said for said in (after, finishes) if said]
        return [ChatChunk(says, None, Source(WIRE, {}), plain_text(said), self._envelope, said) for said in parts]

    def _name(self, event: JsonObject) -> None:
        known = self._envelope
        self._envelope = replace(
            known,
            id=known.id or text(event.get("responseId")),
            model=known.model or text(event.get("modelVersion")),
        )

    def _hear(self, index: int, candidate: JsonObject) -> ChoiceDelta:
        """What one candidate of one event says."""
        choice = self._choices.setdefault(index, _Choice())
        heard = self._parts.read(an_object(candidate.get("content")).get("parts"), line_open=choice.line_open)
        said = replace(heard.said(index), logprobs=read_logprobs(candidate.get("logprobsResult")))
        says = _says(said)
        choice.hears(heard.text)
        choice.spoke |= says
        choice.called |= bool(said.calls)
        if (grounding := an_object(candidate.get("groundingMetadata"))) and len(choice.grounding) < MAX_GROUNDING:
            choice.grounding.append(grounding)
        reason, told = text(candidate.get("finishReason")), text(candidate.get("finishMessage"))
        choice.ends("" if reason in UNSAID else reason, told, says=says)
        if choice.finish.upper() in FAILED:
            self.fault = failure(choice.finish, told)
        return said

    def _ends_without_words(self) -> bool:
        """Some choice has said nothing and has an end that is an answer all the same: cut or filtered. A plain stop is
        none, and words may still follow it."""
        return any(
            choice.finish and not choice.spoke and finish(choice.finish, spoke=False, called=False) != "stop"
            for choice in self._choices.values()
        )

    def _blocked(self, event: JsonObject) -> list[ChatChunk]:
        """The end of an answer whose prompt was refused: every choice is, and nothing will follow."""
        feedback = an_object(event.get("promptFeedback"))
        reason = text(feedback.get("blockReason"))
        if reason in UNSAID:
            return []
        choices = sorted((self._choices or {0: _Choice()}).items())
        words = refusal("the prompt", reason, text(feedback.get("blockReasonMessage")))
        refusals = tuple(ChoiceDelta(index, refusal=words) for index, choice in choices if not choice.spoke)
        finishes = tuple(ChoiceDelta(index, finish="content_filter", native_finish=reason) for index, _ in choices)
        return self._close(refusals, finishes, says=True)


def _says(said: ChoiceDelta) -> bool:
    """Whether it says something to the caller; a signature alone does not."""
    return bool(said.text or said.reasoning or said.calls or said.images)


def _by_index(candidates: JsonValue) -> Iterator[tuple[int, JsonObject]]:
    """Each candidate with its index; one that has none is the first that is not there, mostly 0, which is left out."""
    found = objects(candidates)
    told = [candidate.get("index") for candidate in found]
    taken = {index for index in told if type(index) is int}
    free = 0
    for index, candidate in zip(told, found, strict=True):
        if type(index) is int and index >= 0:
            yield index, candidate
            continue
        while free in taken:
            free += 1
        taken.add(free)
        yield free, candidate
