"""Settings that have been renamed: the old name is read for two releases, with a warning that gives the new line.

A rename is a row of RENAMED. It moves the entry in the file's tree to its new name before anything is read, so that
readers, rules and places know the new name only. A setting that moves to another section is no rename. This module
knows no setting but those of the rows.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec import Struct, inspect

from gateway.config.faults import KeyPath, Position
from gateway.config.nodes import Entry, Listing, Node, Scalar, Section


@dataclass(frozen=True, slots=True)
class Renamed:
    """One rename.

    Attributes:
        section: the schema's type of the section.
        old, new: the setting's names in the file.
    """

    section: type[Struct]
    old: str
    new: str


RENAMED: Final[Sequence[Renamed]] = ()
"""The renames of the last two releases."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An old name that a file uses.

    Attributes:
        at: its place.
        path: of the section that it is in.
        message: for people.
        fatal: whether the file cannot be used: the new name is given as well.
    """

    at: Position
    path: KeyPath
    message: str
    fatal: bool


def renew(root: Node, wanted: inspect.Type, renamed: Sequence[Renamed]) -> tuple[Node, Sequence[Finding]]:
    """The tree of a file with today's names.

    Args:
        root: the tree.
        wanted: the schema's type of the whole.
        renamed: the renames.

    Returns:
        The tree, and what is to be said about it in the order of the file.
    """
    if not renamed:
        return root, ()
    walk = _Walk(renamed)
    return walk.renew(root, wanted, ()), walk.findings


class _Walk:
    """One walk through one file."""

    def __init__(self, renamed: Sequence[Renamed]) -> None:
        self._renamed = renamed
        self.findings: list[Finding] = []
        self._renewed: dict[tuple[int, int], Node] = {}  # an anchor's node is walked once, however often it is used

    def renew(self, node: Node, wanted: inspect.Type, path: KeyPath) -> Node:
        key = (id(node), id(wanted))
        if key not in self._renewed:
            self._renewed[key] = self._renew(node, wanted, path)
        return self._renewed[key]

    def _renew(self, node: Node, wanted: inspect.Type, path: KeyPath) -> Node:
        for kind in _alternatives(wanted):
            match node, kind:
                case Section(), inspect.StructType():
                    return self._section(node, kind, path)
                case Section(), inspect.DictType():
                    return self._inside(node, dict.fromkeys(node.entries, kind.value_type), path)
                case Listing(), inspect.VarTupleType():
                    items = (self.renew(item, kind.item_type, (*path, at)) for at, item in enumerate(node.items))
                    return Listing(node.at, tuple(items))
        return node

    def _section(self, section: Section, struct: inspect.StructType, path: KeyPath) -> Node:
        fields = {field.encode_name: field.type for field in struct.fields}
        names = {each.old: each.new for each in self._renamed if each.section is struct.cls}
        entries: dict[str, Entry] = {}
        for key, entry in section.entries.items():
            new = names.get(key)
            if new is None:
                entries[key] = entry
            elif new in section.entries:
                message = f'"{key}" is the old name of "{new}", which is given too: take "{key}" out'
                self.findings.append(Finding(entry.at, path, message, fatal=True))
            else:
                self.findings.append(Finding(entry.at, path, _message(key, new, entry, fields[new]), fatal=False))
                entries[new] = entry
        return self._inside(Section(section.at, entries), fields, path)

    def _inside(self, section: Section, types: Mapping[str, inspect.Type], path: KeyPath) -> Section:
        entries = {
            key: Entry(entry.at, self.renew(entry.value, types[key], (*path, key))) if key in types else entry
            for key, entry in section.entries.items()
        }
        return Section(section.at, entries)


def _alternatives(wanted: inspect.Type) -> Iterator[inspect.Type]:
    match wanted:
        case inspect.Metadata():
            yield from _alternatives(wanted.type)
        case inspect.UnionType():
            for each in wanted.types:
                yield from _alternatives(each)
        case _:
            yield wanted


def _message(old: str, new: str, entry: Entry, wanted: inspect.Type) -> str:
    line = f"{new}: {_shown(entry.value, wanted)}"
    return f'"{old}" is now called "{new}", and the old name will not be read for much longer; write `{line}`'


def _shown(value: Node, wanted: inspect.Type) -> str:
    """The value for the new line, where it is a number or a choice; any other may hold a secret."""
    if not isinstance(value, Scalar):
        return "..."
    choices = [each for kind in _alternatives(wanted) if isinstance(kind, inspect.LiteralType) for each in kind.values]
    return value.text if value.kind in ("integer", "number", "boolean") or value.text in choices else "..."
