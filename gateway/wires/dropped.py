"""Collects the names of the fields that a request leaves out, each once and in a form for a header."""

import re
from collections.abc import Callable
from typing import Final, TypeAlias

Drop: TypeAlias = Callable[[str], None]
"""Is called with the name of a dropped field, as OpenAI chat has it."""

_UNPRINTABLE: Final = re.compile(r"[^!-+\--~]")  # a comma separates the names in a header
_NAME_SHOWN: Final = 128


class Dropped:
    """The names of one request; an instance is a Drop."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    def __call__(self, name: str) -> None:
        self._names[_UNPRINTABLE.sub("?", name[:_NAME_SHOWN])] = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._names)
