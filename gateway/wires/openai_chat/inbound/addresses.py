"""Checks the URLs of media in a request's content parts (gateway.wires.addresses)."""

from typing import Final

from gateway.core.strict_json import JsonObject
from gateway.wires.addresses import check_url

_MEDIA: Final = ("image_url", "video_url", "audio_url")
"""Types of parts that hold an address; the last two belong to vLLM and OpenRouter."""


def check_media(part: JsonObject, path: str) -> None:
    """Check that the URL of a content part, if it has one, is a data: URL with data, or an address on the network.

    Args:
        part: a part of a message's content.
        path: its path in the request.

    Raises:
        InvalidRequest: naming the field of the URL.
    """
    for kind in _MEDIA:
        value = part.get(kind)
        if isinstance(value, str):
            check_url(value.strip(), f"{path}.{kind}")
        elif isinstance(value, dict) and isinstance(url := value.get("url"), str):
            check_url(url.strip(), f"{path}.{kind}.url")
