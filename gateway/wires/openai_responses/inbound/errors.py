"""The status of an error, where it is not the usual one.

Source: Codex 0.171 asks six times after a 404 and shows a 400 at once (2026-11).
"""

from gateway.core.errors import GatewayError, ModelNotFound


def status(error: GatewayError) -> int:
    """The HTTP status: 400 for a name that nobody has, which no repetition finds."""
    return 400 if isinstance(error, ModelNotFound) else error.status
