"""A custom tool as a function, for vendors that have only functions.

A custom tool takes a text, which may have to follow a grammar. As a function it has one string parameter, `input`, and
the grammar stands at the end of its description. The outbound wire that wrapped it unwraps the answer.
"""

from typing import Final

from gateway.core.request import Tool, ToolCall
from gateway.core.strict_json import JsonFault, JsonObject, dumps, loads

INPUT: Final = "input"
"""The parameter that holds the text of a custom tool."""


def parameters() -> JsonObject:
    """The JSON Schema of the function's arguments."""
    return {"type": "object", "properties": {INPUT: {"type": "string"}}, "required": [INPUT]}


def description(tool: Tool) -> str:
    """The tool's description, with the grammar of its text."""
    if tool.grammar is None:
        return tool.description
    syntax, definition = tool.grammar
    return f"{tool.description}\n\nThe text must follow this {syntax} grammar:\n{definition}".lstrip()


def wrapped(call: ToolCall) -> str:
    """The arguments of a call of the function, as JSON."""
    return dumps({INPUT: call.arguments}).decode()


def unwrapped(arguments: str) -> str:
    """The text in the arguments of a call of the function; the arguments themselves where the model wrote others."""
    try:
        value = loads(arguments.encode("utf-8", "surrogatepass"))
    except JsonFault:
        return arguments
    text = value.get(INPUT) if isinstance(value, dict) else None
    return text if isinstance(text, str) else arguments
