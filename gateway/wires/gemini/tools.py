"""Renders the tools of a request and the choice among them.

A custom tool takes a text, and Gemini has only functions (gateway.wires.custom_tools).

Source: https://ai.google.dev/api/caching#Tool and https://ai.google.dev/api/caching#FunctionCallingConfig.
"""

from collections.abc import Callable
from typing import Final

from gateway.core.errors import InvalidRequest
from gateway.core.request import Prompt, Tool, ToolChoice
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires import custom_tools
from gateway.wires.gemini.json_schema import cleaned
from gateway.wires.tool_names import NameRule, ToolNames

NAMES: Final = NameRule("A-Za-z_", "A-Za-z0-9_.:-")
"""Source: https://ai.google.dev/api/caching#FunctionDeclaration."""

_WITHOUT_PARAMETERS: Final = frozenset({"type", "title", "description"})
"""Keywords of a schema that alone define no parameters."""


def render(prompt: Prompt, names: ToolNames, drop: Callable[[str], None]) -> JsonObject:
    """`tools` and `toolConfig`; empty where no tool is declared, because Gemini refuses a choice among none.

    Raises:
        InvalidRequest: the choice requires a tool that is not declared.
    """
    declared = names.declared(prompt.tools)
    if any(tool != declared[names.sent(tool.name)] for tool in prompt.tools):
        drop("tools")  # two tools have the same name; the first one is declared
    search = _search(prompt, drop)
    config = _config(prompt.tool_choice, [tool.name for tool in declared.values()], names, drop)
    if not declared:
        return {"tools": [search]} if search else {}
    declarations: list[JsonValue] = [_declaration(name, tool, drop) for name, tool in declared.items()]
    tools: JsonObject = {"tools": [{"functionDeclarations": declarations}]}
    return {**tools, "toolConfig": {"functionCallingConfig": config}} if config else tools


def _search(prompt: Prompt, drop: Callable[[str], None]) -> JsonObject:
    """Google's search. Models take it alone: beside functions they answer 400 (ai.google.dev/gemini-api/docs/
    google-search and function-calling, 2026-11; the third generation takes both in a preview only)."""
    if not prompt.hosted:
        return {}
    if prompt.tools:
        for hosted in prompt.hosted:
            drop(hosted.field)
        return {}
    return {"googleSearch": {}}


def _declaration(name: str, tool: Tool, drop: Callable[[str], None]) -> JsonObject:
    """A function declaration. Google requires a description; where there is none, the caller's name is the best one."""
    declaration: JsonObject = {"name": name, "description": custom_tools.description(tool) or tool.name or name}
    parameters = _parameters(tool, drop)
    return {**declaration, "parametersJsonSchema": parameters} if parameters else declaration


def _parameters(tool: Tool, drop: Callable[[str], None]) -> JsonObject:
    """The schema of the arguments object; empty where it defines no parameters."""
    if tool.kind == "custom":
        return custom_tools.parameters()
    schema, wider = cleaned(tool.parameters or {})
    if wider:
        drop("tools.function.parameters")
    defining = {name for name in schema if name not in _WITHOUT_PARAMETERS}
    if not defining or (defining == {"additionalProperties"} and isinstance(schema["additionalProperties"], bool)):
        return {}
    return {**schema, "type": "object"}


def _config(
    choice: ToolChoice | None, declared: list[str], names: ToolNames, drop: Callable[[str], None]
) -> JsonObject:
    """`functionCallingConfig`. VALIDATED takes names and lets the model decide whether to call; AUTO takes no names."""
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
