"""A second reading of JSON that strict_json has refused, for answers of providers that are paid for.

Servers write NaN, raw control characters, half a surrogate pair, integers of any size, and bytes behind the object. The
words in such a text are still the answer, so it is read again here, and only where the first reading has failed. A text
with lone surrogates stays so; gateway.core.surrogates joins or replaces them. Requests are never read leniently.
"""

import json
import math
import re
from typing import Final

import msgspec

from gateway.core.strict_json import MAX_CONTAINERS, JsonFault, JsonValue, check_depth, fits

LONGEST_INT: Final = 20
"""Digits of the longest integer of 64 bits."""
LONGEST_KEPT: Final = 4_000
"""Digits of the longest integer that is kept; Python's clients read no longer one than 4,300."""
_DONE: Final = "[DONE]"
"""The end of a stream, which looks like a list of one word."""
_BETWEEN: Final = re.compile(r"[\s,;\x00\x1e]*(?:data:\s*)?")
"""What may stand between two values: blanks, a separator, the field name of another data line."""
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[+-]?[A-Za-z_][A-Za-z_0-9]*|,(?=\s*[}\]])', re.DOTALL)
_WORDS: Final = {"true": "true", "false": "false", "null": "null", "True": "true", "False": "false"}


def loads_all(text: bytes) -> tuple[list[JsonValue], bytes]:
    """Read as many JSON values from the start of a text as there are.

    NaN, the infinities and every other bare word become null, control characters stay in their strings, invalid UTF-8
    becomes U+FFFD, and an integer of more than 64 bits is kept digit by digit as msgspec.Raw, which `dumps` writes as
    it is and readers of fields take for no number; one that no client reads becomes null.

    Returns:
        The values, and the bytes behind them that are no JSON.
    """
    if text.count(b"[") + text.count(b"{") > MAX_CONTAINERS:
        return [], text
    readable = _decoded(text.removeprefix(b"\xef\xbb\xbf"))
    values, rest = _values(readable)
    if rest.startswith(("{", "[")) and not rest.startswith(_DONE):
        more, behind = _values(_TOKEN.sub(_plain_word, rest))
        if more:
            return [*values, *more], behind.encode("utf-8", "replace")
    return values, rest.encode("utf-8", "replace")


def _decoded(text: bytes) -> str:
    try:
        return text.decode("utf-8", "surrogatepass")  # halves of a pair that were encoded one by one can be joined
    except UnicodeDecodeError:
        return text.decode("utf-8", "replace")


def _values(text: str) -> tuple[list[JsonValue], str]:
    values: list[JsonValue] = []
    at = _end_of_blanks(text, 0)
    while at < len(text):
        try:
            value: JsonValue
            value, end = _DECODER.raw_decode(text, at)
            check_depth(value)
        except (ValueError, RecursionError, JsonFault):
            break
        values.append(value)
        at = _end_of_blanks(text, end)
    return values, text[at:]


def _end_of_blanks(text: str, start: int) -> int:
    found = _BETWEEN.match(text, start)
    return found.end() if found else start


def _plain_word(token: re.Match[str]) -> str:
    """A token as JSON has it: bare words (`nan`, `None`, `undefined`) are null, a comma before a bracket goes."""
    word = token[0]
    if word[0] == '"':
        return word
    return "" if word == "," else _WORDS.get(word, "null")


def _nothing(_: str) -> None:
    return None


def _integer(digits: str) -> object:
    if len(digits) <= LONGEST_INT and fits(value := int(digits)):
        return value
    return msgspec.Raw(digits.encode()) if len(digits) <= LONGEST_KEPT else None


def _number(digits: str) -> float | None:
    value = float(digits)
    return value if math.isfinite(value) else None


_DECODER: Final = json.JSONDecoder(strict=False, parse_constant=_nothing, parse_int=_integer, parse_float=_number)
