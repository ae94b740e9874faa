"""What it takes to have one answer from two streams: which answers can be, what the second one is asked, and how its
chunks become the first one's.

An assistant's message at the end ("prefill") is refused by many models, so what was said is followed by a user's
message that asks to go on.
"""

from typing import Final

from msgspec.structs import replace

from gateway.core.answer import Usage
from gateway.core.request import ChatRequest, Source
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.openai_chat import raw_texts
from gateway.wires.openai_chat.inbound.prompt import read_prompt

GO_ON: Final = (
    "Your answer was cut off in transmission. Continue it exactly where it ends, with the very next character, as if "
    "it had never been interrupted. Do not repeat anything of it, do not comment, do not begin anew."
)
HEAD: Final = ("id", "object", "created", "model")
"""What every chunk of an answer repeats."""


def is_plain(fields: JsonObject) -> bool:
    """Whether the answer to this request can be joined from two: one choice, no JSON, no probabilities, only text."""
    output, modalities = fields.get("response_format"), fields.get("modalities")
    return (
        fields.get("n") in (None, 1)
        and not fields.get("logprobs")
        and (not isinstance(output, dict) or output.get("type") in (None, "text"))
        and modalities in (None, [], ["text"])
    )


def continued(chat: ChatRequest, said: str) -> ChatRequest:
    """The request to go on exactly where an answer broke off that had said so much."""
    fields = chat.source.body
    before = fields.get("messages")
    messages: list[JsonValue] = [
        *(before if isinstance(before, list) else ()),
        {"role": "assistant", "content": said},
        {"role": "user", "content": GO_ON},
    ]
    more = {**fields, "messages": messages}
    return replace(chat, source=Source(chat.source.wire, more), prompt=lambda: read_prompt(raw_texts.opened(more)))


class StreamJoiner:
    """Makes the chunks of a second stream those of the first.

    Args:
        first: id, created and model of the first stream's chunks.
        spent: tokens of the streams before.
    """

    def __init__(self, first: JsonObject, spent: Usage | None) -> None:
        self._first = first
        self._spent = spent

    def put_right(self, body: JsonObject) -> None:
        """One chunk, in place."""
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
    """Take the first characters from a plain chunk's text, in place; whether anything is left to say."""
    choices = body["choices"]
    choice = choices[0] if isinstance(choices, list) and choices else None
    delta = choice.get("delta") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(delta, dict) or not isinstance(text := delta.get("content"), str):
        return True
    delta["content"] = text[length:]
    return bool(delta["content"] or choice.get("finish_reason") or any(v for k, v in delta.items() if k != "content"))
