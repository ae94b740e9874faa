"""The request for a second stream, where the first has broken off inside a text.

Many models refuse an assistant's message at the end of a conversation ("prefill"). So the text so far is followed by a
user's message that asks to continue, and to begin with the end of the text so far.
"""

from msgspec.structs import replace

from gateway.core.request import ChatRequest
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.continuation import wish_to_continue
from gateway.wires.openai_responses.inbound.prompt import read_prompt
from gateway.wires.openai_responses.inbound.request import whole_input


def resume_request(chat: ChatRequest, text_so_far: str) -> ChatRequest:
    """A request that asks a model to continue an answer that broke off after `text_so_far`."""
    items: list[JsonValue] = [
        *whole_input(chat.source),
        {"type": "message", "role": "assistant", "content": text_so_far},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": wish_to_continue(text_so_far)}]},
    ]
    fields: JsonObject = {**chat.source.body, "input": items}
    return replace(chat, source=replace(chat.source, body=fields), prompt=lambda: read_prompt(fields))
