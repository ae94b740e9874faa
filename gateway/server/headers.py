"""What every reply of the server carries, whether the application or waitress writes it."""

from random import getrandbits
from typing import Final

ALWAYS: Final = (("X-Content-Type-Options", "nosniff"), ("Cross-Origin-Resource-Policy", "same-origin"))


def new_request_id() -> str:
    """An id for a request that came with none. It is no secret, so it need not ask the system, which takes 3 us."""
    return f"req_{getrandbits(96):024x}"
