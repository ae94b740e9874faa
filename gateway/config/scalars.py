"""Single values: the notations of numbers and booleans, and the limits of their types.

YAML 1.1 reads `010` as 8 and `1:30` as 90. A setting takes only notations that have one reading. This module knows no
setting and reports no fault.
"""

import math
import re
import unicodedata
from typing import Final

from msgspec import inspect

from gateway.config.nodes import Scalar

_INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_NUMBER: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)?(\.[0-9]*)?([eE][-+][0-9]+)?")
_BOOLEANS: Final = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}

Numeric = inspect.IntType | inspect.FloatType


def boolean(node: Scalar) -> bool | None:
    """The node's boolean value, or None where it is no boolean."""
    return _BOOLEANS[node.text.lower()] if node.kind == "boolean" else None


def numeric(wanted: Numeric) -> tuple[str, ...]:
    """The kinds of scalar that a number of this type may be."""
    return ("integer",) if isinstance(wanted, inspect.IntType) else ("integer", "number")


def number(text: str, wanted: Numeric) -> float | None:
    """The number, or None for a notation that YAML and people read differently (`010`, `1:30`, `0x1F`, `1_000`)."""
    if isinstance(wanted, inspect.IntType):
        return _integer(text) if _INTEGER.fullmatch(text) else None
    return float(text) if _NUMBER.fullmatch(text) else None


def _integer(text: str) -> float:
    # Python refuses to convert more than 4,300 digits; no limit of the schema is near 10^18.
    return int(text) if len(text) <= 18 else math.inf


def within(value: float, wanted: Numeric) -> bool:
    """Whether a number is within the limits of its type. No type takes infinity."""
    return (
        math.isfinite(value)
        and (wanted.ge is None or value >= wanted.ge)
        and (wanted.gt is None or value > wanted.gt)
        and (wanted.le is None or value <= wanted.le)
        and (wanted.lt is None or value < wanted.lt)
    )


def text_hint(node: Scalar) -> str:
    """Advice for a text in place of a number or boolean; empty if there is no obvious one."""
    if node.kind != "text":
        return ""
    if "${" in node.text:
        return "; ${...} works only where text is expected"
    bare = _INTEGER.fullmatch(node.text) or node.text.lower() in _BOOLEANS
    return "; remove the quotes" if bare else ""


def is_one_line(text: str) -> bool:
    """Whether a text has no line breaks, control characters or surrogates (halves of characters)."""
    return not any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in text)


def length_fault(text: str, wanted: inspect.Type) -> str:
    """The fault of a text's length; empty if there is none."""
    wanted = _bare(wanted)
    if not isinstance(wanted, inspect.StrType):
        return ""
    if len(text) < (wanted.min_length or 0):
        return f"must have at least {wanted.min_length} characters" if text else "must not be empty"
    if wanted.max_length is not None and len(text) > wanted.max_length:
        return f"must have at most {wanted.max_length} characters; it has {len(text)}"
    return ""


def matches(text: str, wanted: inspect.Type) -> bool:
    """Whether a text matches the pattern of its type."""
    wanted = _bare(wanted)
    return not isinstance(wanted, inspect.StrType) or not wanted.pattern or bool(re.search(wanted.pattern, text))


def _bare(wanted: inspect.Type) -> inspect.Type:
    return _bare(wanted.type) if isinstance(wanted, inspect.Metadata) else wanted
