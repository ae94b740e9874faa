"""Resuming a broken stream with a second one: which answers can be resumed, the request for the second stream, and its
chunks as a continuation of the first.
"""

from typing import Final

from msgspec.structs import replace

from gateway.core.answer import Usage
from gateway.core.request import ChatRequest
from gateway.core.source import Source
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.continuation import wish_to_continue
from gateway.wires.openai_chat import raw_texts
from gateway.wires.openai_chat.inbound.prompt import read_prompt

HEAD: Final = ("id", "object", "created", "model")
"""The fields that every chunk of an answer repeats."""


def is_plain(fields: JsonObject) -> bool:
    """Whether the answer can be joined from two streams: one choice, no JSON, no probabilities, only text."""
    output, modalities = fields.get("response_format"), fields.get("modalities")
    return (
        fields.get("n") in (None, 1)
        and not fields.get("logprobs")
        and (not isinstance(output, dict) or output.get("type") in (None, "text"))
        and modalities in (None, [], ["text"])
    )


def resume_request(chat: ChatRequest, text_so_far: str) -> ChatRequest:
    """A request that asks a model to continue an answer that broke off after `text_so_far`, whose end is an anchor."""
    fields = chat.source.body
    before = fields.get("messages")
    messages: list[JsonValue] = [
        *(before if isinstance(before, list) else ()),
        {"role": "assistant", "content": text_so_far},
        {"role": "user", "content": wish_to_continue(text_so_far)},
    ]
    more = {**fields, "messages": messages}
    return replace(chat, source=Source(chat.source.wire, more), prompt=lambda: read_prompt(raw_texts.decoded(more)))


class StreamJoiner:
    """Makes the chunks of a second stream a continuation of the first stream.

    Args:
        first: id, object, created and model of the first stream's chunks.
        spent: the usage of the streams before.
    """

    def __init__(self, first: JsonObject, spent: Usage | None) -> None:
        self._first = first
        self._spent = spent

    def adapt(self, body: JsonObject) -> None:
        """Change one chunk in place."""
        body.update(self._first)
        choices = body.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            delta = choice.get("delta") if isinstance(choice, dict) else None
            if isinstance(delta, dict):
                delta.pop("role", None)
        usage = body.get("usage")
        if self._spent is not None and isinstance(usage, dict):
            self._add(usage, self._spent)

    def _add(self, usage: JsonObject, spent: Usage) -> None:
        counts = {"prompt_tokens": spent.prompt, "completion_tokens": spent.completion}
        for name, count in {**counts, "total_tokens": spent.prompt + spent.completion}.items():
            so_far = usage.get(name)
            usage[name] = (so_far if isinstance(so_far, int) else 0) + count


def skip_text(body: JsonObject, length: int) -> bool:
    """Remove the first `length` characters of a plain chunk's text, in place. Returns whether anything is left."""
    choices = body["choices"]
    choice = choices[0] if isinstance(choices, list) and choices else None
    delta = choice.get("delta") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(delta, dict) or not isinstance(text := delta.get("content"), str):
        return True
    delta["content"] = text[length:]
    return bool(delta["content"] or choice.get("finish_reason") or any(v for k, v in delta.items() if k != "content"))
