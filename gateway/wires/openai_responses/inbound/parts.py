"""Reads the content of messages and of tool outputs in neutral form.

Source: https://platform.openai.com/docs/api-reference/responses/create, `input`.
"""

from collections.abc import Callable, Mapping
from typing import Final

from gateway.core.errors import InvalidRequest
from gateway.core.request import Media, Part, Refusal, StoredFile, Text, UnknownPart
from gateway.wires.data_urls import UrlFault, is_data, is_remote, plain_base64, split_data
from gateway.wires.field_reader import FieldReader, printable
from gateway.wires.media_types import by_name

_DETAILS: Final[Mapping[str, str]] = {"original": "high"}
"""Codex's word for an image that is not scaled down; other wires end at high."""


def read_content(holder: FieldReader, key: str) -> list[Part]:
    """Read a field that is a string or an array of content parts. Empty texts are left out.

    Raises:
        InvalidRequest: naming the part.
    """
    value = holder.raw(key)
    if isinstance(value, str):
        return [Text(value)] if value else []
    if value is None or isinstance(value, list):
        parts = [_part(each) for each in holder.objects(key)]
        return [part for part in parts if part != Text("")]
    raise holder.wrong_type(key, "a string or an array of content parts")


def _part(part: FieldReader) -> Part:
    kind = part.text("type") or ""
    read = _KINDS.get(kind)
    if read is None:
        part.skip()
        return UnknownPart(printable(kind))
    return read(part)


def _text(part: FieldReader) -> Text:
    part.ignore("annotations", "logprobs", "prompt_cache_breakpoint")
    text = part.text("text")
    if text is None:
        raise part.wrong_type("text", "a string")
    return Text(text)


def _refusal(part: FieldReader) -> Refusal:
    return Refusal(part.needed_text("refusal"))


def _image(part: FieldReader) -> Media | StoredFile:
    detail, url, stored = part.text("detail"), part.text("image_url"), part.text("file_id")
    part.ignore("prompt_cache_breakpoint")
    if not url:
        if not stored:
            raise part.wrong_type("image_url", "a data: URL or an http, https or gs URL, where there is no file_id")
        return StoredFile(stored)
    detail = None if detail is None else _DETAILS.get(detail, detail)
    mime, data, address = _located(part, "image_url", url)
    return Media("image", mime, data, address, detail)


def _file(part: FieldReader) -> Media | StoredFile:
    data, url = part.text("file_data"), part.text("file_url")
    stored, name = part.text("file_id"), part.text("filename")
    part.ignore("detail", "prompt_cache_breakpoint")
    if data:
        mime, plain = _bytes(part, "file_data", data)
        return Media("file", mime or by_name(name), plain, name=name)
    if url:
        mime, plain, address = _located(part, "file_url", url)
        return Media("file", mime or by_name(name), plain, address, name=name)
    if not stored:
        raise part.wrong_type("file_data", "a data: URL, where there is no file_url and no file_id")
    return StoredFile(stored)


def _audio(part: FieldReader) -> Media:
    inner = part.needed_object("input_audio")
    format = inner.needed_text("format").strip().lower()
    _, plain = _bytes(inner, "data", inner.needed_text("data"))
    return Media("audio", f"audio/{format}", plain)


def _located(part: FieldReader, key: str, url: str) -> tuple[str, str, str]:
    """The media type, the bytes in base64 and the address of a URL: either bytes or an address."""
    url = url.strip()
    if is_remote(url):
        return "", "", url
    if not is_data(url):
        raise _refused(part, key, "must be a data: URL or an http, https or gs URL")
    return (*_bytes(part, key, url), "")


def _bytes(part: FieldReader, key: str, data: str) -> tuple[str, str]:
    data = data.strip()
    try:
        return split_data(data) if is_data(data) else ("", plain_base64(data))
    except UrlFault as fault:
        raise _refused(part, key, str(fault)) from None


def _refused(part: FieldReader, key: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"{part.at(key)} {why}.", param=part.at(key))


_KINDS: Final[Mapping[str, Callable[[FieldReader], Part]]] = {
    "input_text": _text,
    "output_text": _text,
    "text": _text,
    "refusal": _refusal,
    "input_image": _image,
    "input_file": _file,
    "input_audio": _audio,
}
