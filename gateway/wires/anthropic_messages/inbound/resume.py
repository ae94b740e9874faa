"""Resuming a broken stream with a second one: which answers can be resumed, and the request for the second stream."""

from msgspec.structs import replace

from gateway.core.request import ChatRequest
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.anthropic_messages.inbound.prompt import read_prompt
from gateway.wires.continuation import wish_to_continue


def is_plain(fields: JsonObject) -> bool:
    """Whether the answer can be joined from two streams: it is text, and no JSON by a schema."""
    config = fields.get("output_config")
    return fields.get("thread") is None and not (isinstance(config, dict) and config.get("format"))


def resume_request(chat: ChatRequest, text_so_far: str) -> ChatRequest:
    """A request that asks a model to continue an answer that broke off after `text_so_far`."""
    fields = chat.source.body
    before = fields.get("messages")
    messages: list[JsonValue] = [
        *(before if isinstance(before, list) else ()),
        {"role": "assistant", "content": text_so_far},
        {"role": "user", "content": wish_to_continue(text_so_far)},
    ]
    more = {**fields, "messages": messages}
    return replace(chat, source=replace(chat.source, body=more), prompt=lambda: read_prompt(more))
