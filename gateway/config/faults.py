"""The faults of a configuration file, and their form in messages.

Every part of the loader reports here, so that the user gets all faults at once and in one form. This module knows
neither YAML nor a setting. Keys and values are quoted only where they cannot be a secret: a forgotten space after
`apiKey:` turns the key itself into a name.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from gateway.config.schema import SETTING_NAMES, Config

KeyPath = tuple[str | int, ...]
MAX_FAULTS: Final = 100  # more do not help a reader, and a hostile file could have 200,000
MAX_SHOWN: Final = 24  # characters of a text; a longer one may be a key in the wrong place
MAX_DIGITS: Final = 40

_KEY = re.compile(r"[^\W_][\w. -]{0,23}")  # in any language: keys and tokens are ASCII
_TOKEN = re.compile(r"(?=[A-Za-z]*[0-9])[A-Za-z0-9]{16}|^(?:sk|pk|gsk|xai|ghp|AIza|ya29|eyJ)[-_.A-Za-z0-9]{4}")


class Position(NamedTuple):
    """A place in the file, counted from 1; (0, 0) stands for the file as a whole."""

    line: int
    column: int


WHOLE_FILE: Final = Position(0, 0)


@dataclass(frozen=True)
class Fault:
    """One fault and its place.

    Attributes:
        path: the setting in dotted form (`modelAliases[0].alias`); empty for the file as a whole.
        line, column: counted from 1; both 0 where the fault has no place in the text.
        message: the fault, for people.
        file: the file's name as the user gave it.
    """

    path: str
    line: int
    column: int
    message: str
    file: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place} {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class ConfigError(Exception):
    """The file cannot be used. `str()` lists all faults, one a line."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults: tuple[Fault, ...] = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))


@dataclass(frozen=True)
class Problem:
    """What a check found in a configuration of the right shape.

    Attributes:
        path: the setting in the file's own names: `("providers", "openai", "apiEndpoint")`.
        message: the fault, for people.
        fatal: False for a warning.
        first: an earlier setting that this one conflicts with; its line is added to the message.
    """

    path: KeyPath
    message: str
    fatal: bool
    first: KeyPath = ()


Check = Callable[[Config], Iterable[Problem]]


class Faults:
    """Collects the faults of one file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.paths: set[KeyPath] = set()
        self._found: list[Fault] = []

    def add(self, at: Position, path: KeyPath, message: str) -> None:
        """Note a fault and continue.

        Raises:
            ConfigError: this was fault number MAX_FAULTS.
        """
        self.paths.add(path)
        self._found.append(self.fault(at, path, message))
        if len(self._found) >= MAX_FAULTS:
            self._found.append(
                self.fault(WHOLE_FILE, (), f"these are the first {MAX_FAULTS} faults; there may be more")
            )
            raise ConfigError(self._found)

    def fault(self, at: Position, path: KeyPath, message: str) -> Fault:
        return Fault(dotted(path), at.line, at.column, message, self.file)

    def stop(self, at: Position, message: str) -> ConfigError:
        """The error for a fault after which the rest of the file cannot be read. The caller raises it."""
        return ConfigError([*self._found, self.fault(at, (), message)])

    def raise_any(self) -> None:
        """Raise a ConfigError with all faults in the order of the file, if there are any."""
        if self._found:
            raise ConfigError(sorted(self._found, key=lambda fault: (fault.line, fault.column)))


def looks_secret(text: str) -> bool:
    """Whether a text may be a key or a token in a wrong place."""
    return bool(_TOKEN.search(text))


def dotted(path: KeyPath) -> str:
    """`("modelAliases", 0, "alias")` as `modelAliases[0].alias`, with `?` for a key that cannot be shown."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step if can_show(step) else '?'}" for step in path)
    return "".join(steps).removeprefix(".")


def can_show(key: str) -> bool:
    return key in SETTING_NAMES or (bool(_KEY.fullmatch(key)) and not looks_secret(key))


def named(kind: str, key: str) -> str:
    """`unknown key "prot"`, or only `unknown key` where the key may be a secret."""
    return f'{kind} "{key}"' if can_show(key) else kind


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean "port"?`, or nothing. Case, `_` and `-` are ignored, so that api_key finds apiKey."""
    names = {_normalized(name): name for name in known}
    found = difflib.get_close_matches(_normalized(word[:64]), names, n=1)
    return f'; did you mean "{names[found[0]]}"?' if found else ""


def _normalized(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "")
