"""What every reply of the server carries, whether the application or waitress writes it."""

from secrets import token_hex
from typing import Final

ALWAYS: Final = (("X-Content-Type-Options", "nosniff"), ("Cross-Origin-Resource-Policy", "same-origin"))


def new_request_id() -> str:
    """An id for a request that came with none."""
    return f"req_{token_hex(12)}"
