"""Reads the tools of a request and the choice among them in neutral form.

Source: https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview.
"""

from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct

from gateway.core.provider_failures import UnsupportedByTarget
from gateway.core.request import HostedTool, Tool, ToolChoice
from gateway.wires.anthropic_messages.inbound.fields import Fields
from gateway.wires.anthropic_messages.inbound.parts import extra
from gateway.wires.field_reader import FieldReader, printable

_MODES: Final[Mapping[str, Literal["auto", "none", "required"]]] = {"auto": "auto", "none": "none", "any": "required"}
_BOOKKEEPING: Final = ("type", "eager_input_streaming", "input_examples", "allowed_callers")
"""Fields of a tool that change nothing of its meaning."""
_WEB_SEARCH: Final = "web_search_"
"""How the types of Anthropic's web search begin; a date follows."""
DEFERRED: Final = "tools.defer_loading"
"""The name under which tools are listed as dropped that no result has made available yet."""


class Tools(Struct, frozen=True):
    """The tools of a request: the caller's own, those that a vendor runs, and the names of all that were given up."""

    own: tuple[Tool, ...]
    hosted: tuple[HostedTool, ...]
    names_elsewhere: frozenset[str]


class Choice(Struct, frozen=True):
    """The choice among the tools, and whether several may be called at once; None where the request does not say."""

    choice: ToolChoice | None = None
    parallel_calls: bool | None = None


def read_tools(request: Fields, referenced: frozenset[str]) -> Tools:
    """Read the tools.

    Args:
        request: the request.
        referenced: the names of deferred tools that are available by now. Those that are not are left out, because
            only Anthropic's own server adds them when they are needed.
    """
    own: list[Tool] = []
    hosted: list[HostedTool] = []
    elsewhere: set[str] = set()
    for tool in request.objects("tools"):
        kind = tool.text("type") or "custom"
        if kind == "custom":
            if read := _own(tool, referenced):
                own.append(read)
            continue
        elsewhere.add(tool.text("name") or kind)
        name = f"tools.{printable(kind)}"
        if kind.startswith(_WEB_SEARCH):
            tool.skip()
            hosted.append(HostedTool("web_search", name))
        else:
            tool.skip(name)
    return Tools(tuple(own), tuple(hosted), frozenset(elsewhere))


def _own(tool: FieldReader, referenced: frozenset[str]) -> Tool | None:
    name = tool.needed_text("name")
    if tool.flag("defer_loading") and name not in referenced:
        tool.skip(DEFERRED)
        return None
    tool.ignore(*_BOOKKEEPING)
    return Tool(
        name,
        tool.text("description") or "",
        tool.json("input_schema"),
        strict=tool.flag("strict"),
        extra=extra(tool),
    )


def read_tool_choice(request: Fields, tools: Tools) -> Choice:
    """Read whether the model must call a tool, and which. Without a tool of the caller's own there is no choice.

    Raises:
        UnsupportedByTarget: it must call a tool that only Anthropic runs.
    """
    chosen = request.object("tool_choice")
    if chosen is None:
        return Choice()
    kind, name = chosen.needed_text("type"), chosen.text("name") or ""
    serial = chosen.flag("disable_parallel_tool_use")
    if kind == "tool" and name in tools.names_elsewhere:
        raise UnsupportedByTarget(f"tool_choice.name: {printable(name)} is a tool that only Anthropic runs.")
    if not tools.own:
        return Choice()
    choice = ToolChoice("required", (name,)) if kind == "tool" else ToolChoice(_MODES.get(kind, "auto"))
    return Choice(choice, False if serial else None)
