"""Our words as an OpenAI answer, for what a provider has said in another wire.

The pieces that a whole answer and a stream share are here: a tool call, an image, usage. Nothing depends on which wire
it was. Beyond OpenAI's own fields, and where many clients look for them: `reasoning_content`, `images`,
`native_finish_reason`, and `extra_content` for what a vendor wants back.
Source: https://platform.openai.com/docs/api-reference/chat/object.
"""

import math
import re
from secrets import token_hex
from typing import Final

from gateway.core.answer import ChatResponse, ChoiceDelta, Citation, Envelope, Finish, TokenLogprob, Usage
from gateway.core.request import Media, ToolCall
from gateway.core.strict_json import JsonObject, JsonValue, dumps
from gateway.wires.base import Naming
from gateway.wires.openai_chat import ANSWER_OBJECT, WIRE

PREFIX: Final = "chatcmpl-"
NEVER: Final = -9999.0
"""The logarithm that OpenAI writes for a probability of zero; JSON has no infinity."""

_ID_SHOWN: Final = 64
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]")


def render(response: ChatResponse, naming: Naming) -> bytes:
    """The answer for the caller: what came, under the name that was asked for; or our words, where it came in another
    wire."""
    if response.source.wire != WIRE:
        return dumps(_neutral(response, naming))
    if naming.model is None or response.source.body.get("model") == naming.model:
        return dumps(response.source.body)
    return dumps({**response.source.body, "model": naming.model})


def _neutral(response: ChatResponse, naming: Naming) -> JsonObject:
    """The whole answer; one that says nothing at all is still a choice, because clients look at the first."""
    said = response.deltas or (ChoiceDelta(0),)
    body = head(response.envelope, ANSWER_OBJECT, naming)
    body["choices"] = [_choice(one) for one in said]
    if response.usage:
        body["usage"] = usage(response.usage)
    return body


def head(envelope: Envelope | None, kind: str, naming: Naming) -> JsonObject:
    """What every object of an answer begins with."""
    known = envelope or Envelope("", 0, "")
    own = _UNSAFE.sub("-", known.id.removeprefix(PREFIX))[:_ID_SHOWN]
    return {
        "id": PREFIX + (own or token_hex(12)),
        "object": kind,
        "created": known.created,
        "model": known.model if naming.model is None else naming.model,
    }


def finish(said: Finish | None, *, called_tool: bool) -> str:
    """Why a choice ended; where nobody said, what it did tells."""
    return said or ("tool_calls" if called_tool else "stop")


def tool_call(call: ToolCall) -> JsonObject:
    """A whole tool call. Clients read a function's arguments as JSON, so empty ones are an empty object."""
    body: JsonObject = {"id": call.id or f"call_{token_hex(12)}", "type": call.kind}
    if call.kind == "custom":
        body["custom"] = {"name": call.name, "input": call.arguments}
    else:
        body["function"] = {"name": call.name, "arguments": call.arguments or "{}"}
    if call.extra:
        body["extra_content"] = call.extra
    return body


def image(media: Media, index: int) -> JsonObject:
    """An image that the model made, as OpenRouter and Google's own endpoint show it."""
    url = media.uri or f"data:{media.mime_type};base64,{media.data}"
    return {"type": "image_url", "image_url": {"url": url}, "index": index}


def citation(found: Citation) -> JsonObject:
    """An annotation."""
    told: JsonObject = {
        "url": found.url,
        "title": found.title,
        "start_index": found.start,
        "end_index": found.end,
    }
    return {"type": "url_citation", "url_citation": told}


def logprobs(tokens: tuple[TokenLogprob, ...]) -> JsonObject | None:
    """The probabilities of a choice's tokens; None where nobody told them."""
    if not tokens:
        return None
    content: list[JsonValue] = [{**_token(one), "top_logprobs": [_token(other) for other in one.top]} for one in tokens]
    return {"content": content, "refusal": None}


def usage(counted: Usage) -> JsonObject:
    """Token counts, and their total."""
    return {
        "prompt_tokens": counted.prompt,
        "completion_tokens": counted.completion,
        "total_tokens": counted.prompt + counted.completion,
        "prompt_tokens_details": {"cached_tokens": counted.cached},
        "completion_tokens_details": {"reasoning_tokens": counted.reasoning},
    }


def _choice(said: ChoiceDelta) -> JsonObject:
    body: JsonObject = {
        "index": said.index,
        "message": _message(said),
        "logprobs": logprobs(said.logprobs),
        "finish_reason": finish(said.finish, called_tool=bool(said.calls)),
    }
    if said.native_finish:
        body["native_finish_reason"] = said.native_finish
    return body


def _message(said: ChoiceDelta) -> JsonObject:
    nothing = None if said.calls or said.refusal else ""
    message: JsonObject = {"role": "assistant", "content": said.text or nothing, "refusal": said.refusal or None}
    if said.reasoning:
        message["reasoning_content"] = said.reasoning
    lists: dict[str, list[JsonValue]] = {
        "tool_calls": [tool_call(call) for call in said.calls],
        "images": [image(media, index) for index, media in enumerate(said.images)],
        "annotations": [citation(found) for found in said.citations],
    }
    message.update({name: values for name, values in lists.items() if values})
    if said.extra:
        message["extra_content"] = said.extra
    return message


def _token(one: TokenLogprob) -> JsonObject:
    return {
        "token": one.token,
        "logprob": one.logprob if math.isfinite(one.logprob) else NEVER,
        "bytes": list(one.token.encode(errors="replace")),
    }
