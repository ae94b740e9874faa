"""OpenAI's error object, written for a caller."""

from collections.abc import Callable

from gateway.core.errors import GatewayError
from gateway.core.strict_json import dumps


def unmasked(text: str) -> str:
    """The text as it is, where no secret can be in it."""
    return text


def render_error(error: GatewayError, mask: Callable[[str], str] = unmasked) -> bytes:
    """The error as the JSON body every OpenAI client reads; all four keys are always there.

    Args:
        error: its texts may be a provider's, and a provider may repeat the key it was called with.
        mask: takes secrets out of a text.
    """
    told = {"message": error.message, "type": error.type, "param": error.param, "code": error.code}
    return dumps({"error": {name: None if text is None else mask(text) for name, text in told.items()}})
