"""Reads content blocks in neutral form: texts, images, documents, and what the neutral form does not have.

Source: https://platform.claude.com/docs/en/api/messages/create, `messages.content`.
"""

from collections.abc import Iterator
from typing import Literal

from gateway.core.errors import InvalidRequest
from gateway.core.request import Media, Part, StoredFile, Text, UnknownPart
from gateway.core.strict_json import JsonObject
from gateway.wires.anthropic_messages import VENDOR
from gateway.wires.data_urls import UrlFault, is_data, plain_base64, split_data
from gateway.wires.field_reader import FieldReader, printable


def read_content(where: FieldReader, key: str) -> list[Part]:
    """Read a field that is a string or an array of blocks.

    Raises:
        InvalidRequest: naming the block.
    """
    value = where.raw(key)
    if isinstance(value, str):
        return [Text(value)]
    return [part for block in where.objects(key) for part in read_part(block)]


def read_part(block: FieldReader) -> list[Part]:
    """Read a block that stands in any message. A document of texts is many parts."""
    match kind := block.needed_text("type"):
        case "text":
            block.ignore("citations")  # of an answer that came back; they mean nothing without the sources
            return [Text(block.text("text") or "", extra(block))]
        case "image":
            return list(_source(block, "image"))
        case "document":
            return _document(block)
    block.skip()
    return [UnknownPart(printable(kind))]


def extra(block: FieldReader) -> JsonObject:
    """The data of Anthropic's that stays with a value: the mark up to which a prompt is cached."""
    mark = block.json("cache_control")
    return {VENDOR: {"cache_control": mark}} if mark else {}


def _document(block: FieldReader) -> list[Part]:
    citations = block.json("citations")
    if citations and citations.get("enabled"):
        block.put_back("citations")
    return list(_source(block, "file"))


def _source(block: FieldReader, kind: Literal["image", "file"]) -> Iterator[Part]:
    source, title, data = block.needed_object("source"), block.text("title") or None, extra(block)
    match form := source.needed_text("type"):
        case "base64":
            mime = (source.text("media_type") or "").partition(";")[0].strip().lower()
            try:
                yield Media(kind, mime, plain_base64(source.needed_text("data")), name=title, extra=data)
            except UrlFault as fault:
                raise _refused(source, "data", str(fault)) from None
        case "url":
            yield _of_url(source, kind, title, data)
        case "text":
            source.ignore("media_type")
            yield Text(source.text("data") or "", data)
        case "content":
            yield from read_content(source, "content")
        case "file":
            yield StoredFile(source.needed_text("file_id"), VENDOR)
        case _:
            source.skip()
            yield UnknownPart(printable(f"{block.text('type')}.source.{form}"))


def _of_url(source: FieldReader, kind: Literal["image", "file"], title: str | None, data: JsonObject) -> Media:
    url = source.needed_text("url").strip()
    mime = "application/pdf" if kind == "file" else ""
    if not is_data(url):
        return Media(kind, mime, uri=url, name=title, extra=data)
    try:
        mime, content = split_data(url)
    except UrlFault as fault:
        raise _refused(source, "url", str(fault)) from None
    return Media(kind, mime, content, name=title, extra=data)


def _refused(where: FieldReader, key: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"{where.at(key)} {why}.", param=where.at(key))
