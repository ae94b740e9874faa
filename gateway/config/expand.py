"""Expands `${NAME}` and `${NAME:-default}` in the configuration's texts.

It is pure: the environment is an argument, and missing variables are part of the result. Only the caller knows whether
a missing variable matters (it does not in a provider that is switched off).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_REFERENCE = re.compile(r"\$\$\{|\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\})?")


@dataclass(frozen=True, slots=True)
class Expanded:
    """A text after expansion.

    Attributes:
        referred: the text named a variable, so it may contain a secret and must not be shown.
        unset: the variables without a default that are not set, or empty.
        malformed: the text has a `${` that begins neither of the two forms.
    """

    text: str
    referred: bool
    unset: tuple[str, ...]
    malformed: bool


def expand(text: str, env: Mapping[str, str]) -> Expanded:
    """Replace the references in `text`. As in a shell, `:-` also covers an empty variable. A variable's value is not
    expanded again. `$${` stands for `${`."""
    unset: dict[str, None] = {}
    referred = malformed = False

    def value(found: re.Match[str]) -> str:
        nonlocal referred, malformed
        if found[0] == "$${":
            return "${"
        name, default = found["name"], found["default"]
        referred = referred or name is not None
        malformed = malformed or name is None
        if name is not None and not env.get(name) and default is None:
            unset[name] = None
        return (env.get(name) or default or "") if name is not None else ""

    expanded = _REFERENCE.sub(value, text)
    return Expanded(expanded, referred, tuple(unset), malformed)


def variables_in(text: str) -> tuple[str, ...]:
    """The names of the variables that a text refers to, in their order."""
    return tuple(found["name"] for found in _REFERENCE.finditer(text) if found["name"] is not None)
