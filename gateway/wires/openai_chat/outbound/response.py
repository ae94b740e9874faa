"""Reads a provider's whole answer, and repairs it in place.

Source: https://platform.openai.com/docs/api-reference/chat/object.
"""

from msgspec.structs import replace

from gateway.core.answer import ChatResponse, Envelope, Usage
from gateway.core.deltas import joined
from gateway.core.provider_failures import InvalidAnswer
from gateway.core.rendered import Rendered
from gateway.core.source import Source
from gateway.core.sse import Event
from gateway.core.strict_json import JsonFault, JsonObject, JsonValue, loads
from gateway.core.surrogates import whole_value
from gateway.wires import openai_usage
from gateway.wires.finish_words import warn_unknown
from gateway.wires.openai_chat import ANSWER_OBJECT, WIRE
from gateway.wires.openai_chat.outbound import legacy_calls
from gateway.wires.openai_chat.outbound.deltas import DeltaReader
from gateway.wires.openai_chat.outbound.errors import holds_error, parse_in_stream
from gateway.wires.openai_chat.outbound.finish_words import FinishWord, read_finish
from gateway.wires.openai_chat.outbound.repairs import has_envelope, repair_envelope, repair_message, repair_usage
from gateway.wires.openai_chat.outbound.streamed_choice import ANSWERS, BROKE_OFF, NOT_CONTENT, NOTHING, choice_error
from gateway.wires.openai_usage import CHAT
from gateway.wires.second_reading import read_again
from gateway.wires.untrusted_fields import an_object, count, objects, text


def parse(body: bytes, now: int, asked: Rendered) -> ChatResponse:
    """Read a provider's whole answer.

    Args:
        body: the answer's body.
        now: seconds since the epoch, for an answer without `created`.
        asked: the request that it answers.

    Raises:
        InvalidAnswer: the body is no answer: not JSON, without choices, with nothing in them, or cut.
        ProviderFailure: the body holds an error.
    """
    fields, mended = _read(body)
    if holds_error(fields):
        raise parse_in_stream(fields)
    if not isinstance(fields, dict):
        raise InvalidAnswer("The provider's answer is not a JSON object.")
    choices = fields.get("choices")
    if not isinstance(choices, list) or not choices:
        raise InvalidAnswer("The provider's answer has no choices.")
    for index, choice in enumerate(choices):
        mended += _repair_choice(index, choice, asked)
    if not any(map(_says_something, objects(choices))):
        raise InvalidAnswer(NOTHING)
    if not has_envelope(fields, ANSWER_OBJECT):
        repair_envelope(fields, ANSWER_OBJECT, None, now)
    repair_usage(fields)
    usage, source = read_usage(fields), Source(WIRE, fields)
    response = _neutral(usage, source, asked) if asked.neutral else ChatResponse(usage, source)
    return replace(response, mended=mended) if mended else response


def _read(body: bytes) -> tuple[JsonValue, int]:
    """The body's JSON, and 1 where it had to be read leniently, else 0.

    Raises:
        ProviderFailure: it is no JSON.
    """
    try:
        return loads(body), 0
    except JsonFault as fault:
        found, reason = read_again(Event(body)), str(fault)
    if found.kind == "json":
        values = [whole_value(value) for value in found.values]
        return next((value for value in values if holds_error(value)), values[0]), 1
    if found.kind == "error" and found.error:
        raise parse_in_stream(found.error)
    raise InvalidAnswer(f"The provider's answer is not JSON: {reason}")


def read_usage(fields: JsonObject) -> Usage | None:
    """The token counts of a whole answer or a chunk; None where it has none."""
    counts = fields.get("usage")
    return openai_usage.read_usage(counts, CHAT, fields.get("service_tier")) if isinstance(counts, dict) else None


def _neutral(usage: Usage | None, source: Source, asked: Rendered) -> ChatResponse:
    """The answer with its neutral form."""
    body, reader = source.body, DeltaReader(asked.tools)
    choices = objects(body["choices"])
    deltas = [delta for choice in choices for delta in reader.read(choice, an_object(choice["message"]))]
    deltas += reader.end()
    envelope = Envelope(text(body.get("id")), count(body.get("created")), text(body.get("model")))
    return ChatResponse(usage, source, envelope, joined(deltas))


def _repair_choice(index: int, choice: JsonValue, asked: Rendered) -> int:
    """Repair one choice, in place. Returns how many things in it had to be mended."""
    if isinstance(choice, dict) and not isinstance(choice.get("message"), dict) and "delta" in choice:
        choice["message"] = choice.pop("delta")  # a server that writes one form for both
    message = choice.get("message") if isinstance(choice, dict) else None
    if isinstance(choice, dict) and (failure := choice_error(choice, an_object(message))):
        raise failure
    if not isinstance(choice, dict) or not isinstance(message, dict):
        raise InvalidAnswer("The provider's answer has a choice without a message.")
    if type(choice.get("index")) is not int:
        choice["index"] = index
    word = read_finish(choice.get("finish_reason"))
    if word.broken:
        raise InvalidAnswer(BROKE_OFF)
    mended = repair_message(message, may_be_cut=word.reason in ANSWERS)
    mended += _repair_finish(choice, word, asked, called=bool(message.get("tool_calls")))
    return mended + (legacy_calls.convert(choice, message) if asked.legacy_functions else 0)


def _repair_finish(choice: JsonObject, word: FinishWord, asked: Rendered, *, called: bool) -> int:
    """Write the finish of a choice, in place. Returns 1 where it is not what the provider said, else 0."""
    reason = word.reason or ("tool_calls" if called else "stop")
    mends = reason == "stop" and called and not asked.forced_tool
    if not word.known:
        native = warn_unknown(str(choice["finish_reason"]))
        choice["native_finish_reason"] = choice.get("native_finish_reason") or native
    choice["finish_reason"] = "tool_calls" if mends else reason
    return mends or not word.known


def _says_something(choice: JsonObject) -> bool:
    """Whether a choice is an answer: it has content, or a finish that is one by itself."""
    message = an_object(choice.get("message"))
    return choice["finish_reason"] in ANSWERS or any(
        value for name, value in message.items() if name not in NOT_CONTENT
    )
