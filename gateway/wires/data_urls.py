"""Media in a request: data: URLs and bare base64 to what every wire can send, standard base64 and a bare type.

Clients write both in every way that some server takes: the URL-safe alphabet, line breaks, no padding, parameters
beside the type. Vendors refuse most of these, so they are put right here; what has no bytes in it is refused here.
Source: RFC 2397 (data: URLs), RFC 4648 sections 4 and 5 (base64).
"""

import base64
import re
from typing import Final
from urllib.parse import unquote, unquote_to_bytes

_MIME: Final = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+")
_WHITE: Final = re.compile(r"\s+")
_DRESSED: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_= \t\n\v\f\r"
_REMOTE: Final = re.compile(r"(?:https?|gs)://[^\s/?#]\S*", re.IGNORECASE)


MAX_DATA: Final = 20 << 20
"""Bytes in one URL. OpenAI takes images of 20 MB, others less."""


class UrlFault(ValueError):
    """It holds no media; the text is the second half of a sentence and quotes nothing."""


def is_data(url: str) -> bool:
    """Whether it is a data: URL."""
    return url[:5].lower() == "data:"


def is_remote(url: str) -> bool:
    """Whether it says where on the net something is: http, https, or gs (Google Cloud Storage). A file on this machine
    is nobody's business."""
    return _REMOTE.fullmatch(url) is not None


def check_data(url: str) -> None:
    """Look at a data: URL that passes as it came: the form, the letters and the size, in a tenth of what `split_data`
    takes for putting it right.

    Raises:
        UrlFault: it is broken, or too large.
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
    if not bare.isascii() or bare.encode().translate(None, _DRESSED):
        raise UrlFault("must be base64")


def split_data(url: str) -> tuple[str, str]:
    """The type of a data: URL (lower case, without parameters, "" if it has none) and its bytes in base64.

    Raises:
        UrlFault: it is broken.
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
    """Base64 in any dress as the standard has it: its own alphabet, no white space, padded.

    Raises:
        UrlFault: it is no base64, or empty.
    """
    bare = _WHITE.sub("", data).replace("-", "+").replace("_", "/").rstrip("=")
    if not bare:
        raise UrlFault("must hold data, but it is empty")
    if not _BASE64.fullmatch(bare) or len(bare) % 4 == 1:
        raise UrlFault("must be base64")
    return bare + "=" * (-len(bare) % 4)
