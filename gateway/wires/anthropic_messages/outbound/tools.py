"""Renders the tools of a request and the choice among them.

A custom tool takes a text, and Anthropic has only functions (gateway.wires.custom_tools).

Source: https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use (2026-11).
"""

from typing import Final

from gateway.core.errors import InvalidRequest
from gateway.core.provider_failures import UnsupportedByTarget
from gateway.core.request import Prompt, Tool, ToolChoice
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires import custom_tools
from gateway.wires.anthropic_messages.outbound import cache_marks
from gateway.wires.anthropic_messages.outbound.schemas import closed, of_arguments
from gateway.wires.dropped import Drop
from gateway.wires.tool_names import NameRule, ToolNames

NAMES: Final = NameRule("A-Za-z0-9_-", "A-Za-z0-9_-", 128)


def render(prompt: Prompt, names: ToolNames, drop: Drop) -> JsonObject:
    """`tools` and `tool_choice`; empty where no tool is declared, because Anthropic refuses a choice among none.

    Raises:
        InvalidRequest: the choice requires a tool that is not declared.
        UnsupportedByTarget: it requires a tool that the vendor runs.
    """
    choice = prompt.tool_choice
    if prompt.hosted and not prompt.tools and choice is not None and choice.mode == "required":
        raise UnsupportedByTarget("Anthropic is not asked to run the tool that is required.", param="tool_choice")
    for hosted in prompt.hosted:
        drop(hosted.field)
    declared = names.declared(prompt.tools)
    if any(tool != declared[names.sent(tool.name)] for tool in prompt.tools):
        drop("tools")  # two tools have the same name; the first one is declared
    allowed = _allowed(choice, [tool.name for tool in declared.values()], drop)
    if not declared:
        return {}
    sent: list[JsonValue] = [
        _declaration(name, tool, drop) for name, tool in declared.items() if not allowed or tool.name in allowed
    ]
    chosen = _choice(choice, [names.sent(name) for name in allowed], prompt.params.parallel_calls)
    return {"tools": sent, **({"tool_choice": chosen} if chosen else {})}


def forced(choice: ToolChoice | None, tools: tuple[Tool, ...]) -> bool:
    """Whether the model must call a tool."""
    return choice is not None and choice.mode == "required" and bool(tools)


def _allowed(choice: ToolChoice | None, declared: list[str], drop: Drop) -> list[str]:
    """The tools that the choice allows; none where it allows all."""
    if choice is None or choice.mode == "none":
        return []
    allowed = [name for name in dict.fromkeys(choice.names) if name in declared]
    missing = choice.names and not allowed
    if missing or (choice.mode == "required" and not declared):
        raise InvalidRequest("tool_choice asks for a tool that is not among tools.", param="tool_choice")
    if len(allowed) < len(set(choice.names)):
        drop("tool_choice")
    return allowed


def _declaration(name: str, tool: Tool, drop: Drop) -> JsonObject:
    declaration: JsonObject = {"name": name}
    if words := custom_tools.description(tool):
        declaration["description"] = words
    declaration["input_schema"] = _schema(tool, drop)
    if tool.strict is not None and tool.kind == "function":
        declaration["strict"] = tool.strict
    return {**declaration, **cache_marks.mark(tool.extra)}


def _schema(tool: Tool, drop: Drop) -> JsonObject:
    if tool.kind == "custom":
        return custom_tools.parameters()
    schema, wider = of_arguments(tool.parameters or {})
    if wider:
        drop("tools.function.parameters")
    return closed(schema, wholly=True) if tool.strict else schema


def _choice(choice: ToolChoice | None, allowed: list[str], parallel: bool | None) -> JsonObject:
    """`tool_choice`; empty where it would only say what is the default."""
    alone: JsonObject = {"disable_parallel_tool_use": True} if parallel is False else {}
    if choice is None or choice.mode == "auto":
        return {"type": "auto", **alone} if alone else {}
    if choice.mode == "none":
        return {"type": "none"}
    if len(allowed) == 1:
        return {"type": "tool", "name": allowed[0], **alone}
    return {"type": "any", **alone}
