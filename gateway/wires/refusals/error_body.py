"""Finds the words of an error in any of the shapes that servers write.

Servers that call themselves compatible write errors as a bare string, as `detail`, as an array around the object, as
text or HTML, and hubs wrap the reason of another server in their own. The innermost words are the reason, so they are
what the caller gets; the words around them are read as well, because a code may stand there. Nothing here knows what an
error means.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from gateway.core.strict_json import JsonFault, JsonObject, JsonValue, loads
from gateway.wires.refusals import error_text

MESSAGE_READ: Final = 20_000
"""Characters of a provider's message that are read. An event of a stream may have sixteen million."""
CODE_SHOWN: Final = 200
"""Characters of an error's code, type and field name; a longer value is none of these and is dropped."""
MAX_LAYERS: Final = 8
"""Wrappings that are opened; a hub of hubs has three."""
MAX_ENTRIES: Final = 20
"""Entries of a list of errors that are read."""

_INNER: Final = ("error", "errors", "response", "base_resp", "detail", "message")
_EVIDENCE: Final = ("details", "innererror")
"""Google's and Azure's details, whose reasons are read and whose words are not for people."""
_MESSAGES: Final = (
    "message", "msg", "error_description", "error_msg", "error_message", "errormessage", "errmsg", "status_msg",
    "error", "detail", "title",
)  # fmt: skip
_CODES: Final = ("code", "type", "status", "reason", "error_code", "error_type", "errorcode", "errcode", "__type")


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """The words of an error.

    Attributes:
        message: the innermost message, for the caller; "" where there is none.
        text: all messages, the innermost first, to be read.
        kind, param, code: type, field and code of the message.
        codes: every code, type and reason, the innermost first.
        status: the HTTP status that the body names.
    """

    message: str = ""
    text: str = ""
    kind: str | None = None
    param: str | None = None
    code: str | None = None
    codes: tuple[str, ...] = ()
    status: int | None = None


def of_bytes(body: bytes) -> ErrorBody:
    """The words of a body: JSON, text, HTML or XML."""
    try:
        value = loads(body)
    except JsonFault:
        value = error_text.of_page(body[: 4 * MESSAGE_READ].decode(errors="replace"))
    return of_json(value)


def of_json(value: JsonValue) -> ErrorBody:
    """The words of an error that is JSON already, such as the event of a stream."""
    layers = _layers(value, MAX_LAYERS)
    with_words = [layer for layer in layers if layer.message] or layers[:1]
    if not with_words:
        return ErrorBody()
    first = with_words[0]
    outer = layers[layers.index(first) :]
    return ErrorBody(
        message=first.message,
        text="\n".join(dict.fromkeys(layer.message for layer in with_words))[:MESSAGE_READ],
        kind=first.kind or _first(layer.kind for layer in outer),
        param=first.param or _first(layer.param for layer in outer),
        code=first.code or _first(layer.code for layer in outer if layer.code and " " not in layer.code),
        codes=tuple(dict.fromkeys(code for layer in layers for code in layer.codes)),
        status=next((layer.status for layer in layers if layer.status), None),
    )


def _first(values: Iterable[str | None]) -> str | None:
    return next((value for value in values if value), None)


def _layers(value: JsonValue, depth: int) -> list[ErrorBody]:
    """The error and the errors inside it, the innermost first."""
    if depth == 0:
        return []
    if isinstance(value, str):
        return _layers_of_text(value[:MESSAGE_READ], depth)
    if isinstance(value, list):
        return _layers_of_list(value[:MAX_ENTRIES], depth)
    if not isinstance(value, dict):
        return []
    fields: JsonObject = {name.lower(): entry for name, entry in value.items()}
    inner = [layer for entry in _wrapped(fields) for layer in _layers(entry, depth - 1)]
    reasons = [layer for name in _EVIDENCE for layer in _layers(fields.get(name), depth - 1)]
    own = _own(fields, tuple(code for layer in reasons for code in layer.codes))
    texts = _layers_of_text(own.message, depth) if own.message else []
    label = fields.get("error")
    beside = [ErrorBody(message=label)] if isinstance(label, str) and label != own.message and " " in label else []
    return [*inner, *texts[:-1], _joined(own, texts[-1] if texts else ErrorBody()), *beside]


def _joined(own: ErrorBody, text: ErrorBody) -> ErrorBody:
    """An object's fields with the words of its message."""
    return ErrorBody(
        message=text.message,
        kind=own.kind,
        param=own.param,
        code=own.code,
        codes=(*text.codes, *own.codes),
        status=own.status or text.status,
    )


def _wrapped(fields: JsonObject) -> Iterator[JsonValue]:
    """The values of an object that may hold another error: OpenRouter's `metadata.raw`, and objects and arrays."""
    metadata = fields.get("metadata")
    if isinstance(metadata, dict) and isinstance(raw := metadata.get("raw"), (str, dict, list)):
        yield raw
    for name in _INNER:
        entry = fields.get(name)
        if isinstance(entry, (dict, list)) and entry:
            yield entry


def _own(fields: JsonObject, reasons: tuple[str, ...]) -> ErrorBody:
    """What the fields of one object say, and the reasons beside them."""
    message = next((text for name in _MESSAGES if isinstance(text := fields.get(name), str) and text.strip()), "")
    prefix = {"status_code": "base_resp.", "error_code": "error_code."}
    numbered = [f"{mark}{n}" for name, mark in prefix.items() if (n := _as_code(fields.get(name))) and n.isdigit()]
    codes = [code for name in _CODES if (code := _as_code(fields.get(name))) and code != message]
    label = fields.get("error")
    if isinstance(label, str) and label != message and " " not in label:
        codes.append(label)
    return ErrorBody(
        message=message[:MESSAGE_READ],
        kind=_shown(fields.get("type")) or _shown(fields.get("error_type")),
        param=_shown(fields.get("param")) or _place(fields.get("loc")),
        code=_shown(_as_code(fields.get("code"))),
        codes=(*reasons, *numbered, *(code for code in codes if _shown(code))),
        status=next(
            (number for name in ("code", "status", "status_code") if (number := _http_status(fields.get(name)))), None
        ),
    )


def _layers_of_list(entries: list[JsonValue], depth: int) -> list[ErrorBody]:
    """A list is the faults of one request, whose words are joined, or else an error in an array."""
    texts = [entry for entry in entries if isinstance(entry, str) and entry.strip()]
    if texts:
        return _layers_of_text("; ".join(texts)[:MESSAGE_READ], depth)
    layers = [_layers(entry, depth - 1) for entry in entries]
    placed = [(_place(entry.get("loc")), found[-1]) for entry, found in zip(entries, layers, strict=True)
              if isinstance(entry, dict) and "loc" in entry and found]  # fmt: skip
    if not placed:
        return next((found for found in layers if any(layer.message for layer in found)), layers[0] if layers else [])
    message = "; ".join(
        f"{place}: {layer.message}" if place else layer.message for place, layer in placed if place or layer.message
    )
    codes = tuple(dict.fromkeys(code for _, layer in placed for code in layer.codes))
    return [ErrorBody(message=message[:MESSAGE_READ], param=placed[0][0], codes=codes)]


def _place(loc: JsonValue) -> str | None:
    """The field that a validator names as a path (`["body", "messages", 0]`), in OpenAI's notation."""
    if not isinstance(loc, list) or not all(isinstance(part, (str, int)) for part in loc):
        return None
    return _shown(".".join(str(part) for part in loc if part != "body"))


def _layers_of_text(text: str, depth: int) -> list[ErrorBody]:
    """A text may be JSON, hold JSON, be a page, or be the words themselves."""
    names, status, words = error_text.unwrapped(text)
    if words.lstrip().startswith("<") and (page := error_text.of_page(words)) != words:
        return [*_layers(page, depth - 1), ErrorBody(codes=names, status=status)]
    embedded = error_text.embedded(words)
    inner = _layers(embedded, depth - 1) if embedded is not None else []
    if any(layer.message for layer in inner):
        return [*inner, ErrorBody(codes=names, status=status)] if names or status else inner
    said, more = error_text.quoted(words)
    return [ErrorBody(message=error_text.readable(said), codes=(*more, *names), status=status)]


def _shown(value: JsonValue) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= CODE_SHOWN else None


def _as_code(value: JsonValue) -> str | None:
    return str(value) if type(value) is int else value if isinstance(value, str) else None


def _http_status(value: JsonValue) -> int | None:
    code = _as_code(value)
    return int(code) if code is not None and re.fullmatch(r"[45]\d\d", code) else None
