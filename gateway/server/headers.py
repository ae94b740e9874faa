"""What every reply of the server carries, whether the application or waitress writes it."""

import re
from functools import lru_cache
from random import getrandbits
from typing import Final

from werkzeug.http import HTTP_STATUS_CODES

ALWAYS: Final = (("X-Content-Type-Options", "nosniff"), ("Cross-Origin-Resource-Policy", "same-origin"))
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")


def request_id_of(sent: str) -> str:
    """The caller's own id for a request, if it is valid; else a new one."""
    return sent if sent and _REQUEST_ID.fullmatch(sent) else new_request_id()


def new_request_id() -> str:
    """An id for a request that came with none. It is no secret, so it need not ask the system, which takes 3 us."""
    return f"req_{getrandbits(96):024x}"


@lru_cache(maxsize=64)
def status_text(status: int) -> str:
    """The status with its phrase, as Flask writes it."""
    return f"{status} {HTTP_STATUS_CODES.get(status, 'Unknown').upper()}"
