"""Texts in place of a key that cannot be meant: another tool's notation for a variable, or a key with its wrapping.

Sent as they are, they would only come back as a provider's 401. The notations are a table: where each is from, its
form, and the variable in it. A text is never quoted, because it may be a key after all.
"""

import re
from collections.abc import Sequence
from typing import Final

from gateway.config.faults import can_show

_NAME: Final = r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
_REFERENCES: Final = tuple(
    re.compile(form)
    for form in (
        rf"\${_NAME}",  # a shell
        rf"\$env:{_NAME}",  # PowerShell
        rf"%{_NAME}%",  # cmd.exe
        rf"os\.environ/{_NAME}",  # LiteLLM
        rf"os\.environ\[['\"]{_NAME}['\"]\]",  # Python
        rf"process\.env\.{_NAME}",  # Node.js
        rf"env[:/.]{_NAME}",
        rf"\{{env:{_NAME}\}}",  # opencode
        rf"\{{\{{\s*(?:env\.|\.)?{_NAME}\s*\}}\}}",  # templates
        rf"!(?:env|ENV)\s+{_NAME}",
    )
)
_UNLIKELY: Final = re.compile(r"\$[A-Za-z_]*[a-z0-9][A-Za-z0-9_]*")
"""A name after `$` with small letters or digits may be a password that someone has thought of."""
_SCHEME: Final = re.compile(r"(?:Bearer|Basic|Token)\s", re.IGNORECASE)
_QUOTES: Final = "\"'`"


def referenced_name(text: str) -> str | None:
    """The variable that another tool's notation names; None where the text is no such notation."""
    if _UNLIKELY.fullmatch(text):
        return None
    found = next((match for form in _REFERENCES if (match := form.fullmatch(text))), None)
    return found["name"] if found else None


def secret_fault(text: str, variables: Sequence[str] = (), *, spaces: bool = False) -> str:
    """Why a text cannot be meant as a secret, as a sentence without the text; empty where it can.

    Args:
        text: the secret, without space at its ends.
        variables: of the environment, whose values are in it.
        spaces: whether a space may be in it. A vendor's key has none; a client secret or a key that someone has thought
            of may have some.
    """
    if (name := referenced_name(text)) is not None:
        shown = name if can_show(name) else "NAME"
        return f"this is another tool's way to name a variable: write ${{{shown}}}, or give the key itself"
    fault = wrapping_fault(text, spaces=spaces)
    named_alone = len(variables) == 1 and can_show(variables[0])
    return f"the value of the environment variable {variables[0]} {fault}" if fault and named_alone else fault


def wrapping_fault(text: str, *, spaces: bool = False) -> str:
    """What is wrong with the ends or the inside of a key, as the rest of a sentence; empty where nothing is."""
    if len(text) > 1 and text[0] in _QUOTES and text[-1] in _QUOTES:
        return "begins and ends with quotes: take them out"
    if text.startswith("<") and text.endswith(">"):
        return "is a placeholder in <...>: give the key itself"
    if _SCHEME.match(text):
        return "begins with the name of a scheme such as Bearer: give the key alone"
    return "has a space in it: give the key alone" if not spaces and re.search(r"\s", text) else ""
