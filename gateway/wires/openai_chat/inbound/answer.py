"""Writes a whole answer for the caller, and the pieces that whole answers and streams share.

An answer of this wire passes with another model name. An answer of another wire is written from its neutral form, and
nothing depends on which wire it was. Beyond OpenAI's fields, and where many clients expect them: `reasoning_content`,
`images`, `native_finish_reason`, and `extra_content` for data that a vendor needs back.
Source: https://platform.openai.com/docs/api-reference/chat/object.
"""

import math
import re
from secrets import token_hex
from typing import Final

from gateway.core.answer import (
    ChatResponse,
    ChoiceDelta,
    Citation,
    Envelope,
    Finish,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)
from gateway.core.deltas import merged
from gateway.core.request import Media
from gateway.core.strict_json import JsonObject, JsonValue, dumps
from gateway.wires.base import Naming
from gateway.wires.openai_chat import ANSWER_OBJECT, WIRE

PREFIX: Final = "chatcmpl-"
NEVER: Final = -9999.0
"""The value that OpenAI writes for the logarithm of zero; JSON has no infinity."""

_ID_SHOWN: Final = 64
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]")


def render(response: ChatResponse, naming: Naming, *, legacy: bool = False) -> bytes:
    """The answer's body for the caller: the source with the model's name, or, from another wire, the neutral form.

    Args:
        response: the answer.
        naming: what it shows the caller.
        legacy: the caller has functions and no tools, so it looks for one call, in `function_call`.
    """
    if response.source.wire != WIRE:
        return dumps(_neutral(response, naming, legacy=legacy))
    if naming.model is None or response.source.body.get("model") == naming.model:
        return dumps(response.source.body)
    return dumps({**response.source.body, "model": naming.model})


def _neutral(response: ChatResponse, naming: Naming, *, legacy: bool) -> JsonObject:
    """A whole answer from its neutral form. An empty one still has a choice, because clients read the first."""
    deltas = merged(response.deltas) or (ChoiceDelta(0),)
    body = head(response.envelope, ANSWER_OBJECT, naming)
    body["choices"] = [_choice(delta, legacy=legacy) for delta in deltas]
    if response.usage:
        body["usage"] = usage(response.usage)
    return body


def head(envelope: Envelope | None, kind: str, naming: Naming) -> JsonObject:
    """The first fields of every object of an answer."""
    known = envelope or Envelope("", 0, "")
    own = _UNSAFE.sub("-", known.id.removeprefix(PREFIX))[:_ID_SHOWN]
    return {
        "id": PREFIX + (own or token_hex(12)),
        "object": kind,
        "created": known.created,
        "model": known.model if naming.model is None else naming.model,
    }


def finish(reported: Finish | None, *, called_tool: bool, legacy: bool = False) -> str:
    """The finish reason of a choice; where none was reported, it follows from whether the choice called a tool."""
    reason = reported or ("tool_calls" if called_tool else "stop")
    return "function_call" if legacy and reason == "tool_calls" else reason


def tool_call(call: ToolCallDelta) -> JsonObject:
    """The first piece of a tool call, or the whole of it. Clients parse a function's arguments as JSON, so a call that
    ends without any gets an empty object."""
    body: JsonObject = {"id": call.id, "type": call.kind}
    if call.kind == "custom":
        body["custom"] = {"name": call.name, "input": call.arguments}
    else:
        body["function"] = {"name": call.name, "arguments": call.arguments or ("{}" if call.ended else "")}
    if call.extra:
        body["extra_content"] = call.extra
    return body


def image(media: Media, index: int) -> JsonObject:
    """An image that the model made, in the form of OpenRouter and Google's own endpoint."""
    url = media.uri or f"data:{media.mime_type};base64,{media.data}"
    return {"type": "image_url", "image_url": {"url": url}, "index": index}


def citation(found: Citation) -> JsonObject:
    """A citation as an annotation."""
    fields: JsonObject = {
        "url": found.url,
        "title": found.title,
        "start_index": found.start,
        "end_index": found.end,
    }
    return {"type": "url_citation", "url_citation": fields}


def logprobs(tokens: tuple[TokenLogprob, ...]) -> JsonObject | None:
    """The probabilities of a choice's tokens; None where there are none."""
    if not tokens:
        return None
    content: list[JsonValue] = [{**_token(one), "top_logprobs": [_token(other) for other in one.top]} for one in tokens]
    return {"content": content, "refusal": None}


def usage(counted: Usage) -> JsonObject:
    """Token counts and their total."""
    prompt: JsonObject = {"cached_tokens": counted.cached}
    if counted.cache_write:
        prompt["cache_write_tokens"] = counted.cache_write  # OpenRouter's name; OpenAI has none
    return {
        "prompt_tokens": counted.prompt,
        "completion_tokens": counted.completion,
        "total_tokens": counted.prompt + counted.completion,
        "prompt_tokens_details": prompt,
        "completion_tokens_details": {"reasoning_tokens": counted.reasoning},
    }


def _choice(delta: ChoiceDelta, *, legacy: bool) -> JsonObject:
    body: JsonObject = {
        "index": delta.index,
        "message": _message(delta, legacy=legacy),
        "logprobs": logprobs(delta.logprobs),
        "finish_reason": finish(delta.finish, called_tool=bool(delta.calls), legacy=legacy),
    }
    if delta.native_finish:
        body["native_finish_reason"] = delta.native_finish
    return body


def _message(delta: ChoiceDelta, *, legacy: bool) -> JsonObject:
    nothing = None if delta.calls or delta.refusal else ""
    message: JsonObject = {"role": "assistant", "content": delta.text or nothing, "refusal": delta.refusal or None}
    if delta.reasoning:
        message["reasoning_content"] = delta.reasoning
    calls = [tool_call(call) for call in delta.calls]
    if legacy and calls:
        message["function_call"] = calls[0].get("function")
    lists: dict[str, list[JsonValue]] = {
        "tool_calls": [] if legacy else [*calls],
        "images": [image(media, index) for index, media in enumerate(delta.images)],
        "annotations": [citation(found) for found in delta.citations],
    }
    message.update({name: values for name, values in lists.items() if values})
    if delta.extra:
        message["extra_content"] = delta.extra
    return message


def _token(one: TokenLogprob) -> JsonObject:
    return {
        "token": one.token,
        "logprob": one.logprob if math.isfinite(one.logprob) else NEVER,
        "bytes": list(one.token.encode(errors="replace") if one.raw is None else one.raw),
    }
