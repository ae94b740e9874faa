"""Reads a request in neutral form, for a provider that speaks another wire.

This runs only when such a provider is request, because between two ends that speak this wire the JSON passes unchanged.
Fields that the neutral form does not have are listed by name, so that the caller learns what is dropped.
"""

from typing import Final

from gateway.core.request import Prompt
from gateway.core.strict_json import JsonObject
from gateway.wires.field_reader import FieldReader
from gateway.wires.openai_chat.inbound.messages import read_message
from gateway.wires.openai_chat.inbound.params import read_params
from gateway.wires.openai_chat.inbound.tools import read_tool_choice, read_tools

MAX_UNMAPPED: Final = 64
"""Names in the list of dropped fields, which is a header. A request rarely has ten."""

_ELSEWHERE: Final = ("model", "n", "stream", "stream_options")


def read_prompt(fields: JsonObject) -> Prompt:
    """The request in neutral form.

    Raises:
        InvalidRequest: naming the field in `param`.
    """
    request = FieldReader(fields)
    request.ignore(*_ELSEWHERE)  # ChatRequest has these
    return Prompt(
        messages=tuple(read_message(message) for message in request.objects("messages")),
        tools=read_tools(request),
        tool_choice=read_tool_choice(request),
        params=read_params(request),
        extra=request.json("extra_body") or {},
        unmapped=_unmapped(request),  # last, when all fields of the neutral form have been read
    )


def _unmapped(request: FieldReader) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(request.unread()))
    return names if len(names) <= MAX_UNMAPPED else (*names[:MAX_UNMAPPED], "...")
