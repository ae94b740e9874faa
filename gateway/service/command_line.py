"""How this gateway is started: the one command line that every manager is given, and Windows' form of it."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import gateway

_BESIDE: Final = Path(gateway.__file__).resolve().parent.parent / "app.py"


def program(executable: str = sys.executable, door: Path = _BESIDE) -> tuple[str, ...]:
    """The command up to the verb, with absolute paths.

    Args:
        executable: Python; in a virtual environment the one there, which knows its packages.
        door: app.py of a copy of the repository. An installed package has none and is a module (`-P`: which Python does
            not look for in the working folder).
    """
    return (executable, str(door)) if door.is_file() else (executable, "-P", "-m", "gateway")


def windows_quoted(arguments: Sequence[str]) -> str:
    """Arguments as one text in the way that programs of Windows take it apart: paths in quotes, words bare.

    Source: "Parsing C command-line arguments" of Microsoft's documentation. File names have no quotes on Windows.
    """
    return " ".join(each if _is_word(each) else f'"{each}{_backslashes(each)}"' for each in arguments)


def _is_word(text: str) -> bool:
    return text.replace("-", "").isalnum() and text.isascii()


def _backslashes(text: str) -> str:
    """Once more those at the end, which would escape the quote behind them."""
    return "\\" * (len(text) - len(text.rstrip("\\")))
