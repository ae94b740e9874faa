"""Reads the tools of a request and the choice among them in neutral form.

Tools stand in the request and, in conversations of Codex, among the items of its input. Their names are flat here
(gateway.wires.openai_responses.tool_table).
Source: https://platform.openai.com/docs/api-reference/responses/create, `tools` and `tool_choice`.
"""

from collections.abc import Iterator, Mapping
from typing import Final, Literal, TypeAlias

from gateway.core.errors import InvalidRequest
from gateway.core.request import HostedTool, Tool, ToolChoice
from gateway.core.strict_json import JsonObject
from gateway.wires.field_reader import FieldReader
from gateway.wires.openai_responses.tool_table import SEARCH, CallKind, ToolTable, holds_tools, is_client_search

_MODES: Final[Mapping[str, Literal["auto", "none", "required"]]] = {
    "auto": "auto",
    "none": "none",
    "required": "required",
}
_WEB_SEARCH: Final = ("web_search", "web_search_preview")
_Found: TypeAlias = tuple[tuple[Tool, ...], tuple[HostedTool, ...]]


def read_tools(request: FieldReader, fields: JsonObject, table: ToolTable) -> _Found:
    """Read the tools that the caller runs, each once, and those that the vendor runs. The neutral form has only some of
    the latter; the others are listed as dropped, by their type.

    Args:
        request: reads the request, which is `fields`.
        fields: the request.
        table: the names of its tools.
    """
    reader = _Reader(table)
    reader.read(request.objects("tools"))
    if isinstance(items := fields.get("input"), list):
        for item, holder in zip(items, request.objects("input"), strict=True):
            if isinstance(item, dict):
                holder.ignore(*item)  # whatever else an item has is read with the conversation
                if holds_tools(item):
                    reader.read(holder.objects("tools"))
    return tuple(reader.tools.values()), tuple(reader.hosted.values())


def read_tool_choice(request: FieldReader, table: ToolTable) -> ToolChoice | None:
    """Read whether the model must call a tool, and which; None where the request has no choice."""
    value = request.raw("tool_choice")
    if value is None:
        return None
    if isinstance(value, str):
        if value not in _MODES:
            raise InvalidRequest("tool_choice must be none, auto, required or an object.", param="tool_choice")
        return ToolChoice(_MODES[value])
    chosen = request.needed_object("tool_choice")
    kind = chosen.needed_text("type")
    if kind == "allowed_tools":
        return _allowed(chosen, table)
    if name := _named(chosen, kind, table):
        return ToolChoice("required", (name,))
    chosen.skip("tool_choice")  # a tool of the vendor's
    return None


class _Reader:
    """Collects the tools by their flat names; of two with one name the first."""

    def __init__(self, table: ToolTable) -> None:
        self._table = table
        self.tools: dict[str, Tool] = {}
        self.hosted: dict[str, HostedTool] = {}

    def read(self, declared: list[FieldReader]) -> None:
        for each in declared:
            for tool in self._one(each):
                self.tools.setdefault(tool.name, tool)

    def _one(self, declared: FieldReader) -> Iterator[Tool]:
        kind = declared.needed_text("type")
        if kind in ("function", "custom"):
            yield self._tool(declared, kind)
        elif kind == "namespace":
            yield from self._namespace(declared)
        elif is_client_search({"type": kind, "execution": declared.raw("execution")}):
            name = self._table.flat("", SEARCH, "search")
            yield Tool(name, declared.text("description") or "", declared.json("parameters"))
        elif kind in _WEB_SEARCH:
            self.hosted[kind] = HostedTool("web_search", f"tools.{kind}")
            declared.skip()
        else:
            declared.skip(f"tools.{kind}")

    def _namespace(self, declared: FieldReader) -> Iterator[Tool]:
        namespace, about = declared.needed_text("name"), declared.text("description") or ""
        for member in declared.objects("tools"):
            kind = member.needed_text("type")
            if kind not in ("function", "custom"):
                member.skip(f"tools.{kind}")
                continue
            yield self._tool(member, kind, namespace, about)
            about = ""  # it stands before the first member's own description

    def _tool(self, declared: FieldReader, kind: str, namespace: str = "", about: str = "") -> Tool:
        declared.ignore("allowed_callers", "async", "defer_loading", "output_schema")
        name = declared.needed_text("name")
        description = "\n\n".join(filter(None, (about, declared.text("description"))))
        if kind == "custom":
            flat = self._table.flat(namespace, name, "custom")
            return Tool(flat, description, kind="custom", grammar=_grammar(declared))
        return Tool(
            self._table.flat(namespace, name, "function"),
            description,
            declared.json("parameters"),
            strict=declared.flag("strict"),
        )


def _grammar(declared: FieldReader) -> tuple[str, str] | None:
    form = declared.object("format")
    if form is None or form.needed_text("type") != "grammar":
        return None
    return form.needed_text("syntax"), form.needed_text("definition")


def _allowed(chosen: FieldReader, table: ToolTable) -> ToolChoice:
    mode = chosen.needed_text("mode")
    if mode not in ("auto", "required"):
        raise InvalidRequest(f"{chosen.at('mode')} must be auto or required.", param=chosen.at("mode"))
    entries = chosen.objects("tools")
    if not entries:
        raise chosen.wrong_type("tools", "an array with at least one tool")
    names = []
    for entry in entries:
        if name := _named(entry, entry.needed_text("type"), table):
            names.append(name)
        else:
            entry.skip("tool_choice")
    return ToolChoice(_MODES[mode], tuple(names)) if names else ToolChoice("none")  # no allowed tool can be called


def _named(chosen: FieldReader, kind: str, table: ToolTable) -> str | None:
    """The flat name of a tool that the caller runs; None for a tool of the vendor's."""
    if kind == "tool_search":
        found = table.flat("", SEARCH, "search")
        return found if table.find(found) else None
    kinds: Mapping[str, CallKind] = {"function": "function", "custom": "custom"}
    if kind not in kinds:
        return None
    return table.flat(chosen.text("namespace") or "", chosen.needed_text("name"), kinds[kind])
