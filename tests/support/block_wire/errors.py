"""Errors and names of fields in the words of the invented wire."""

from collections.abc import Callable, Mapping
from typing import Final

from gateway.core.errors import GatewayError
from gateway.core.strict_json import JsonObject

_STATUSES: Final[Mapping[int, int]] = {400: 422, 404: 410, 413: 507, 502: 530, 503: 530, 504: 530}
_NAMES: Final[Mapping[str, str]] = {
    "max_tokens": "length",
    "messages": "talk",
    "model": "mind",
    "parallel_tool_calls": "one_errand",
    "reasoning_effort": "ponder",
    "stop": "halt",
    "temperature": "heat",
    "tool_choice": "choose",
    "tools": "errands",
    "tools.function.parameters": "errands.form",
    "verbosity": "breadth",
}


def status(error: GatewayError) -> int:
    """The HTTP status of an error."""
    return _STATUSES.get(error.status, error.status)


def field_name(name: str) -> str:
    """The wire's name for a field that OpenAI chat calls `name`; a name of its own stays."""
    return _NAMES.get(name, name)


def body(error: GatewayError, mask: Callable[[str], str]) -> JsonObject:
    """The error as the caller's JSON."""
    at = None if error.param is None else field_name(error.param)
    return {"oracle_says": mask(error.message), "omen": mask(error.code or error.type), "at": at}
