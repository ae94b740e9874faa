"""Reads the parts of a message's content in neutral form.

Source: https://platform.openai.com/docs/api-reference/chat/create, `messages`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from gateway.core.errors import InvalidRequest
from gateway.core.request import Media, Part, Refusal, StoredFile, Text, UnknownPart
from gateway.core.strict_json import JsonObject
from gateway.wires.data_urls import UrlFault, is_data, is_remote, plain_base64, split_data
from gateway.wires.field_reader import FieldReader, printable
from gateway.wires.media_types import by_name

_FORMAT: Final = re.compile(r"[a-z0-9][a-z0-9.+-]*")


def read_content(message: FieldReader) -> list[Part]:
    """Read a message's `content`, a string or an array of parts. Empty texts are left out.

    Raises:
        InvalidRequest: naming the part.
    """
    value = message.raw("content")
    if isinstance(value, str):
        return [Text(value)] if value else []
    if value is None or isinstance(value, list):
        parts = [_part(item) for item in message.objects("content")]
        return [part for part in parts if part != Text("")]
    raise message.wrong_type("content", "a string or an array of content parts")


def cache_mark(where: FieldReader) -> JsonObject:
    """Anthropic's mark for its cache, which many clients send in this wire; empty where there is none."""
    mark = where.json("cache_control")
    return {"anthropic": {"cache_control": mark}} if mark else {}


def read_image(part: FieldReader) -> Media:
    """Read a part whose `image_url` is an object or, from some clients, the URL itself."""
    if isinstance(url := part.raw("image_url"), str):
        return _media(part, "image_url", url)
    inner = part.needed_object("image_url")
    return _media(inner, "url", inner.needed_text("url"), inner.text("detail"))


def _part(part: FieldReader) -> Part:
    kind = part.text("type") or ("text" if isinstance(part.raw("text"), str) else "")
    read = _KINDS.get(kind)
    if read is None:
        part.skip()
        return UnknownPart(printable(kind))
    return read(part)


def _text(part: FieldReader) -> Text:
    text = part.text("text")
    if text is None:
        raise part.wrong_type("text", "a string")
    return Text(text, {**(part.json("extra_content") or {}), **cache_mark(part)})


def _refusal(part: FieldReader) -> Refusal:
    return Refusal(part.needed_text("refusal"))


def _media(where: FieldReader, key: str, url: str, detail: str | None = None) -> Media:
    url = url.strip()
    if is_remote(url):
        return Media("image", uri=url, detail=detail)
    if not is_data(url):
        raise _refused(where, key, "must be a data: URL or an http, https or gs URL")
    try:
        mime, data = split_data(url)
    except UrlFault as fault:
        raise _refused(where, key, str(fault)) from None
    return Media("image", mime, data, detail=detail)


def _audio(part: FieldReader) -> Media:
    inner = part.needed_object("input_audio")
    data, format = inner.needed_text("data"), inner.needed_text("format").strip().lower()
    if not _FORMAT.fullmatch(format):
        raise _refused(inner, "format", "must be the name of an audio format, such as wav or mp3")
    try:
        return Media("audio", f"audio/{format}", plain_base64(data))
    except UrlFault as fault:
        raise _refused(inner, "data", str(fault)) from None


def _file(part: FieldReader) -> Media | StoredFile:
    inner = part.needed_object("file")
    data, stored, name = inner.text("file_data"), inner.text("file_id"), inner.text("filename")
    if not data:
        if not stored:
            raise inner.wrong_type("file_data", "a data: URL or base64, where there is no file_id")
        return StoredFile(stored)
    try:
        mime, data = split_data(data.strip()) if is_data(data.strip()) else ("", plain_base64(data))
    except UrlFault as fault:
        raise _refused(inner, "file_data", str(fault)) from None
    return Media("file", mime or by_name(name), data, name=name)


def _refused(where: FieldReader, key: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"{where.at(key)} {why}.", param=where.at(key))


_KINDS: Final[Mapping[str, Callable[[FieldReader], Part]]] = {
    "text": _text,
    "refusal": _refusal,
    "image_url": read_image,
    "input_audio": _audio,
    "file": _file,
}
