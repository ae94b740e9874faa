"""The terminal of the commands: output, questions, a browser, pasted lines, and the format of texts and times.

A server's text is shown with its control characters escaped, because it may contain terminal commands. Our own texts
are ASCII, which every console can show. This module knows no login and no provider.
"""

import os
import re
import sys
import threading
import webbrowser
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

import click

from gateway.core import texts
from gateway.core.this_machine import is_this_machine
from gateway.observe.masking import Masker

MAX_SERVER_TEXT: Final = 300
"""Characters of a server's text that are shown."""
MAX_PASTED: Final = 1 << 16
"""Bytes. No address is as long."""

_OPENABLE: Final = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&()*+,;=%]+")


class Console:
    """Standard output and input.

    Args:
        environ: decides whether a browser window would appear on the person's screen.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    @property
    def interactive(self) -> bool:
        """Whether a person probably reads the output and can answer."""
        return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))

    def say(self, text: str) -> None:
        """Print our own text, or a foreign one after `printable` or `one_line`."""
        click.echo(text)

    def printable(self, text: str) -> str:
        """A server's text, shortened to one line, with everything masked that looks like a key or a token."""
        return one_line(Masker().mask(text)[:MAX_SERVER_TEXT])

    def ask(self, question: str) -> bool:
        """Ask a yes-or-no question; no answer means no."""
        try:
            return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
        except EOFError:
            return False

    def open(self, address: str) -> bool:
        """Open a browser for the person; False where that is impossible, or the address is not safe to open."""
        if not (self.interactive and may_open(address) and has_screen(self._environ)):
            return False
        try:
            return webbrowser.open(address)
        except (webbrowser.Error, OSError):
            return False

    def on_paste(self, take: Callable[[str], None]) -> None:
        """Call `take` with each line of standard input, from now until the process ends."""
        try:
            handle = sys.stdin.fileno()
        except (AttributeError, OSError, ValueError):
            return  # there is no standard input
        threading.Thread(target=read_lines, args=(handle, take), name="pasted", daemon=True).start()


def utc_time(seconds: float) -> str:
    """Wall seconds for people: `2026-05-01 14:30 UTC`."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def iso_time(seconds: float | None) -> str | None:
    """Wall seconds for machines, in ISO 8601; None where they are unknown."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def one_line(text: str) -> str:
    """A text as one line that cannot move the cursor, hide a part of itself, or write from right to left."""
    return texts.printable(text)


def may_open(address: str) -> bool:
    """Whether a browser may open an address without a question: https, or http on this machine, usual characters."""
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        return False
    if not _OPENABLE.fullmatch(address) or not host or parts.username is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_this_machine(host))


def has_screen(environ: Mapping[str, str], platform: str = sys.platform) -> bool:
    """Whether a browser would have a window here. Without one, `webbrowser` may start lynx in this terminal."""
    if environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"):
        return False
    if platform in ("win32", "darwin"):
        return True
    return bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def read_lines(handle: int, take: Callable[[str], None]) -> None:
    """Call `take` with each line of a file descriptor until it ends.

    It does not use sys.stdin: a thread that waits there holds its lock, and then Python cannot exit.
    """
    pending = b""
    while len(pending) < MAX_PASTED:
        try:
            chunk = os.read(handle, 4096)
        except OSError:
            return
        *lines, pending = (pending + chunk).split(b"\n")
        for each in lines if chunk else (pending,):
            if text := each.decode(errors="replace").strip():
                take(text)
        if not chunk:
            return
