"""An OpenAI request in our words, for a provider that speaks another wire.

Only read when it is needed, because between two ends that speak OpenAI's the JSON passes as it came. What the words
leave out is told by name, so that nothing is lost in silence.
"""

from typing import Final

from gateway.core.request import Prompt
from gateway.core.strict_json import JsonObject
from gateway.wires.field_reader import FieldReader
from gateway.wires.openai_chat.inbound.messages import read_message
from gateway.wires.openai_chat.inbound.params import read_params
from gateway.wires.openai_chat.inbound.tools import read_tool_choice, read_tools

MAX_UNMAPPED: Final = 64
"""Names that are told; they go into a header. A request has hardly ten."""

_ELSEWHERE: Final = ("model", "n", "stream", "stream_options")


def read_prompt(fields: JsonObject) -> Prompt:
    """The request in our words.

    Raises:
        InvalidRequest: naming the field in `param`.
    """
    asked = FieldReader(fields)
    asked.ignore(*_ELSEWHERE)  # ChatRequest has them
    return Prompt(
        messages=tuple(read_message(said) for said in asked.objects("messages")),
        tools=read_tools(asked),
        tool_choice=read_tool_choice(asked),
        params=read_params(asked),
        extra=asked.json("extra_body") or {},
        unmapped=_unmapped(asked),  # last: by now everything was asked for that has a word
    )


def _unmapped(asked: FieldReader) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(asked.unread()))
    return names if len(names) <= MAX_UNMAPPED else (*names[:MAX_UNMAPPED], "...")
