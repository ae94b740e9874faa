"""One choice of a stream: repairs its deltas and decides whether its end is one.

The provider must have said that the answer is whole, in a word that means it. Where it has said so although a call is
cut, has no name or contradicts itself, the choice has failed; where it has said nothing, a finish is made up only for
what is certainly whole.
"""

from dataclasses import dataclass, field
from typing import Final

from gateway.core.provider_failures import GenerationFailed, InvalidAnswer, ProviderFailure
from gateway.core.rendered import Rendered
from gateway.core.strict_json import JsonObject
from gateway.wires.finish_words import warn_unknown
from gateway.wires.openai_chat.outbound.brackets import Brackets
from gateway.wires.openai_chat.outbound.errors import parse_in_stream
from gateway.wires.openai_chat.outbound.finish_words import FinishWord, read_finish
from gateway.wires.openai_chat.outbound.repairs import (
    CUT_ARGUMENTS,
    NAMELESS,
    TWO_ARGUMENTS,
    flatten_content,
    text_arguments,
)
from gateway.wires.openai_chat.outbound.tool_call_repairs import ToolCalls

NOT_CONTENT: Final = frozenset(
    {
        "role",
        "annotations",
        "content_filter_results",
        "extra_content",
        "metadata",
        "obfuscation",
        "provider_specific_fields",
    }
)
"""Fields of a delta that say nothing to the caller by themselves."""
ANSWERS: Final = frozenset({"length", "content_filter"})
"""Finishes that are an answer even where nothing was said."""
NOTHING: Final = "The provider answered with nothing."
BROKE_OFF: Final = "The provider broke its answer off with an error."
NO_FINISH: Final = "The provider's stream ended without a finish."


@dataclass(slots=True)
class StreamedChoice:
    """The state of one choice.

    Attributes:
        finish: OpenAI's word for its end; None until it ends.
        went_on: it continued after its finish, so the finish does not mean its end.
        said: whether it has said anything.
        calls: its tool calls.
        legacy: the arguments of its call in the form before tools.
        fault: why it is no answer.
        mended: how often its finish was changed.
    """

    finish: str | None = None
    went_on: bool = False
    said: bool = False
    calls: ToolCalls = field(default_factory=ToolCalls)
    legacy: Brackets | None = None
    fault: ProviderFailure | None = None
    mended: int = 0

    def repair(self, choice: JsonObject, delta: JsonObject, asked: Rendered) -> bool:
        """Repair the next delta, in place. Returns whether it has content."""
        flatten_content(delta)
        if fragments := delta.get("tool_calls"):
            self.calls.repair(fragments)
        elif fragments == []:
            del delta["tool_calls"]  # servers that refuse an empty array get it back with the history
        if "function_call" in delta:
            self._add_legacy(delta)
        adds = any(value for name, value in delta.items() if name not in NOT_CONTENT)
        self.went_on |= adds and self.finish is not None
        if adds and self.calls and not self.said and self.calls.is_nameless:
            adds = any(value for name, value in delta.items() if name not in NOT_CONTENT and name != "tool_calls")
        self.said |= adds
        given = choice.get("finish_reason")
        if given is None:
            choice["finish_reason"] = None
            return adds
        self._repair_finish(choice, read_finish(given), asked)
        if choice["finish_reason"] is not None:
            self.add_missing_arguments(delta)
        return adds or choice["finish_reason"] in ANSWERS

    def made_up_finish(self, *, lossless: bool) -> str | None:
        """The finish of a choice that got none although the stream ended regularly; None where it may be cut.

        Args:
            lossless: every event of the stream could be read.
        """
        if self.fault is None and lossless and self.calls.are_whole and not (self.legacy and self.legacy.is_open):
            self._check_calls("stop")
        else:
            self.fault = self.fault or InvalidAnswer(NO_FINISH)
        if self.fault:
            return None
        self.finish = "tool_calls" if self.calls else "function_call" if self.legacy else "stop"
        return self.finish

    def add_missing_arguments(self, delta: JsonObject) -> None:
        """With the finish, give empty arguments to the calls that got none, because clients parse them as JSON."""
        if self.calls and (missing := self.calls.without_arguments()):
            calls = delta.get("tool_calls")
            delta["tool_calls"] = [*(calls if isinstance(calls, list) else ()), *missing]

    def _repair_finish(self, choice: JsonObject, word: FinishWord, asked: Rendered) -> None:
        reason = word.reason
        if word.broken:
            self.fault = InvalidAnswer(BROKE_OFF)
        elif reason is not None and self.finish is None:
            self._check_calls(reason if word.known else None)
            if not word.known:
                native = warn_unknown(str(choice["finish_reason"]))
                choice["native_finish_reason"] = choice.get("native_finish_reason") or native
                self.mended += 1
            if reason == "stop" and self.calls and not asked.forced_tool:
                reason, self.mended = "tool_calls", self.mended + 1
            self.finish = reason
        else:
            reason = None  # some servers repeat it on every chunk
        choice["finish_reason"] = reason

    def _check_calls(self, reason: str | None) -> None:
        """Set the fault of a choice whose calls cannot be made. `reason`: its finish; None for an unknown word."""
        is_open = self.calls.is_open or (self.legacy is not None and self.legacy.is_open)
        if self.calls.contradicts:
            self.fault = GenerationFailed(TWO_ARGUMENTS)
        elif self.calls.is_nameless and reason not in ANSWERS:
            self.fault = GenerationFailed(NAMELESS)
        elif is_open and reason not in ANSWERS:
            self.fault = GenerationFailed(CUT_ARGUMENTS)

    def _add_legacy(self, delta: JsonObject) -> None:
        call = delta["function_call"]
        if not isinstance(call, dict):
            return
        text_arguments(call)
        self.legacy = self.legacy or Brackets()
        if isinstance(arguments := call.get("arguments"), str):
            self.legacy.add(arguments)


def choice_error(choice: JsonObject, message: JsonObject) -> ProviderFailure | None:
    """The failure that a choice holds in the place of its answer, or beside it (OpenRouter, 2026-11)."""
    error = choice.get("error") or message.get("error")
    return parse_in_stream(error) if error else None
