"""Strict JSON: reads JSON from outside and writes the gateway's own.

This is the only module that parses and writes JSON. It rejects what is not JSON (NaN, a lone surrogate, invalid UTF-8)
and JSON that is made to do harm (a million brackets, a number of a thousand digits), so no layer above checks for them.
It knows no field names: the wires and stores that read a value define its shape.

Source: RFC 8259. Integers are kept to 64 bits, signed or unsigned, because beyond that readers differ (section 6).
"""

import json
import re
from collections.abc import Iterator
from typing import Final, TypeAlias

import msgspec

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = dict[str, JsonValue]
_Container: TypeAlias = "list[JsonValue] | JsonObject"

MAX_DEPTH: Final = 128
"""Levels of arrays and objects. Real chat requests stay under 20 (nested JSON schemas of tools)."""

MAX_CONTAINERS: Final = 2_000_000
"""Opening brackets in one text, those in strings included. Each may become 80 bytes, and parsing blocks all threads: 32
MiB of `[],` took 900 MB and three seconds. The probabilities of 20,000 tokens, 20 others each, have 900,000."""

SHORT: Final = 4_096
"""Bytes up to which it is cheaper to count the brackets than to walk the value."""

_TEXT: Final = msgspec.json.Decoder(str)
_BOM: Final = b"\xef\xbb\xbf"
_SMALLEST, _LARGEST = -(2**63), 2**64 - 1
_DIGITS_AS_ZERO: Final = bytes(ord("0") if chr(byte) in "0123456789" else 0 for byte in range(256))
_LONG_NUMBER: Final = b"0" * len(str(2**63))
_SAMPLED_NUMBER: Final = b"0" * (len(_LONG_NUMBER) // 6)
_MALFORMED: Final = re.compile(r"JSON is malformed: (?P<reason>.+) \(byte (?P<position>\d+)\)")
_HIGH_SURROGATE: Final = re.compile(rb"\\u[dD][89abAB]")


class JsonFault(ValueError):
    """The text is not JSON, or not JSON that is accepted.

    Args:
        message: the fault as the second half of a sentence; quotes nothing of the text.
        position: the byte of the fault, counted from 0; None where it is unknown.
    """

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message if position is None else f"{message} (byte {position})")
        self.position = position


def loads(text: bytes, *, max_depth: int = MAX_DEPTH) -> JsonValue:
    """Read a JSON text in UTF-8. A byte order mark is tolerated; the last value of a repeated key wins.

    Args:
        text: the whole text.
        max_depth: the most levels of arrays and objects.

    Raises:
        JsonFault: for any text that is not accepted; nothing else is raised.
    """
    start = len(_BOM) if text.startswith(_BOM) else 0
    body = text[start:] if start else text
    # searching all bytes of a large text costs as much as reading it, so a search is made only where it can succeed
    if len(body) > MAX_CONTAINERS and body.count(b"[") + body.count(b"{") > MAX_CONTAINERS:
        raise JsonFault(f"more than {MAX_CONTAINERS} arrays and objects")
    try:
        value: JsonValue = msgspec.json.decode(body)
    except RecursionError:
        raise _too_deep(max_depth) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise _explain(fault, body, start) from None
    if len(body) > SHORT or body.count(b"[") + body.count(b"{") > max_depth:
        check_depth(value, max_depth)
    if _may_have_long_number(body):
        _check_integers(value)
    return value


def loads_text(inner: bytes) -> str:
    """Read the inside of a JSON string (without its quotation marks), in UTF-8.

    Raises:
        JsonFault: the bytes are not the inside of a string; nothing else is raised.
    """
    try:
        return _TEXT.decode(b'"%b"' % inner)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise JsonFault("not the inside of a string") from None


def dumps(value: JsonValue) -> bytes:
    """Write a value as compact JSON in UTF-8. The result is always JSON: a lone surrogate becomes U+FFFD, and a float
    that is not finite (`loads` returns none) becomes null."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return _without_surrogates(value)


def as_object(value: JsonValue) -> JsonObject:
    """The value as a JSON object.

    Raises:
        JsonFault: it is not an object.
    """
    if isinstance(value, dict):
        return value
    raise JsonFault("a JSON object was expected")


def fits(value: int) -> bool:
    """Whether the integer fits into 64 bits, signed or unsigned."""
    return _SMALLEST <= value <= _LARGEST


def _may_have_long_number(body: bytes) -> bool:
    """Whether the text has as many digits in a row as an integer of more than 64 bits. Of 19 bytes in a row, at least
    three are among every sixth byte, so mostly only a sixth of the text is searched."""
    return _SAMPLED_NUMBER in body[::6].translate(_DIGITS_AS_ZERO) and _LONG_NUMBER in body.translate(_DIGITS_AS_ZERO)


def _levels(value: JsonValue) -> Iterator[list[_Container]]:
    """The arrays and objects in the value, level by level. No recursion, because text from outside must not control
    the depth of the stack."""
    level = [value] if isinstance(value, (dict, list)) else []
    while level:
        yield level
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, (dict, list))
        ]


def check_depth(value: JsonValue, max_depth: int = MAX_DEPTH) -> None:
    """Raises JsonFault where the value has more levels of arrays and objects."""
    if any(depth == max_depth for depth, _ in enumerate(_levels(value))):
        raise _too_deep(max_depth)


def _check_integers(value: JsonValue) -> None:
    holders = [[value], *(node for level in _levels(value) for node in level)]
    leaves = (leaf for node in holders for leaf in (node.values() if isinstance(node, dict) else node))
    if any(type(leaf) is int and not fits(leaf) for leaf in leaves):
        raise JsonFault("an integer does not fit into 64 bits")


def _too_deep(max_depth: int) -> JsonFault:
    return JsonFault(f"nested deeper than {max_depth} levels")


def _explain(fault: Exception, body: bytes, start: int) -> JsonFault:
    """The fault for an error of msgspec; `start` is the position of `body` in the text."""
    if isinstance(fault, UnicodeDecodeError):
        return JsonFault("not valid UTF-8")  # the error's position counts from the start of the string, not of the text
    if isinstance(fault, msgspec.ValidationError):
        return JsonFault("a number is out of range")
    if found := _MALFORMED.fullmatch(str(fault)):
        return JsonFault(found["reason"], start + int(found["position"]))
    if _HIGH_SURROGATE.search(body):  # msgspec reports both faults as "truncated"
        return JsonFault("a \\u escape lacks the second half of its surrogate pair, or the text ends too early")
    return JsonFault("the text ends too early", start + len(body))


def _without_surrogates(value: JsonValue) -> bytes:
    """Encode through UTF-16, where two neighbouring halves of a pair become their character."""
    # json writes NaN, which is not JSON; the type that json does not know is msgspec.Raw, JSON that is already written
    finite = json.loads(json.dumps(value, default=msgspec.json.decode), parse_constant=lambda _: None)
    text = json.dumps(finite, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
