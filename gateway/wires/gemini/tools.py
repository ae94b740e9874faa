"""The tools of a request in Gemini's words, and which of them are to be called.

A custom tool takes a text, and Gemini knows functions only: so it is declared as a function with one string, `input`.

Source: https://ai.google.dev/api/caching#Tool and https://ai.google.dev/api/caching#FunctionCallingConfig.
"""

from collections.abc import Callable
from typing import Final

from gateway.core.errors import InvalidRequest
from gateway.core.request import Prompt, Tool, ToolChoice
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.gemini.json_schema import cleaned
from gateway.wires.gemini.names import ToolNames

INPUT: Final = "input"
"""The parameter that holds the text for a custom tool."""

_SAYS_NOTHING: Final = frozenset({"type", "title", "description"})
"""Of a schema for parameters: what leaves nothing to be filled in."""


def render(prompt: Prompt, names: ToolNames, drop: Callable[[str], None]) -> JsonObject:
    """`tools` and `toolConfig`; nothing where no tool is declared, because Gemini refuses a choice among none.

    Raises:
        InvalidRequest: a tool must be called, and it is not among the tools.
    """
    declared = sent(prompt, names)
    if prompt.params.parallel_calls is False:
        drop("parallel_tool_calls")
    if any(tool != declared[names.sent(tool.name)] for tool in prompt.tools):
        drop("tools")  # two of the same name; the first is the one that is declared
    config = _config(prompt.tool_choice, [tool.name for tool in declared.values()], names, drop)
    if not declared:
        return {}
    declarations: list[JsonValue] = [_declaration(name, tool, drop) for name, tool in declared.items()]
    tools: JsonObject = {"tools": [{"functionDeclarations": declarations}]}
    return {**tools, "toolConfig": {"functionCallingConfig": config}} if config else tools


def sent(prompt: Prompt, names: ToolNames) -> dict[str, Tool]:
    """The tools that are declared, by the names they are sent with."""
    tools: dict[str, Tool] = {}
    for tool in prompt.tools:
        tools.setdefault(names.sent(tool.name), tool)
    return tools


def _declaration(name: str, tool: Tool, drop: Callable[[str], None]) -> JsonObject:
    """A function. Google's schema requires a description; the caller's own name says most where there is none."""
    declaration: JsonObject = {"name": name, "description": tool.description or tool.name or name}
    parameters = _parameters(tool, drop)
    return {**declaration, "parametersJsonSchema": parameters} if parameters else declaration


def _parameters(tool: Tool, drop: Callable[[str], None]) -> JsonObject:
    """The schema of the arguments, which are an object; empty where there is nothing to be filled in."""
    if tool.kind == "custom":
        return {"type": "object", "properties": {INPUT: {"type": "string"}}, "required": [INPUT]}
    schema, wider = cleaned(tool.parameters or {})
    if wider:
        drop("tools.function.parameters")
    says = {name for name in schema if name not in _SAYS_NOTHING}
    if not says or (says == {"additionalProperties"} and isinstance(schema["additionalProperties"], bool)):
        return {}
    return {**schema, "type": "object"}


def _config(
    choice: ToolChoice | None, declared: list[str], names: ToolNames, drop: Callable[[str], None]
) -> JsonObject:
    """`functionCallingConfig`. VALIDATED takes names and leaves it to the model whether it calls; AUTO takes none."""
    if choice is None or choice == ToolChoice("auto"):
        return {}
    if choice.mode == "none":
        return {"mode": "NONE"}
    allowed = [name for name in dict.fromkeys(choice.names) if name in declared]
    if not (allowed if choice.names else declared):
        raise InvalidRequest("tool_choice asks for a tool that is not among tools.", param="tool_choice")
    if len(allowed) < len(set(choice.names)):
        drop("tool_choice")
    config: JsonObject = {"mode": "VALIDATED" if choice.mode == "auto" else "ANY"}
    return {**config, "allowedFunctionNames": [names.sent(name) for name in allowed]} if allowed else config
