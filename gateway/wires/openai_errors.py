"""OpenAI's error object for a caller.

Errors of every origin get the one shape that all OpenAI clients read. The shapes that providers write are read by the
outbound half.
Source: https://platform.openai.com/docs/guides/error-codes.
"""

from collections.abc import Callable

from gateway.core.errors import GatewayError
from gateway.core.strict_json import dumps


def unmasked(text: str) -> str:
    """The unchanged text, where it cannot hold a secret."""
    return text


def render_error(error: GatewayError, mask: Callable[[str], str] = unmasked) -> bytes:
    """The error as the JSON body that every OpenAI client reads, always with all four keys.

    Args:
        error: its texts may come from a provider, which may repeat the key of the request.
        mask: removes secrets from a text.
    """
    fields = {"message": error.message, "type": error.type, "param": error.param, "code": error.code}
    return dumps({"error": {name: None if text is None else mask(text) for name, text in fields.items()}})
