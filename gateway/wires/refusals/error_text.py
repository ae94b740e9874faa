"""Errors that are text: what is wrapped around the words, and pages of HTML or XML."""

import html
import re
from typing import Final

from gateway.core.strict_json import JsonFault, JsonObject, JsonValue, loads

_NAME: Final = re.compile(r"\s*(?:litellm\.)?(\w{0,60}(?:Error|Exception))\b[\s:-]*")
_BEGINS: Final = re.compile(r"\s*(?:litellm\.\w+|\w{1,60}Exception - )")
_GROUP: Final = re.compile(r"(?:\s*\n\s*\.|\s)\s*Received Model Group=.*", re.DOTALL)
_NUMBER: Final = re.compile(r"\s*(?:API Error:|Error code:|HTTP(?: error)?:?|\[)? *([45]\d\d)(?:\]:?| -|:) *(?=\S)")
_PAGE: Final = re.compile(r"\s*(?:<!--.*?-->\s*)?<(?:!doctype html|html|head|body|title|h1|center)\b", re.IGNORECASE)
_TITLES: Final = tuple(
    re.compile(rf"<{tag}\b[^>]*>([^<]{{1,500}})</{tag}>", re.IGNORECASE) for tag in ("title", "h1", "h2", "p")
)
_XML: Final = re.compile(r"\s*<(?:\?xml|error|errorresponse)\b", re.IGNORECASE)
_XML_FIELD: Final = re.compile(r"<(code|message)>([^<]{1,2000})</\1>", re.IGNORECASE)
_QUOTED: Final = re.compile(
    r"['\"](?:message|msg|detail)['\"]\s*:\s*(?:'((?:[^'\\]|\\.){1,4000})'|\"((?:[^\"\\]|\\.){1,4000})\")"
)
_QUOTED_CODE: Final = re.compile(r"['\"](?:code|type|status)['\"]\s*:\s*['\"]([\w. -]{1,80})['\"]")
_OF_AN_ERROR: Final = re.compile(r"^\s*\{|['\"](?:error|code|status)['\"]\s*:")
_OF_ERRORS: Final = frozenset({"error", "errors", "detail", "base_resp"})


def of_page(body: str) -> JsonValue:
    """A body that is no JSON, as the JSON that would say the same: the title of HTML, the fields of XML, or text."""
    if _PAGE.match(body):
        titles = (found[1] for pattern in _TITLES if (found := pattern.search(body)))
        return next((text for title in titles if (text := " ".join(html.unescape(title).split()))), None)
    if _XML.match(body):
        fields: JsonObject = {name.lower(): html.unescape(value) for name, value in _XML_FIELD.findall(body)}
        return fields or None
    return None if "\ufffd" in body or "\0" in body else body


def unwrapped(text: str) -> tuple[tuple[str, ...], int | None, str]:
    """A text without what proxies put around it: LiteLLM's `litellm.BadRequestError: OpenAIException - ...` and
    openai-python's `Error code: 400 - ...`.

    Returns:
        The names of the exceptions, the status, and the words.
    """
    names: list[str] = []
    if _BEGINS.match(text):
        text = _GROUP.sub("", text)
        while (found := _NAME.match(text)) and len(names) < 8 and found.end() < len(text):
            names.append(found[1])
            text = text[found.end() :]
    number = _NUMBER.match(text)
    if number is None:
        return tuple(names), None, text
    return tuple(names), int(number[1]), text[number.end() :]


def embedded(text: str) -> JsonValue:
    """The error that a text is, or holds, as JSON; None where it has none."""
    stripped = text.strip()
    begin = min((at for mark in "{[" if (at := stripped.find(mark)) >= 0), default=-1)
    end = max(stripped.rfind("}"), stripped.rfind("]")) + 1
    if begin < 0 or end <= begin:
        return None
    try:
        value = loads(stripped[begin:end].encode("utf-8", "replace"))
    except JsonFault:
        return None
    if begin == 0 and end == len(stripped):
        return value if isinstance(value, (dict, list)) else None
    one = value[0] if isinstance(value, list) and value else value
    is_error = isinstance(one, dict) and (_OF_ERRORS & one.keys() or {"message", "code"} <= one.keys())
    return value if is_error else None


def quoted(text: str) -> tuple[str, tuple[str, ...]]:
    """The message and the codes of an error that is printed in Python's notation, or cut off; else the text itself."""
    found = _QUOTED.search(text) if _OF_AN_ERROR.search(text) and "'loc':" not in text else None
    if found is None:
        return text, ()
    words = re.sub(r"\\(['\"\\])", r"\1", found[1] or found[2])
    return words, tuple(_QUOTED_CODE.findall(text)[:8])


def readable(text: str) -> str:
    """The text; "" where it has no word."""
    stripped = text.strip()
    return stripped if any(character.isalnum() for character in stripped) else ""
