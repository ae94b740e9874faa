"""Renders images and files: bytes with a media type that the API knows, or an address that Anthropic fetches.

Source: https://platform.claude.com/docs/en/build-with-claude/vision and pdf-support (2026-11).
"""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Final

from gateway.core.errors import InvalidRequest
from gateway.core.provider_failures import UnsupportedByTarget
from gateway.core.request import Media
from gateway.core.strict_json import JsonObject
from gateway.wires.anthropic_messages.outbound import cache_marks
from gateway.wires.data_urls import UrlFault, plain_base64
from gateway.wires.dropped import Drop

IMAGES: Final = ("image/jpeg", "image/png", "image/gif", "image/webp")
PDF: Final = "application/pdf"
_OTHER_NAMES: Final[Mapping[str, str]] = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-png": "image/png",
    "application/x-pdf": PDF,
    "application/octet-stream": "",  # no information
}
_BY_BEGINNING: Final[tuple[tuple[str, str], ...]] = (  # of the base64, so that nothing has to be decoded
    ("iVBORw0KGgo", "image/png"),
    ("/9j/", "image/jpeg"),
    ("R0lGOD", "image/gif"),
    ("UklGR", "image/webp"),
    ("JVBERi0", PDF),
)
_BY_ENDING: Final[Mapping[str, str]] = {"pdf": PDF, "txt": "text/plain", "md": "text/markdown", "csv": "text/csv"}
_TEXTS: Final = ("application/json", "application/xml", "application/yaml", "application/javascript")
_FIELD: Final[Mapping[str, str]] = {
    "image": "image_url",
    "audio": "input_audio",
    "video": "video_url",
    "file": "file",
}
_WEB: Final = re.compile(r"https?://", re.IGNORECASE)


def block(media: Media, drop: Drop) -> JsonObject:
    """The image or document block that holds the media.

    Args:
        media: an image or a file.
        drop: is called with the name of each dropped field.

    Raises:
        InvalidRequest: the media has neither bytes nor an address, or its bytes are not base64.
        UnsupportedByTarget: Anthropic does not read media of this type, or from such an address.
    """
    if media.kind in ("audio", "video"):
        senses = "hear" if media.kind == "audio" else "see videos"
        raise UnsupportedByTarget(f"Anthropic's models do not {senses}.", param="messages")
    if media.detail in ("low", "high"):
        drop(f"{field(media)}.detail")
    source = _bytes(media) if media.data else _address(media)
    kind = "image" if source.get("media_type") in IMAGES or (media.uri and media.kind == "image") else "document"
    title: JsonObject = {"title": media.name} if kind == "document" and media.name else {}
    return {"type": kind, "source": source, **title, **cache_marks.mark(media.extra)}


def field(media: Media) -> str:
    """The name of the media's field in the caller's request, for errors and dropped fields."""
    return f"messages.content.{_FIELD[media.kind]}"


def _bytes(media: Media) -> JsonObject:
    try:
        data = plain_base64(media.data)
    except UrlFault as fault:
        raise InvalidRequest(f"{field(media)} {fault}.", param="messages") from None
    mime = _type(media, data)
    if mime in IMAGES or mime == PDF:
        return {"type": "base64", "media_type": mime, "data": data}
    if media.kind == "file" and (mime.startswith("text/") or mime in _TEXTS):
        return {"type": "text", "media_type": "text/plain", "data": _decoded(media, data)}
    raise UnsupportedByTarget(
        f"Anthropic reads images as JPEG, PNG, GIF or WebP and files as PDF or text, and not {mime or 'this'}.",
        param="messages",
    )


def _type(media: Media, data: str) -> str:
    """The media type from the request, the first bytes or the file name extension; "" where none has one."""
    mime = media.mime_type.partition(";")[0].strip().lower()
    mime = _OTHER_NAMES.get(mime, mime)
    if mime:
        return mime
    begun = next((found for beginning, found in _BY_BEGINNING if data.startswith(beginning)), "")
    return begun or _BY_ENDING.get((media.name or "").rpartition(".")[2].lower(), "")


def _decoded(media: Media, data: str) -> str:
    try:
        text = base64.b64decode(data).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise InvalidRequest(f"{field(media)} must hold text in UTF-8.", param="messages") from None
    if not text.strip():
        raise InvalidRequest(f"{field(media)} must hold text, but it is blank.", param="messages")
    return text


def _address(media: Media) -> JsonObject:
    if not media.uri:
        raise InvalidRequest(f"{field(media)} holds neither data nor a URL.", param="messages")
    if not _WEB.match(media.uri):
        raise UnsupportedByTarget("Anthropic reads media only from https and http addresses.", param="messages")
    return {"type": "url", "url": media.uri}
