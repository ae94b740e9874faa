"""The status of an error, where it is not the usual one.

Source: Codex 0.171 asks six times after a 404, shows a 400 at once, and replaces the words of a 500 (2026-11).
"""

from gateway.core.errors import GatewayError, ModelNotFound
from gateway.core.provider_failures import ProviderFailure, Unavailable


def status(error: GatewayError) -> int:
    """The HTTP status: 400 for a name that nobody has, which no repetition finds, and 503 for a provider's 500."""
    if isinstance(error, ModelNotFound):
        return 400
    return Unavailable.status if error.status == 500 and isinstance(error, ProviderFailure) else error.status
