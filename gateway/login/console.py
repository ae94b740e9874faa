"""The terminal, as far as a login needs it: lines out, a yes or no, a browser, and lines that a person pastes.

What a server wrote is shown with its control characters escaped, because it may hold terminal commands. Our own words
are ASCII, which every console can show.
"""

import os
import re
import sys
import threading
import webbrowser
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

import click

from gateway.observe.masking import Masker
from gateway.upstream.proxied.proxies import LOOPBACK

MAX_FOREIGN: Final = 300
"""Characters of a server's words that are shown."""
MAX_PASTED: Final = 1 << 16
"""Bytes. An address of that length is none."""

_OPENABLE: Final = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&()*+,;=%]+")


class Console:
    """Standard output and input.

    Args:
        environ: to tell whether a browser would appear in front of the person.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    @property
    def interactive(self) -> bool:
        """Whether a person is likely to read this and can answer."""
        return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))

    def say(self, text: str) -> None:
        """Show our own words, or foreign ones that went through `foreign` or `line`."""
        click.echo(text)

    def foreign(self, text: str) -> str:
        """A server's words, on one line, short, and without what looks like a key or a token."""
        return line(Masker().mask(text)[:MAX_FOREIGN])

    def ask(self, question: str) -> bool:
        """Yes or no; no answer is no."""
        try:
            return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
        except EOFError:
            return False

    def open(self, address: str) -> bool:
        """Open a browser in front of the person; False where that is not possible, or the address not to be trusted."""
        if not (self.interactive and may_open(address) and has_screen(self._environ)):
            return False
        try:
            return webbrowser.open(address)
        except (webbrowser.Error, OSError):
            return False

    def pasted(self, take: Callable[[str], None]) -> None:
        """Give `take` each line that comes in on standard input, from now until the process ends."""
        try:
            handle = sys.stdin.fileno()
        except (AttributeError, OSError, ValueError):
            return  # there is none
        threading.Thread(target=read_lines, args=(handle, take), name="pasted", daemon=True).start()


def line(text: str) -> str:
    """A text on one line that cannot move the cursor, hide a part of itself, or write from right to left."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def may_open(address: str) -> bool:
    """Whether a browser may be sent there without asking: https, or http on this machine, and nothing odd in it."""
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        return False
    if not _OPENABLE.fullmatch(address) or not host or parts.username is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK)


def has_screen(environ: Mapping[str, str], platform: str = sys.platform) -> bool:
    """Whether a browser would have a window here. Without one, `webbrowser` may start lynx in this very terminal."""
    if environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"):
        return False
    if platform in ("win32", "darwin"):
        return True
    return bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def read_lines(handle: int, take: Callable[[str], None]) -> None:
    """Give `take` each line of a file descriptor until it ends.

    Not through sys.stdin: a thread that waits there holds its lock, and Python cannot end while it does.
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
