"""A type for secrets: it prints `***` and returns its value only through `reveal()`.

It is in the lowest layer because most layers handle secrets: the configuration creates them, the code that sends one to
a provider reveals it at the last moment, and the log filter masks all of them by value.
"""

from typing import Final

MASK: Final = "***"


class Secret:
    """A text that must not be shown.

    Attributes:
        is_written: it stands in a file as it is, and came from no variable.
    """

    __slots__ = ("_text", "is_written")

    def __init__(self, text: str, *, is_written: bool = False) -> None:
        self._text = text
        self.is_written = is_written

    def reveal(self) -> str:
        """The text itself. Call this only where the text is sent to the provider."""
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
