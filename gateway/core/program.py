"""The command that started this process, for messages that name a command: it must work where it is read.

The door may be `app.py` in a copy of the repository, the installed `llm-gateway`, or `python -m gateway`. It is read
from the process's own arguments, so that no setting has to travel to every message.
"""

import re
import sys
from pathlib import PurePath
from typing import Final

SCRIPT: Final = "llm-gateway"
"""The installed command, as pyproject.toml names it."""
MODULE: Final = "python -m gateway"
FILE: Final = "python app.py"
DOOR: Final = "app.py"
_PLAIN: Final = re.compile(r"[\w./\\-]+")
"""A word that a shell takes as it is."""


def program(started: str | None = None, interpreter: str | None = None) -> str:
    """The words with which the gateway's command line is called.

    Args:
        started: the file that Python runs; sys.argv[0] where it is not given. Any that is no door of the gateway (a
            test, a benchmark) counts as app.py.
        interpreter: Python as it was called; sys.orig_argv[0] where it is not given.
    """
    path = PurePath(sys.argv[0] if started is None else started)
    if path.stem.removesuffix("-script") == SCRIPT:  # .exe on Windows; older installers write llm-gateway-script.py
        return SCRIPT
    if path.parts[-2:] == ("gateway", "__main__.py"):
        return MODULE
    python = sys.orig_argv[0] if interpreter is None else interpreter
    return f"{python} {path}" if path.name == DOOR and _as_typed(python) and _as_typed(str(path)) else FILE


def _as_typed(word: str) -> bool:
    """Whether somebody has typed a word (`.venv/bin/python`), who can type it again. A whole path is mostly another
    program's: a service manager's, or that of a shim which stands for `python`."""
    return _PLAIN.fullmatch(word) is not None and not PurePath(word).is_absolute()


def command(arguments: str) -> str:
    """A command of the gateway, for people: `python app.py login acme`."""
    return f"{program()} {arguments}"
