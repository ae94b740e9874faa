"""data: URLs and bare base64, converted to standard base64 and a bare media type, which every wire can send.

Clients write both in all variants that some server accepts: the URL-safe alphabet, line breaks, no padding, parameters
beside the type. Most vendors refuse the variants, so they are normalized here. Data without any bytes is refused here.
Source: RFC 2397 (data: URLs), RFC 4648 sections 4 and 5 (base64).
"""

import base64
import re
from typing import Final
from urllib.parse import unquote, unquote_to_bytes

_MIME: Final = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+")
_WHITE: Final = re.compile(r"\s+")
_BASE64_VARIANTS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_= \t\n\v\f\r"
_REMOTE: Final = re.compile(r"(?:https?|gs)://[^\s/?#]\S*", re.IGNORECASE)

MAX_DATA: Final = 20 << 20
"""Bytes in one URL. OpenAI takes images of 20 MB, others less."""


class UrlFault(ValueError):
    """The URL or base64 holds no media; the message is the second half of a sentence and quotes nothing."""


def is_data(url: str) -> bool:
    """Whether the URL is a data: URL."""
    return url[:5].lower() == "data:"


def is_remote(url: str) -> bool:
    """Whether the URL is an address on the network: http, https, or gs (Google Cloud Storage). File URLs are refused,
    because they would name files of this machine."""
    return _REMOTE.fullmatch(url) is not None


def check_data(url: str) -> None:
    """Check the form, the alphabet and the size of a data: URL that passes unchanged. Takes a tenth of the time of
    `split_data`, which also normalizes.

    Raises:
        UrlFault: it is malformed, or too large.
    """
    head, comma, data = url[5:].partition(",")
    if not comma:
        raise UrlFault("must be a complete data: URL, but it has no comma")
    coded = head.rpartition(";")[2].strip().lower() == "base64"
    if len(data) > (MAX_DATA * 4 // 3 + 4 if coded else MAX_DATA):
        raise UrlFault(f"must hold at most {MAX_DATA >> 20} MB")
    if not data:
        raise UrlFault("must hold data, but it is empty")
    if not coded:
        return
    bare = unquote(data) if "%" in data else data
    if not bare.isascii() or bare.encode().translate(None, _BASE64_VARIANTS):
        raise UrlFault("must be base64")


def split_data(url: str) -> tuple[str, str]:
    """The media type of a data: URL (lower case, without parameters, "" if it has none) and its bytes in base64.

    Raises:
        UrlFault: it is malformed.
    """
    head, comma, data = url[5:].partition(",")
    if not comma:
        raise UrlFault("must be a complete data: URL, but it has no comma")
    mime, *parameters = (word.strip().lower() for word in head.split(";"))
    if mime and not _MIME.fullmatch(mime):
        raise UrlFault("must be a data: URL whose type is like image/png")
    if parameters and parameters[-1] == "base64":
        return mime, plain_base64(unquote(data) if "%" in data else data)
    if not data:
        raise UrlFault("must hold data, but it is empty")
    return mime, base64.b64encode(unquote_to_bytes(data)).decode()


def plain_base64(data: str) -> str:
    """Standard base64 of any variant: the standard alphabet, no white space, padded.

    Raises:
        UrlFault: the data is not base64, or empty.
    """
    bare = _WHITE.sub("", data).replace("-", "+").replace("_", "/").rstrip("=")
    if not bare:
        raise UrlFault("must hold data, but it is empty")
    if not _BASE64.fullmatch(bare) or len(bare) % 4 == 1:
        raise UrlFault("must be base64")
    return bare + "=" * (-len(bare) % 4)
