"""A secret is a type: it prints `***` and gives its value only where someone calls `reveal()`.

It lives on the lowest floor because everyone meets secrets: the configuration makes them, whoever sends one to a
provider reveals it at the last moment, and the log filter asks for all of them to mask by value.
"""

from typing import Final

MASK: Final = "***"


class Secret:
    """A text that must not be seen."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself. Call it where the text leaves for the provider, nowhere else."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a secret is not pickled")
