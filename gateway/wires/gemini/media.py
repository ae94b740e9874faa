"""Renders images, sounds and files for Gemini: bytes with a known media type, or an address.

Bytes need a media type, which requests often lack or give by a name that Gemini does not know. So the type comes from
the first of these that has one: the request, the file name extension, the first bytes, the most usual type of the kind.

Source: https://ai.google.dev/api/caching#Part, and the pages on images, audio and documents beside it.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Final

from gateway.core.errors import InvalidRequest
from gateway.core.provider_failures import UnsupportedByTarget
from gateway.core.request import Media, StoredFile, ToolCall, UnknownPart
from gateway.core.strict_json import JsonObject
from gateway.wires.dropped import Drop

_FILES: Final = "https://generativelanguage.googleapis.com/"
_FILES_VERSION: Final = f"{_FILES}v1beta/"
_FILE_NAME: Final = re.compile(r"files/[A-Za-z0-9_-]+")
_REMOTE: Final = re.compile(r"(?:https?|gs)://[^\s/?#]\S*", re.IGNORECASE)
_MIME: Final = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)
_OTHER_NAMES: Final[Mapping[str, str]] = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-png": "image/png",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/mpeg": "audio/mp3",
    "audio/x-mp3": "audio/mp3",
    "audio/x-flac": "audio/flac",
    "audio/x-aac": "audio/aac",
    "audio/x-aiff": "audio/aiff",
    "application/x-pdf": "application/pdf",
    "video/quicktime": "video/mov",
    "video/x-msvideo": "video/avi",
    "application/octet-stream": "",  # no information
    "binary/octet-stream": "",
}
_BY_ENDING: Final[Mapping[str, str]] = {
    "aac": "audio/aac",
    "aiff": "audio/aiff",
    "avi": "video/avi",
    "css": "text/css",
    "csv": "text/csv",
    "flac": "audio/flac",
    "gif": "image/gif",
    "heic": "image/heic",
    "heif": "image/heif",
    "htm": "text/html",
    "html": "text/html",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "json": "application/json",
    "md": "text/markdown",
    "mov": "video/mov",
    "mp3": "audio/mp3",
    "mp4": "video/mp4",
    "mpeg": "video/mpeg",
    "mpg": "video/mpeg",
    "ogg": "audio/ogg",
    "pdf": "application/pdf",
    "png": "image/png",
    "rtf": "text/rtf",
    "txt": "text/plain",
    "wav": "audio/wav",
    "webm": "video/webm",
    "webp": "image/webp",
    "xml": "text/xml",
}
_BY_BEGINNING: Final[tuple[tuple[str, str], ...]] = (  # of the base64, so that nothing has to be decoded
    ("iVBORw0KGgo", "image/png"),
    ("/9j/", "image/jpeg"),
    ("R0lGOD", "image/gif"),
    ("JVBERi0", "application/pdf"),
    ("SUQz", "audio/mp3"),
    ("ZkxhQ", "audio/flac"),
    ("T2dnU", "audio/ogg"),
)
_BY_KIND: Final[Mapping[str, str]] = {
    "image": "image/jpeg",
    "audio": "audio/wav",
    "video": "video/mp4",
    "file": "application/pdf",
}
_FIELD: Final[Mapping[str, str]] = {
    "image": "image_url",
    "audio": "input_audio",
    "video": "video_url",
    "file": "file",
}
_RESOLUTION: Final[Mapping[str, str]] = {"low": "MEDIA_RESOLUTION_LOW", "high": "MEDIA_RESOLUTION_HIGH"}


def part(media: Media, generation: int, drop: Drop) -> JsonObject:
    """The part of a Content that holds the media.

    Args:
        generation: the model's; from the third on, a part has the resolution for reading an image.
        drop: is called with the name of each dropped field.

    Raises:
        InvalidRequest: the media has neither bytes nor an address.
    """
    if media.name:
        drop(f"{field(media)}.filename")
    if media.data:
        rendered: JsonObject = {"inlineData": blob(media)}
    else:
        rendered = {"fileData": _address(media)}
    level = _RESOLUTION.get(media.detail or "")
    if level and generation >= 3:
        rendered["mediaResolution"] = {"level": level}
    elif level:
        drop(f"{field(media)}.detail")
    return rendered


def blob(media: Media) -> JsonObject:
    """The bytes with their media type. Raises InvalidRequest where they are not base64."""
    data = _base64(media.data)
    return {"mimeType": _known_type(media) or _by_beginning(data) or _BY_KIND[media.kind], "data": data}


def stored(file: StoredFile) -> JsonObject:
    """The part for a file that is stored with Google, by its address or its name.

    Raises:
        UnsupportedByTarget: the file is stored elsewhere, or at an unknown place.
    """
    if _FILE_NAME.fullmatch(file.id):
        return {"fileData": {"fileUri": f"{_FILES_VERSION}{file.id}"}}
    if file.id.startswith(_FILES) and _REMOTE.fullmatch(file.id):
        return {"fileData": {"fileUri": file.id}}
    raise UnsupportedByTarget(
        "The request names a stored file, and Gemini has only files stored with Google.", param="messages"
    )


def leave_out(part: UnknownPart | ToolCall, drop: Drop) -> None:
    """Leave out a part for which Gemini has no word.

    Raises:
        UnsupportedByTarget: nobody can answer without it.
    """
    if isinstance(part, UnknownPart) and part.place:
        raise UnsupportedByTarget(f"Gemini has no word for a part of the type {part.kind}.", param=part.place)
    drop("messages.tool_calls" if isinstance(part, ToolCall) else f"messages.content.{part.kind}")


def field(media: Media) -> str:
    """The name of the media's field in the caller's request, for errors and dropped fields."""
    return f"messages.content.{_FIELD[media.kind]}"


def _address(media: Media) -> JsonObject:
    if not _REMOTE.fullmatch(media.uri):
        raise InvalidRequest(
            f"{field(media)} holds no data, and no URL that begins with https, http or gs.", param="messages"
        )
    mime = _known_type(media)
    return {"fileUri": media.uri, **({"mimeType": mime} if mime else {})}


def _known_type(media: Media) -> str:
    """The media type from the request or the file name extension, by Gemini's name; "" where neither has one."""
    mime = media.mime_type.partition(";")[0].strip().lower()
    mime = _OTHER_NAMES.get(mime, mime)
    if _MIME.fullmatch(mime):
        return mime
    return _by_ending(media.name or "") or _by_ending(re.split(r"[?#]", media.uri, maxsplit=1)[0])


def _by_ending(name: str) -> str:
    return _BY_ENDING.get(name.rpartition("/")[2].rpartition(".")[2].lower(), "")


def _by_beginning(data: str) -> str:
    if data.startswith("UklGR"):  # RIFF: the format of its content follows eight bytes later
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(base64.b64decode(data[:16])[8:12], "")
    return next((mime for beginning, mime in _BY_BEGINNING if data.startswith(beginning)), "")


def _base64(data: str) -> str:
    """Standard base64 unchanged; other variants (URL-safe alphabet, white space, no padding) normalized."""
    if _is_base64(data):
        return data
    bare = "".join(data.split()).replace("-", "+").replace("_", "/").rstrip("=")
    whole = bare + "=" * (-len(bare) % 4)
    if not bare or not _is_base64(whole):
        raise InvalidRequest("The data of an image, a sound or a file in the messages is not base64.", param="messages")
    return whole


def _is_base64(data: str) -> bool:
    try:
        binascii.a2b_base64(data, strict_mode=True)
    except ValueError:
        return False
    return True
