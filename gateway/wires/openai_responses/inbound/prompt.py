"""Reads a request in neutral form, for a provider that speaks another wire.

Fields that the neutral form does not have are listed by name where the caller loses something by it. Others mean
nothing to a model, such as the caller's own marks on the request, and are left out without a word.
"""

from typing import Final

from gateway.core.errors import InvalidRequest
from gateway.core.request import Message, Prompt, Text
from gateway.core.strict_json import JsonObject
from gateway.wires.field_reader import FieldReader
from gateway.wires.openai_responses import compaction
from gateway.wires.openai_responses.inbound.items import read_input
from gateway.wires.openai_responses.inbound.params import read_params
from gateway.wires.openai_responses.inbound.tools import read_tool_choice, read_tools
from gateway.wires.openai_responses.tool_table import ToolTable

MAX_UNMAPPED: Final = 64
"""Names in the list of dropped fields, which is a header. A request rarely has ten."""

_ELSEWHERE: Final = ("model", "stream")
_SILENT: Final = (
    "access_programs",
    "background",
    "client_metadata",
    "metadata",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "stream_options",
    "user",
)
_HELD_ELSEWHERE: Final = ("conversation", "prompt", "previous_response_id")
"""Fields that name what only OpenAI's own server holds, or an answer that the gateway does not have."""


def read_prompt(fields: JsonObject) -> Prompt:
    """The request in neutral form.

    Raises:
        InvalidRequest: naming the field in `param`.
    """
    request = FieldReader(fields)
    request.ignore(*_ELSEWHERE, *_SILENT)
    for name in _HELD_ELSEWHERE:
        if request.raw(name) is not None:
            raise held_elsewhere(name)
    table = ToolTable(fields)
    instructions = request.text("instructions")
    messages = read_input(request, fields, table)
    tools, hosted = read_tools(request, fields, table)
    choice = read_tool_choice(request, table)
    params = read_params(request)
    if fields.get("truncation") == "disabled":
        request.ignore("truncation")  # the default
    if compaction.is_asked(fields):
        tools, hosted, choice = (), (), None
    return Prompt(
        messages=(Message("system", (Text(instructions),)), *messages) if instructions else messages,
        tools=tools,
        hosted=hosted,
        tool_choice=choice if tools else None,
        params=params,
        unmapped=_unmapped(request),  # last, when all fields of the neutral form have been read
    )


def held_elsewhere(name: str) -> InvalidRequest:
    """The error for a field whose content the gateway does not have."""
    if name == "previous_response_id":
        return InvalidRequest(
            "The gateway has no response of this previous_response_id: it keeps responses in memory, for a day at most"
            " and until it is restarted. Send the whole conversation as input.",
            param=name,
            code="previous_response_not_found",
        )
    return InvalidRequest(
        f"{name} names what only OpenAI's own server holds; send the content itself.",
        param=name,
        code="unsupported_parameter",
    )


def _unmapped(request: FieldReader) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(request.unread()))
    return names if len(names) <= MAX_UNMAPPED else (*names[:MAX_UNMAPPED], "...")
