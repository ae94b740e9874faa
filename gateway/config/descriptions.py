"""Descriptions for messages: the values that a setting takes, and the value that was found instead.

All numbers, choices and limits come from the schema's types through msgspec.inspect. Only three patterns are described
here, because a regular expression helps few people.
"""

from typing import Any, Final, get_args

from msgspec import inspect

from gateway.config.faults import MAX_DIGITS, MAX_SHOWN, looks_secret
from gateway.config.nodes import Broken, Listing, Node, Scalar, Section
from gateway.config.setting_types import HeaderName, HeaderText, Name

_KINDS: Final = {
    "text": "a text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "a boolean",
    "date": "a date",
    "nothing": "nothing",
    "other": "something else",
}


def _pattern(annotated: Any) -> str:
    return str(get_args(annotated)[1].pattern)


_PATTERNS: Final = {
    _pattern(Name): "a name of at most 64 letters, digits, `.`, `_` and `-` that begins with a letter or digit",
    _pattern(HeaderName): "a header's name of at most 64 letters, digits and `-`",
    _pattern(HeaderText): "a header text of at most 512 printable ASCII characters without space at its ends",
}


def expected(wanted: inspect.Type) -> str:
    """The values that a setting of this type takes: `an integer from 0 to 65535`."""
    match wanted:
        case inspect.Metadata():
            return expected(wanted.type)
        case inspect.UnionType():
            return " or ".join(expected(member) for member in members(wanted))
        case inspect.IntType():
            return "an integer" + _bounds(wanted)
        case inspect.FloatType():
            return "a number" + _bounds(wanted)
        case inspect.BoolType():
            return "true or false"
        case inspect.LiteralType(values=values):
            choices = ", ".join(f'"{value}"' for value in values)
            return choices if len(values) == 1 else f"one of {choices}"
        case inspect.StrType():
            return _text(wanted)
        case inspect.VarTupleType():
            return "a list"
        case inspect.StructType() | inspect.DictType():
            return "a section of `key: value` lines"
        case _:
            return "text"


def members(union: inspect.UnionType) -> list[inspect.Type]:
    """The alternatives of a union without null, which means absent everywhere."""
    return [member for member in union.types if not isinstance(member, inspect.NoneType)]


def _bounds(wanted: inspect.IntType | inspect.FloatType) -> str:
    up_to = " to " if wanted.ge is not None else " up to "
    limits = ((" from ", wanted.ge), (" above ", wanted.gt), (up_to, wanted.le), (" below ", wanted.lt))
    return "".join(f"{word}{limit}" for word, limit in limits if limit is not None)


def _text(wanted: inspect.StrType) -> str:
    if wanted.pattern is not None:
        return _PATTERNS.get(wanted.pattern, f"text that matches {wanted.pattern}")
    return "text"


def found(node: Node, text: str | None = None) -> str:
    """The value that was found: `the text '1e3'`.

    Args:
        node: its place in the file.
        text: a scalar's text if it may be shown; without it only the kind is named.
    """
    match node:
        case Scalar(kind=kind):
            hide = text is None or kind in ("nothing", "other") or (kind == "text" and looks_secret(text))
            return _KINDS[kind] if hide or text is None else f"the {kind} {_quoted(text, kind)}"
        case Section():
            return "a section"
        case Listing():
            return "a list"
        case Broken():
            return "something else"


def _quoted(text: str, kind: str) -> str:
    most = MAX_SHOWN if kind == "text" else MAX_DIGITS
    start = text[:most]
    return (repr(start) if kind == "text" else start) + ("..." if len(text) > most else "")
