"""The tools of a request under flat names: what is declared in a namespace gets one name, which every vendor can take.

A caller knows a tool by its namespace, its name and its kind. A provider of another wire knows it by one name of legal
characters. The table is a function of the request alone: the reader of requests and the writer of answers each make it
from the same source, so nothing is remembered, and a history keeps its names as long as the tools stay the same.
Source: https://platform.openai.com/docs/api-reference/responses/create, `tools` (2026-11); Codex 0.171 for namespaces,
`additional_tools` and tool search.
"""

import re
from collections.abc import Iterator
from hashlib import sha256
from itertools import count
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from gateway.core.strict_json import JsonObject, JsonValue
from gateway.wires.untrusted_fields import objects, text

CallKind: TypeAlias = Literal["function", "custom", "search"]
"""What a call of the tool is in this wire: a function call, a custom tool's, or a search among the client's tools."""

SEARCH: Final = "tool_search"
"""The name by which the model searches the tools of a client that holds most of them back."""
LONGEST: Final = 64
_DIGITS: Final = 6
_ILLEGAL: Final = re.compile(r"[^A-Za-z0-9_-]")
_HOLDERS: Final = ("additional_tools", "tool_search_output")
"""Items of the input that declare tools."""
_DEFAULT_NAMESPACE: Final = "functions"
"""Codex may leave this one out where it calls a tool of it."""


class DeclaredTool(Struct, frozen=True):
    """One tool as the caller knows it. `namespace`: "" where it has none. `flat`: its name for providers."""

    flat: str
    namespace: str
    name: str
    kind: CallKind


_Key: TypeAlias = tuple[str, str, CallKind]


class ToolTable:
    """The tools of one request.

    Args:
        fields: the request.
    """

    def __init__(self, fields: JsonObject) -> None:
        self._by_key: dict[_Key, DeclaredTool] = {}
        self._by_flat: dict[str, DeclaredTool] = {}
        keys = dict.fromkeys(_declared(fields))
        for namespace, name, kind in sorted(keys, key=lambda key: bool(key[0])):  # a top-level tool keeps its name
            tool = DeclaredTool(self._free(namespace, name), namespace, name, kind)
            self._by_key[(namespace, name, kind)] = self._by_flat[tool.flat] = tool

    def flat(self, namespace: str, name: str, kind: CallKind) -> str:
        """The name for providers of a tool, whether it is declared or only called in the history."""
        found = self._by_key.get((namespace, name, kind)) or self._alike(namespace, name)
        return found.flat if found else _legal(namespace, name, {})

    def find(self, flat: str) -> DeclaredTool | None:
        """The tool of a name for providers; None where the model has invented the name."""
        return self._by_flat.get(flat)

    def _alike(self, namespace: str, name: str) -> DeclaredTool | None:
        """A tool of this name whose kind or namespace the caller has left out, if it can be only one."""
        found = [tool for tool in self._by_key.values() if tool.name == name and namespace in ("", tool.namespace)]
        preferred = [tool for tool in found if tool.namespace in (namespace, _DEFAULT_NAMESPACE)]
        return next(iter(preferred or (found if len(found) == 1 else ())), None)

    def _free(self, namespace: str, name: str) -> str:
        return _legal(namespace, name, self._by_flat)


def is_client_search(tool: JsonObject) -> bool:
    """Whether this is the declaration of a tool search that the client runs."""
    return tool.get("type") == "tool_search" and tool.get("execution") == "client"


def input_items(fields: JsonObject) -> list[JsonObject]:
    """The items of a request's input; none where it is a text."""
    return objects(fields.get("input"))


def is_reference(item: JsonObject) -> bool:
    """Whether an item of the input only names another. The type may be missing."""
    return item.get("type") == "item_reference" or (item.get("type") is None and "id" in item and "role" not in item)


def holds_tools(item: JsonObject) -> bool:
    """Whether an item of the input declares tools."""
    return item.get("type") in _HOLDERS


def _declared(fields: JsonObject) -> Iterator[_Key]:
    yield from _keys(fields.get("tools"))
    for item in input_items(fields):
        if holds_tools(item):
            yield from _keys(item.get("tools"))


def _keys(tools: JsonValue, namespace: str = "") -> Iterator[_Key]:
    for tool in objects(tools):
        kind, name = tool.get("type"), text(tool.get("name"))
        if kind == "namespace" and name and not namespace:
            yield from _keys(tool.get("tools"), name)
        elif kind == "function" and name:
            yield (namespace, name, "function")
        elif kind == "custom" and name:
            yield (namespace, name, "custom")
        elif is_client_search(tool):
            yield ("", SEARCH, "search")


def _legal(namespace: str, name: str, taken: dict[str, DeclaredTool]) -> str:
    wanted = f"{namespace}__{name}" if namespace else name
    plain = _ILLEGAL.sub("_", wanted)
    if plain == wanted and len(wanted) <= LONGEST and wanted not in taken:
        return wanted
    for attempt in count():
        seed = f"{attempt} {namespace} {name}".encode("utf-8", "surrogatepass")
        form = f"{plain[: LONGEST - _DIGITS - 1]}_{sha256(seed).hexdigest()[:_DIGITS]}"
        if form not in taken:
            break
    return form
