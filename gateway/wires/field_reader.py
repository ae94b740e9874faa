"""Type-checked access to a JSON object that also records which fields were never read.

A request holds objects within objects, and any value may have any type. A wire reads each field by name and type, so an
error names the exact field. The fields that no code has read are the ones that the neutral form does not have, so the
caller can learn that they are dropped. This module knows no field of any wire.
"""

import re
from collections.abc import Iterator
from typing import Final

from gateway.core.errors import InvalidRequest
from gateway.core.strict_json import JsonObject, JsonValue

NAME_SHOWN: Final = 64
"""Characters of a name in the request that are repeated in a header or a log."""

_NOTHING: Final[tuple[JsonValue, ...]] = ("", [], {})
_INDEX: Final = re.compile(r"\[\d+\]|\.\d+(?=\.|$)")
_UNPRINTABLE: Final = re.compile(r"[^!-+\--~]")  # a comma separates the names in a header


def wrong_type(path: str, wanted: str, value: JsonValue) -> InvalidRequest:
    """The error for a value of the wrong type. It does not quote the value, which may be a prompt.

    Args:
        path: the path of the field in the request.
        wanted: the expected value, in words.
        value: the value that was found.
    """
    found = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "missing or null"}
    got = found.get(type(value), "a number")
    if value == [] or (isinstance(value, str) and not value.strip()):
        got = got.replace("a string", "an empty string").replace("an array", "an empty array")
    return InvalidRequest(f"{path} must be {wanted}, but it is {got}.", param=path)


def printable(name: str) -> str:
    """A name from the request in a form for headers and logs: short, ASCII, without spaces and commas."""
    return _UNPRINTABLE.sub("?", name[:NAME_SHOWN]) or "?"


class FieldReader:
    """Reads one object. A null counts as absent everywhere.

    Attributes:
        item: how the path of an array's entry goes on, with `{}` for its index. A wire whose notation is another one
            has a class of its own.

    Args:
        fields: the object.
        path: its path in the request (OpenAI: `messages[0].content`); "" for the request itself.
    """

    item = "[{}]"

    def __init__(self, fields: JsonObject, path: str = "") -> None:
        self._fields = fields
        self._path = path
        self._read: set[str] = set()
        self._inner: list[FieldReader] = []
        self._skipped = False
        self._instead: list[str] = []

    def at(self, key: str) -> str:
        """The path of a field in the request."""
        return f"{self._path}.{key}" if self._path else key

    def wrong_type(self, key: str, wanted: str) -> InvalidRequest:
        """The error for a field that is not the `wanted` value."""
        return wrong_type(self.at(key), wanted, self._fields.get(key))

    def raw(self, key: str) -> JsonValue:
        """The value, of any type."""
        self._read.add(key)
        return self._fields.get(key)

    def text(self, key: str) -> str | None:
        """A string. Raises InvalidRequest for anything else, as all of these do for their own type."""
        value = self.raw(key)
        if value is None or isinstance(value, str):
            return value
        raise self.wrong_type(key, "a string")

    def needed_text(self, key: str) -> str:
        """A string that must exist and not be empty."""
        value = self.text(key)
        if not value:
            raise self.wrong_type(key, "a string")
        return value

    def number(self, key: str) -> float | None:
        value = self.raw(key)
        if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
            return value
        raise self.wrong_type(key, "a number")

    def integer(self, key: str) -> int | None:
        value = self.raw(key)
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        raise self.wrong_type(key, "an integer")

    def flag(self, key: str) -> bool | None:
        value = self.raw(key)
        if value is None or isinstance(value, bool):
            return value
        raise self.wrong_type(key, "true or false")

    def texts(self, key: str) -> tuple[str, ...]:
        """An array of strings."""
        value = self.raw(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise self.wrong_type(key, "an array of strings")
        for index, item in enumerate(value):
            if not isinstance(item, str):
                raise wrong_type(self.at(key) + self.item.format(index), "a string", item)
        return tuple(item for item in value if isinstance(item, str))

    def json(self, key: str) -> JsonObject | None:
        """An object that is passed on unread."""
        value = self.raw(key)
        if value is None or isinstance(value, dict):
            return value
        raise self.wrong_type(key, "an object")

    def object(self, key: str) -> "FieldReader | None":
        """An object with a reader of its own."""
        value = self.json(key)
        return None if value is None else self._enter(value, self.at(key))

    def needed_object(self, key: str) -> "FieldReader":
        inner = self.object(key)
        if inner is None:
            raise self.wrong_type(key, "an object")
        return inner

    def objects(self, key: str) -> "list[FieldReader]":
        """An array of objects, each with a reader of its own."""
        value = self.raw(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong_type(key, "an array")
        inner = []
        for index, item in enumerate(value):
            path = self.at(key) + self.item.format(index)
            if not isinstance(item, dict):
                raise wrong_type(path, "an object", item)
            inner.append(self._enter(item, path))
        return inner

    def ignore(self, *keys: str) -> None:
        """Mark fields as read that carry nothing for the neutral form."""
        self._read.update(keys)

    def put_back(self, key: str) -> None:
        """Mark a field as not read after all: its value is one that the neutral form does not have."""
        self._read.discard(key)

    def skip(self, instead: str | None = None) -> None:
        """Mark the object as not read at all. `unread` then gives only `instead`, or nothing where it is None."""
        self._skipped = True
        if instead is not None:
            self._instead.append(printable(instead))

    def unread(self) -> Iterator[str]:
        """The paths of the fields that were never read, without the indexes of arrays. Below the top level, empty
        values do not count: OpenAI's own messages come back with empty `annotations`."""
        yield from self._instead
        if self._skipped:
            return
        for key, value in self._fields.items():
            if key not in self._read and value is not None and not (self._path and value in _NOTHING):
                yield _INDEX.sub("", self._path) + ("." if self._path else "") + printable(key)
        for inner in self._inner:
            yield from inner.unread()

    def _enter(self, fields: JsonObject, path: str) -> "FieldReader":
        inner = type(self)(fields, path)
        self._inner.append(inner)
        return inner
