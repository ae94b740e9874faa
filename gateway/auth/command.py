"""A token from a program, such as `gcloud auth print-access-token` or `az account get-access-token`.

The program is run without a shell, so no word of the configuration is code. It has a time limit and an output limit: a
program that waits for input on an invisible terminal would block the caller for ever. Its standard error may contain
anything, so only one masked line of it is shown.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO, Final

from gateway.auth.sources import CommandSource, SourceFailed
from gateway.auth.tokens.file_formats import read_entry, token_of
from gateway.auth.tokens.token import Token
from gateway.core.clock import Clock
from gateway.core.strict_json import JsonFault, JsonObject, as_object, loads

TIME_LIMIT: Final = 30.0
"""Seconds for the whole program. gcloud takes one to three."""
MAX_OUTPUT: Final = 64 << 10
"""Bytes of standard output."""
SHOWN: Final = 200
"""Characters of standard error that are shown."""
_GRACE: Final = 1.0  # seconds for a killed program to end
_INNER: Final = ("status", "credential", "credentials", "data")
_CHUNK: Final = 4096
_JSON: Final = (b"{", b"[", b'"')
_BOM: Final = b"\xef\xbb\xbf"


class CommandTokens:
    """The TokenSource of a provider with `command`. Safe to use from many threads.

    Args:
        provider: the token's provider, for messages.
        source: the program and its arguments.
        environ: the program's environment; its PATH is searched.
        clock: for a token with a lifetime in place of an expiry.
        mask: masks secrets in the line of standard error.
        time_limit: seconds.
    """

    def __init__(  # noqa: PLR0913 - each is part of the program's surroundings
        self,
        provider: str,
        source: CommandSource,
        environ: Mapping[str, str],
        clock: Clock,
        *,
        mask: Callable[[str], str],
        time_limit: float = TIME_LIMIT,
    ) -> None:
        self._provider = provider
        self._argv = source.argv
        self._environ = environ
        self._clock = clock
        self._mask = mask
        self._time_limit = time_limit

    def token(self) -> Token:
        """Run the program and read its token: plain, or in JSON under one of the usual names.

        Raises:
            SourceFailed: the program cannot be run, fails, takes too long, or prints no token.
        """
        began = self._clock.wall()
        token = parse_output(self._output(), began)
        if token is None:
            raise self._failed("printed no token")
        return token

    def _output(self) -> bytes:
        until = self._clock.monotonic() + self._time_limit
        process = self._start()
        output, errors = _PipeReader(process.stdout, MAX_OUTPUT), _PipeReader(process.stderr, None)
        try:
            output.join(self._time_limit)
            if output.is_over:
                raise self._failed(f"printed over {MAX_OUTPUT >> 10} KiB")
            code = process.wait(0 if output.is_alive() else max(until - self._clock.monotonic(), _GRACE))
            if output.is_alive():
                raise self._failed("has ended, and what it started has not")
        except subprocess.TimeoutExpired:
            raise self._failed(f"did not end within {self._time_limit:g} s", errors.kept) from None
        finally:
            if output.is_alive() or process.poll() is None:
                _kill(process)
            errors.join(_GRACE)
        if code != 0:
            raise self._failed(f"failed (exit code {code})", errors.kept)
        return output.kept

    def _start(self) -> "subprocess.Popen[bytes]":
        program = shutil.which(os.path.expanduser(self._argv[0]), path=self._environ.get("PATH"))
        if program is None:  # searched here, because Windows itself does not find gcloud.cmd for `gcloud`
            raise self._failed("was not found")
        try:
            return subprocess.Popen(  # noqa: S603 - no shell, and the arguments are the user's own configuration
                [program, *self._argv[1:]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(self._environ),
                start_new_session=True,  # so that its children can be killed with it
            )
        except (OSError, ValueError) as fault:
            reason = fault.strerror if isinstance(fault, OSError) else None
            raise self._failed(f"could not be run ({reason or type(fault).__name__})") from None

    def _failed(self, what: str, errors: bytes = b"") -> SourceFailed:
        """The failure, with the program's name and without its arguments, which may contain a secret."""
        name = _printable(os.path.basename(self._argv[0]))
        last = (errors.decode(errors="replace").strip().splitlines() or [""])[-1]
        detail = _printable(self._mask(last))[:SHOWN]
        return SourceFailed(f"The command for {self._provider} ({name}) {what}" + (f": {detail}" if detail else "."))


def parse_output(output: bytes, now: float) -> Token | None:
    """The token in a program's output: a JSON object, a JSON string, or the bare token; None where there is none.

    Args:
        output: its standard output.
        now: wall seconds at which it was started, for `expires_in`.
    """
    text = output.removeprefix(_BOM).strip()
    try:
        value = loads(text)
    except JsonFault:
        return None if text[:1] in _JSON else token_of(text.decode(errors="replace"))  # half a JSON text is no token
    if isinstance(value, str):
        return token_of(value)
    try:
        document = as_object(value)
    except JsonFault:  # a token of digits only is a number in JSON
        return token_of(text.decode()) if type(value) is int else None
    return _in_object(document, now)


def _in_object(document: JsonObject, now: float) -> Token | None:
    """The token in the object, or one level deeper as in Kubernetes' credential plugins and some others."""
    for entry in (document, *(document.get(name) for name in _INNER)):
        if (token := read_entry(entry, now)) is not None:
            return token
    return None


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)


class _PipeReader(threading.Thread):
    """Reads one of the program's pipes to its end, so that the program never waits for a full pipe.

    Args:
        pipe: closed at its end.
        limit: bytes after which reading stops; None reads on and keeps the last ones.
    """

    def __init__(self, pipe: IO[bytes] | None, limit: int | None) -> None:
        super().__init__(name="command-output", daemon=True)
        self.kept = b""
        self.is_over = False
        self._pipe = pipe
        self._limit = limit
        self.start()

    def run(self) -> None:
        if self._pipe is None:
            return
        with self._pipe as pipe:
            while data := os.read(pipe.fileno(), _CHUNK):
                self.kept += data
                if self._limit is None:
                    self.kept = self.kept[-_CHUNK:]
                elif len(self.kept) > self._limit:
                    self.is_over = True
                    return


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill the program, and on POSIX its children too."""
    with suppress(OSError):  # the program has just ended by itself
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE)
