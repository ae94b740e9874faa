"""Parses YAML into a small tree in which every node knows its place in the file.

PyYAML parses the tokens and the structure. What it accepts silently or without a limit is refused here: duplicate keys,
tags, merge keys, recursive anchors, depth, aliases. The pure Python loader is used on purpose: its messages are the
same on every system, and its columns count characters. Its error text is never passed on whole, because it quotes the
line, and the line may contain a key. This module knows no setting.
"""

import re
from dataclasses import dataclass
from typing import Any, Final, Literal

import yaml

from gateway.config.faults import ConfigError, Faults, KeyPath, Position, named

MAX_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 50
MAX_ALIASES: Final = 100
MAX_NODES: Final = 50_000  # 1 MiB can hold 500,000, which take the parser 15 seconds; a config has hundreds

_REFUSED: Final = "refused"
_CORE: Final = "tag:yaml.org,2002:"
_TAGS = "YAML tags (`!...`) are not used here; a text that starts with `!` needs quotes"

Kind = Literal["text", "integer", "number", "boolean", "nothing", "date", "other"]
_KINDS: dict[str, Kind] = {
    _CORE + "str": "text",
    _CORE + "int": "integer",
    _CORE + "float": "number",
    _CORE + "bool": "boolean",
    _CORE + "null": "nothing",
    _CORE + "timestamp": "date",
}


@dataclass(frozen=True, eq=False, slots=True)
class Scalar:
    """A single value: its text in the file, and the kind that YAML reads it as."""

    at: Position
    text: str
    kind: Kind


@dataclass(frozen=True, eq=False, slots=True)
class Listing:
    """A list."""

    at: Position
    items: tuple["Node", ...]


@dataclass(frozen=True, eq=False, slots=True)
class Entry:
    """The place of a section's key, and the key's value."""

    at: Position
    value: "Node"


@dataclass(frozen=True, eq=False, slots=True)
class Section:
    """`key: value` lines."""

    at: Position
    entries: dict[str, Entry]


@dataclass(frozen=True, eq=False, slots=True)
class Broken:
    """A node whose fault is already noted."""

    at: Position


Node = Scalar | Listing | Section | Broken


def compose(text: bytes, faults: Faults) -> Node:
    """The tree of a file; an empty file is an empty Scalar.

    Raises:
        ConfigError: the bytes are no YAML document, or exceed a limit.
    """
    loader: _Composer | None = None
    try:
        source = _decoded(text, faults)
        loader = _Composer(source, faults)
        root = loader.get_single_node()
        return _Builder(faults).build(root, ()) if root else Scalar(Position(1, 1), "", "nothing")
    except ConfigError:
        raise
    except yaml.reader.ReaderError as error:
        raise faults.stop(_position_in(source, error.position), _unprintable(error)) from None
    except yaml.MarkedYAMLError as error:
        raise faults.stop(_position(error.problem_mark or error.context_mark), _problem(error)) from None
    except (ValueError, ArithmeticError, LookupError, RecursionError):
        # PyYAML raises these for escapes and numbers that it cannot convert ("\UFFFFFFFF").
        at = Position(loader.line + 1, loader.column + 1) if loader else Position(1, 1)
        raise faults.stop(at, "this is not valid YAML") from None
    finally:
        if loader:
            loader.dispose()


def _decoded(text: bytes, faults: Faults) -> str:
    if len(text) > MAX_BYTES:
        raise faults.stop(Position(0, 0), f"the file is larger than {MAX_BYTES // 1024} KiB")
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        utf16 = text[:2] in (b"\xff\xfe", b"\xfe\xff")
        hint = "; it looks like UTF-16" if utf16 else ""
        before = text[: error.start].decode("utf-8-sig", "ignore")
        raise faults.stop(
            _position_in(before, len(before)), f"the file is not UTF-8 text{hint}; save it as UTF-8"
        ) from None


class _Composer(yaml.SafeLoader):
    """Composes nodes without constructing objects, and counts depth, nodes and aliases on the way."""

    def __init__(self, text: str, faults: Faults) -> None:
        super().__init__(text)
        self._faults = faults
        self._depth = 0
        self._nodes = 0
        self._aliases = 0
        self._open: set[str] = set()

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            self._check_alias(event)
            return super().compose_node(parent, index)
        if self._depth >= MAX_DEPTH:
            raise self._faults.stop(_position(event.start_mark), f"nested deeper than {MAX_DEPTH} levels")
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self._faults.stop(_position(event.start_mark), f"more than {MAX_NODES} keys and values")
        self._depth += 1
        self._open.add(event.anchor)
        node: Any = super().compose_node(parent, index)
        self._open.discard(event.anchor)
        self._depth -= 1
        if event.tag not in (None, "!"):
            node.tag = _REFUSED
        return node

    def _check_alias(self, event: Any) -> None:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            raise self._faults.stop(_position(event.start_mark), f"more than {MAX_ALIASES} YAML aliases (`*name`)")
        if event.anchor in self._open:
            raise self._faults.stop(_position(event.start_mark), "a YAML alias (`*name`) that contains itself")


class _Builder:
    """Converts the parser's nodes into ours. A node that several aliases share stays one node."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._built: dict[int, Node] = {}

    def build(self, node: yaml.Node, path: KeyPath) -> Node:
        if id(node) not in self._built:
            self._built[id(node)] = self._new(node, path)
        return self._built[id(node)]

    def _new(self, node: yaml.Node, path: KeyPath) -> Node:
        at = _position(node.start_mark)
        if node.tag == _REFUSED:
            self._faults.add(at, path, _TAGS)
            return Broken(at)
        if isinstance(node, yaml.MappingNode):
            return self._section(node, path)
        if isinstance(node, yaml.SequenceNode):
            return Listing(at, tuple(self.build(item, (*path, index)) for index, item in enumerate(node.value)))
        return Scalar(at, node.value, _KINDS.get(node.tag, "other"))

    def _section(self, node: yaml.MappingNode, path: KeyPath) -> Section:
        entries: dict[str, Entry] = {}
        for key, value in node.value:
            at = _position(key.start_mark)
            if fault := _key_fault(key):
                self._faults.add(at, path, fault)
                continue
            entry = Entry(at, self.build(value, (*path, key.value)))
            if key.value in entries:
                self._faults.add(at, path, _repeated(key.value, entries[key.value].at))
            else:
                entries[key.value] = entry
        return Section(_position(node.start_mark), entries)


def _key_fault(key: yaml.Node) -> str | None:
    if key.tag == _REFUSED:
        return _TAGS
    if key.tag == _CORE + "merge":
        return "merge keys (`<<`) are not supported; write the keys out"
    if not isinstance(key, yaml.ScalarNode):
        return "a key must be text, not a list or section"
    if key.tag != _CORE + "str":
        return "a key must be text, and YAML reads this one as something else; put it in quotes"
    return None


def _repeated(key: str, first: Position) -> str:
    return f"{named('duplicate key', key)}; first at line {first.line}, column {first.column}"


def _position(mark: Any) -> Position:
    return Position(mark.line + 1, mark.column + 1)


def _position_in(text: str, index: int) -> Position:
    before = text[:index]
    return Position(before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1)


def _unprintable(error: yaml.reader.ReaderError) -> str:
    return f"the character U+{int(error.character):04X} is not allowed in YAML"


def _problem(error: yaml.MarkedYAMLError) -> str:
    """The parser's error text, without the line and without the names that it quotes from it."""
    if "single document" in (error.context or ""):
        return "more than one YAML document (`---`); only one is read"
    problem = _unquoted(error.problem or "this is not valid YAML")
    if error.context and error.context_mark:
        problem += f" ({_unquoted(error.context)} from line {error.context_mark.line + 1})"
    return problem + _advice(problem)


def _unquoted(text: str) -> str:
    return re.sub(r"\b(alias|handle|anchor) (['\"]).*\2", r"\1", text, flags=re.DOTALL)


_ADVICE: Final = {
    "escape": "a backslash in double quotes starts an escape, so put the text in single quotes",
    "alias": "a text that starts with `*` needs quotes",
    r"'\t'": "indent with spaces, not tabs",
    "cannot start any token": "a text that starts with it needs quotes",
    "block end": "the entries of a section or list begin in one column",
    "quoted scalar": "a quote is opened and not closed",
    "mapping values": "a text with a colon and a space in it needs quotes",
}
"""What helps, by words of the parser's text; the first that is found counts."""


def _advice(problem: str) -> str:
    return next((f"; {advice}" for words, advice in _ADVICE.items() if words in problem), "")
