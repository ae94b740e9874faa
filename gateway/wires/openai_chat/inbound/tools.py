"""Reads the tools of a request and the choice among them in neutral form.

Source: https://platform.openai.com/docs/api-reference/chat/create, `tools`, `tool_choice`, `functions` and
`function_call`.
"""

from collections.abc import Mapping
from typing import Final, Literal

from msgspec.structs import replace

from gateway.core.errors import InvalidRequest
from gateway.core.request import Tool, ToolChoice
from gateway.wires.field_reader import FieldReader
from gateway.wires.openai_chat.inbound.parts import cache_mark

_MODES: Final[Mapping[str, Literal["auto", "none", "required"]]] = {
    "auto": "auto",
    "none": "none",
    "required": "required",
    "any": "required",  # Mistral's name
}


def read_tools(request: FieldReader) -> tuple[Tool, ...]:
    """Read the tools. The neutral form has no tools that only their vendor can run; these are listed as dropped, by
    their type."""
    found = [tool for declared in request.objects("tools") if (tool := _tool(declared))]
    return (*found, *(_function(declared) for declared in request.objects("functions")))


def read_tool_choice(request: FieldReader) -> ToolChoice | None:
    """Read whether the model must call a tool, and which; None where the request has no choice."""
    if request.raw("tool_choice") is not None:
        request.ignore("function_call")
        return _choice(request, "tool_choice")
    return _choice(request, "function_call")


def _tool(declared: FieldReader) -> Tool | None:
    kind = declared.needed_text("type")
    if kind in ("function", "custom"):
        read = _function if kind == "function" else _custom
        return _with_extra(read(declared.needed_object(kind)), declared)
    declared.skip(f"tools.{kind}")
    return None


def _with_extra(tool: Tool, declared: FieldReader) -> Tool:
    mark = cache_mark(declared)
    return replace(tool, extra=mark) if mark else tool


def _function(declared: FieldReader) -> Tool:
    return Tool(
        declared.needed_text("name"),
        declared.text("description") or "",
        declared.json("parameters"),
        strict=declared.flag("strict"),
    )


def _custom(declared: FieldReader) -> Tool:
    name, description = declared.needed_text("name"), declared.text("description") or ""
    return Tool(name, description, kind="custom", grammar=_grammar(declared.object("format")))


def _grammar(form: FieldReader | None) -> tuple[str, str] | None:
    """The syntax and the definition of a grammar; None where any text is valid."""
    if form is None:
        return None
    if form.text("type") != "grammar":
        form.skip()  # "text", the default
        return None
    grammar = form.needed_object("grammar")
    return grammar.needed_text("syntax"), grammar.needed_text("definition")


def _choice(request: FieldReader, key: str) -> ToolChoice | None:
    value = request.raw(key)
    if value is None:
        return None
    if isinstance(value, str):
        if value not in _MODES:
            raise InvalidRequest(f"{key} must be none, auto, required or an object.", param=key)
        return ToolChoice(_MODES[value])
    chosen = request.needed_object(key)
    if key == "function_call":
        return ToolChoice("required", (chosen.needed_text("name"),))
    return _chosen(chosen)


def _chosen(chosen: FieldReader) -> ToolChoice | None:
    kind = chosen.needed_text("type")
    if kind in _MODES:
        return ToolChoice(_MODES[kind])
    if kind in ("function", "custom"):
        return ToolChoice("required", (chosen.needed_object(kind).needed_text("name"),))
    if kind == "allowed_tools":
        return _allowed(chosen.needed_object(kind))
    chosen.skip("tool_choice")
    return None


def _allowed(allowed: FieldReader) -> ToolChoice:
    mode = allowed.needed_text("mode")
    if mode not in ("auto", "required"):
        raise InvalidRequest(f"{allowed.at('mode')} must be auto or required.", param=allowed.at("mode"))
    entries = allowed.objects("tools")
    if not entries:
        raise allowed.wrong_type("tools", "an array with at least one tool")
    names = tuple(name for entry in entries if (name := _named(entry)))
    return ToolChoice(_MODES[mode], names) if names else ToolChoice("none")  # no allowed tool can be called


def _named(entry: FieldReader) -> str | None:
    kind = entry.needed_text("type")
    if kind in ("function", "custom"):
        return entry.needed_object(kind).needed_text("name")
    entry.skip("tool_choice")
    return None
