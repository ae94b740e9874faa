"""Writes the gateway's log lines to standard error or a file: one for each call, and one for each failed attempt.

The loggers, the handler and their set-up are here; what a line looks like is decided in log_format.py. A log line
contains no prompt and no secret.
"""

import logging
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Literal, TextIO

import msgspec

from gateway.core.clock import SystemClock
from gateway.core.durations import plural
from gateway.core.records import AttemptRecord, CallRecord
from gateway.core.secrets import Secret
from gateway.observe.log_file import LogFile
from gateway.observe.log_format import JsonFormatter, PrettyFormatter, printable
from gateway.observe.masking import Masker
from gateway.observe.output_queue import MAX_FILE_PIECE, Output, OutputQueue

ROOT: Final = "gateway"


class CallLog:
    """Logs each call, and each of its attempts that failed."""

    def __init__(self) -> None:
        self._logger = logging.getLogger(f"{ROOT}.calls")

    def attempt_failed(self, line: AttemptRecord) -> None:
        """Log a failed attempt. Another provider or another try may still answer the call."""
        theirs = f", their id {printable(line.provider_request_id)}" if line.provider_request_id else ""
        args = (line.request_id, printable(line.target), printable(line.outcome), line.kind, line.ms, theirs)
        self._logger.warning("%s %s failed: %s (%s) after %d ms%s", *args, extra={"fields": msgspec.to_builtins(line)})

    def refused(self, record: CallRecord) -> None:
        """Nothing: what refuses a request logs it, model call or not (gateway.server.gateway_proxy)."""

    def finished(self, line: CallRecord) -> None:
        """Log the end of a call."""
        # If all handlers are ours, they take the line without a LogRecord, which costs 14 us a call, most of it for
        # fields that only other handlers' formatters read.
        level = logging.ERROR if line.status >= 500 else logging.WARNING if line.error else logging.INFO
        if not self._logger.isEnabledFor(level):
            return
        handlers = _handlers(self._logger)
        own = [handler for handler in handlers if isinstance(handler, LogHandler)]
        if len(own) != len(handlers) or not own:
            self._logger.log(level, "call", extra={"call": line})
            return
        for handler in own:
            handler.call(level, line)


def _handlers(logger: logging.Logger) -> list[logging.Handler]:
    """The handlers that logging would call: the logger's own and those of the loggers above it."""
    found: list[logging.Handler] = []
    above: logging.Logger | None = logger
    while above is not None:
        found += above.handlers
        above = above.parent if above.propagate else None
    return found


class LogHandler(logging.StreamHandler[TextIO | OutputQueue]):
    """Writes the gateway's log lines to a stream, or puts them into a queue for it.

    Args:
        stream: the output.
        formatter: makes the lines.
    """

    def __init__(self, stream: TextIO | OutputQueue, formatter: PrettyFormatter | JsonFormatter) -> None:
        super().__init__(stream)
        self.setFormatter(formatter)
        self._formatter = formatter

    def use(self, form: Literal["pretty", "json"]) -> None:
        """Write further lines in this form. Any thread: no line is lost and none is written twice."""
        self._formatter = _formatter(form, self._formatter.masker, self._formatter.worker)
        self.setFormatter(self._formatter)

    def call(self, level: int, line: CallRecord) -> None:
        """Write a call's line, as `emit` writes a record."""
        if level < self.level:
            return
        try:
            text = self._formatter.call(logging.getLevelName(level), SystemClock.wall(), line) + self.terminator
            if isinstance(self.stream, OutputQueue):  # its own lock is enough
                self.stream.write(text)
                return
            self.acquire()
            try:
                self.stream.write(text)
                self.stream.flush()
            finally:
                self.release()
        except Exception:  # noqa: BLE001 - a log that cannot be written must not end a call
            self.handleError(logging.makeLogRecord({"msg": "call"}))


def set_up(
    level: str,
    form: Literal["pretty", "json"],
    secrets: Iterable[Secret] | Masker,
    stream: TextIO | OutputQueue | None = None,
    worker: int | None = None,
) -> logging.Handler:
    """Send the gateway's log lines to a stream from now on.

    Args:
        level: the lowest level that is printed.
        form: pretty for people, json for machines.
        secrets: masked in all lines. A Masker may get further secrets later.
        stream: the output; by default standard error.
        worker: whose lines they are, for them to say so.

    Returns:
        The handler, to be removed by the caller.
    """
    masker = secrets if isinstance(secrets, Masker) else Masker(secrets)
    handler = LogHandler(stream or sys.stderr, _formatter(form, masker, worker))
    root = logging.getLogger()
    for earlier in [each for each in root.handlers if isinstance(each.formatter, (PrettyFormatter, JsonFormatter))]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)  # libraries print addresses with their queries below that
    logging.getLogger(ROOT).setLevel(level.upper())
    return handler


def change(level: str, form: Literal["pretty", "json"]) -> None:
    """Print further lines so, where `set_up` was called; else nothing.

    Args:
        level: the lowest level that is printed.
        form: pretty for people, json for machines.
    """
    for handler in [each for each in logging.getLogger().handlers if isinstance(each, LogHandler)]:
        handler.use(form)
        logging.getLogger(ROOT).setLevel(level.upper())


def queue_for(
    stream: TextIO | Output | None,
    form: Literal["pretty", "json"],
    reason: str = "the reader of the log was too slow",
) -> OutputQueue:
    """A queue of log lines, whose reader may pause. The caller closes it.

    Args:
        stream: where its thread writes them; None for a process without such a stream.
        form: of the line that says how many lines were dropped, until `change` is called.
        reason: why they were, for that line.
    """
    first = _formatter(form, Masker())

    def dropped_line(count: int) -> str:
        text = f"{count} log {plural('line', count)} dropped: {reason}."
        fields = {"name": ROOT, "levelno": logging.WARNING, "levelname": "WARNING", "msg": text}
        handlers = [each for each in logging.getLogger().handlers if isinstance(each, LogHandler)]
        formatter = handlers[0].formatter if handlers else None
        return (formatter or first).format(logging.makeLogRecord({**fields, "fields": {"dropped_lines": count}})) + "\n"

    return OutputQueue(stream, dropped_line, max_piece=MAX_FILE_PIECE if isinstance(stream, LogFile) else None)


class LogLines:
    """Where log lines go, behind a queue whose reader may pause.

    Attributes:
        queue: takes the lines; for `set_up`.

    Args:
        output: a stream, or the path of a file; None for a process without such a stream.
        form: of the lines.
        on_trouble: is called with the fault where a file cannot be written.
    """

    def __init__(
        self, output: TextIO | Path | None, form: Literal["pretty", "json"], on_trouble: Callable[[OSError], None]
    ) -> None:
        self._file = LogFile(output, on_trouble) if isinstance(output, Path) else None
        if isinstance(output, Path):
            self.queue = queue_for(self._file, form, "the log file could not be written")
        else:
            self.queue = queue_for(output, form)

    def close(self, timeout: float) -> None:
        """Write what is there, within so many seconds."""
        if self.queue.close(timeout) and self._file is not None:
            self._file.close()


def _formatter(
    form: Literal["pretty", "json"], masker: Masker, worker: int | None = None
) -> PrettyFormatter | JsonFormatter:
    return JsonFormatter(masker, worker) if form == "json" else PrettyFormatter(masker, worker)
