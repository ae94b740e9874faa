"""Reads a request in neutral form, for a provider that speaks another wire.

Fields that the neutral form does not have are listed by name, so that the caller learns what is dropped. What changes
no meaning is left out in silence: who the caller is, and how a cache or an account is used.
Source: https://platform.claude.com/docs/en/api/messages/create.
"""

from typing import Final

from gateway.core.errors import InvalidRequest
from gateway.core.request import Prompt
from gateway.core.strict_json import JsonObject
from gateway.wires.anthropic_messages.inbound.errors import THREAD_REFUSED
from gateway.wires.anthropic_messages.inbound.fields import Fields
from gateway.wires.anthropic_messages.inbound.messages import read_messages
from gateway.wires.anthropic_messages.inbound.params import read_params
from gateway.wires.anthropic_messages.inbound.tools import read_tool_choice, read_tools

MAX_UNMAPPED: Final = 64
"""Names in the list of dropped fields, which is a header. A request rarely has ten."""

_ELSEWHERE: Final = ("model", "stream")
_SILENT: Final = ("metadata", "diagnostics", "betas", "cache_control", "user_profile_id", "workspace_id")


def read_prompt(fields: JsonObject) -> Prompt:
    """The request in neutral form.

    Raises:
        InvalidRequest: naming the field in `param`.
        UnsupportedByTarget: it requires a tool that only Anthropic runs.
    """
    request = Fields(fields)
    request.ignore(*_ELSEWHERE, *_SILENT)
    if request.raw("thread") is not None:
        raise InvalidRequest(
            "thread: this model's provider keeps no conversations; send the whole conversation.",
            param="thread",
            code=THREAD_REFUSED,
        )
    history = read_messages(request)
    tools = read_tools(request, history.referenced_tools)
    choice = read_tool_choice(request, tools)
    return Prompt(
        messages=history.messages,
        tools=tools.own,
        hosted=tools.hosted,
        tool_choice=choice.choice,
        params=read_params(request, history.effort, parallel_calls=choice.parallel_calls),
        unmapped=_unmapped(request),  # last, when all fields of the neutral form have been read
    )


def _unmapped(request: Fields) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(request.unread()))
    return names if len(names) <= MAX_UNMAPPED else (*names[:MAX_UNMAPPED], "...")
