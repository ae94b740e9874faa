"""The checks of a request that all wires share: it is a JSON object, it names a model, and its fields have their types.

Which fields a wire has, and which of them it needs, is the business of the wire's inbound half.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from gateway.core.errors import InvalidRequest
from gateway.core.strict_json import JsonFault, JsonObject, JsonValue, loads
from gateway.wires.field_reader import wrong_type

MAX_MODEL: Final = 256
"""The most characters of a model's name."""


class Kind(NamedTuple):
    """What a field takes: in words, and as types."""

    wanted: str
    types: tuple[type, ...]


NUMBER: Final = Kind("a number", (int, float))
INTEGER: Final = Kind("an integer", (int,))
BOOLEAN: Final = Kind("true or false", (bool,))
STRING: Final = Kind("a string", (str,))
OBJECT: Final = Kind("an object", (dict,))
ARRAY: Final = Kind("an array", (list,))
STRING_OR_OBJECT: Final = Kind("a string or an object", (str, dict))


def read_object(body: bytes, needed: str | None = None) -> JsonObject:
    """The object that a body holds.

    Args:
        body: as it came.
        needed: names the fields that a request must have, for the error of an empty body.

    Raises:
        InvalidRequest: it holds none.
    """
    try:
        value = loads(body)
    except JsonFault as fault:
        if needed is not None and not body.strip():
            why = f"The request has no body. Send a JSON object with {needed}."
            raise InvalidRequest(why, param="body") from None
        raise InvalidRequest(f"The request body is not acceptable JSON: {fault}", param="body") from None
    if not isinstance(value, dict):
        raise wrong_type("body", "a JSON object", value)
    return value


def checked_model(model: JsonValue) -> str:
    """The name of the model. Raises InvalidRequest where no model can have it."""
    if not isinstance(model, str) or not model.strip():
        raise wrong_type("model", "a string that names a model", model)
    if not model.isprintable():
        raise InvalidRequest("model has characters that no name of a model has.", param="model")
    if len(model) > MAX_MODEL:
        raise InvalidRequest(f"model must have at most {MAX_MODEL} characters.", param="model")
    return model


def check_types(fields: JsonObject, kinds: Mapping[str, Kind], path: str = "") -> None:
    """Check the fields of an object that have a kind. A null counts as absent.

    Args:
        fields: the object.
        kinds: by the field's name.
        path: what stands before the names in an error.

    Raises:
        InvalidRequest: naming the first field of another type.
    """
    for name, value in fields.items():
        if name in kinds and value is not None and type(value) not in kinds[name].types:
            raise wrong_type(path + name, kinds[name].wanted, value)


def check(value: JsonValue, kind: Kind, path: str) -> None:
    """Check one value. A null counts as absent. Raises InvalidRequest, naming the path."""
    if value is not None and type(value) not in kind.types:  # type(): a bool is an int in Python, but not in JSON
        raise wrong_type(path, kind.wanted, value)
