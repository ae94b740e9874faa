"""Where a start that fails is told in a process without standard error: under pythonw, and as a Windows service.

The configuration may be what is wrong, so of it only the name of the log file is read, if it can be. The file of a
gateway that serves is written by others.
"""

import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway.config.faults import ConfigError, Faults
from gateway.config.loader import read, resolve
from gateway.config.nodes import Node, Scalar, Section, compose
from gateway.observe.log_format import PrettyFormatter
from gateway.observe.masking import Masker

DEFAULT_NAME: Final = "llm-gateway.log"
"""Beside the configuration, where that names no file."""


def log_path(config: Path | None) -> Path:
    """The file: `logging.file` of a configuration, which may have faults, or DEFAULT_NAME beside it.

    Args:
        config: the configuration; None where there is none, and then the file is in the working folder.
    """
    return configured_log(config) or resolve(DEFAULT_NAME, config.parent if config else None)


def configured_log(config: Path | None) -> Path | None:
    """`logging.file` of a configuration, which may have faults; None where it names none."""
    name = _configured(config) if config else None
    return resolve(name, config.parent) if config and name else None


def tell(config: Path | None, message: str, fault: BaseException | None = None) -> None:
    """Append to the file why the gateway does not start. What cannot be written is lost: nothing is left to tell it.

    Args:
        config: the configuration, as in `log_path`.
        message: for people, a line or more.
        fault: an unexpected one; its traceback is told too.
    """
    formatter = PrettyFormatter(Masker())
    of_fault = (type(fault), fault, fault.__traceback__) if fault else None
    fields = {"name": __name__, "levelno": logging.ERROR, "levelname": "ERROR", "exc_info": of_fault}
    lines = [formatter.format(logging.makeLogRecord({**fields, "msg": line})) for line in message.splitlines()]
    with suppress(OSError), open(log_path(config), "a", encoding="utf-8", opener=_private) as file:
        file.writelines(f"{line}\n" for line in lines)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _configured(config: Path) -> str | None:
    try:
        root = compose(read(config), Faults(str(config)))
    except ConfigError:
        return None
    section = _entry(root, "logging")
    file = _entry(section, "file")
    return file.text if isinstance(file, Scalar) and file.text and "${" not in file.text else None


def _entry(node: Node | None, name: str) -> Node | None:
    entry = node.entries.get(name) if isinstance(node, Section) else None
    return entry.value if entry else None
