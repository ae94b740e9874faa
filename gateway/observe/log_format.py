"""How log lines are written: pretty for people, JSON for machines.

Secrets are masked in the finished text, by value and by shape, so no key leaves in a message or a traceback. In a text
from outside, control characters are escaped and further lines indented, so that it cannot forge a log line. A traceback
shows the place and the type of an exception without its text: our own exceptions quote what they failed on (`KeyError`,
`int()`), and that may be a prompt. This module knows no stream and no logger.
"""

import datetime
import logging
import re
import time
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Final

import msgspec

from gateway.core import texts
from gateway.core.records import CallRecord
from gateway.core.strict_json import JsonObject, JsonValue, dumps
from gateway.observe.masking import Masker

MAX_CAUSES: Final = 10
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")


class CallLine(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What a log line shows of a call. Its fields, their order and their defaults are the line's form in JSON, which
    programs read.

    Attributes:
        target: who answered, as `provider/model`.
        endpoint: JSON leaves the usual one out: log lines of chats are read by programs that know no other.
    """

    request_id: str
    model: str
    target: str | None
    attempts: str
    status: int
    error: str | None
    streamed: bool
    queue_ms: int
    first_ms: int | None
    total_ms: int
    prompt_tokens: int | None
    completion_tokens: int | None
    dropped: tuple[str, ...]
    skipped_events: int
    learned: tuple[str, ...] = ()
    endpoint: str = "chat"
    mended: int = 0
    client: str = ""

    @classmethod
    def of(cls, record: CallRecord) -> "CallLine":
        """The line of a record."""
        return cls(  # by place: of more than 13 keywords Python would make a dictionary
            record.request_id,
            record.asked,
            record.target,
            record.attempts,
            record.status,
            record.error,
            record.streamed,
            record.queue_ms,
            record.first_ms,
            record.total_ms,
            record.input,
            record.output,
            record.dropped,
            record.skipped_events,
            record.learned,
            record.endpoint,
            record.mended,
            record.client,
        )


_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class _Formatter(logging.Formatter):
    """Masks secrets, and formats exceptions without their text.

    Args:
        masker: knows the secrets.
        worker: whose lines they are; None where one process serves alone, and for the parent of workers.
    """

    def __init__(self, masker: Masker, worker: int | None = None) -> None:
        self.worker = worker
        self._label = self._labelled(worker)
        super().__init__(f"%(asctime)s %(levelname)-7s {self._label}%(message)s", datefmt="%H:%M:%S")
        self.masker = masker
        self._second = (-1, "")  # the latest second, and its text

    def call(self, level: str, created: float, record: CallRecord) -> str:
        """Format a call's line.

        Args:
            level: the name of its level.
            created: wall seconds.
            record: the call.
        """
        raise NotImplementedError

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802 - logging's name
        return "\n".join(_traceback_lines(ei[1])) if ei[1] is not None else ""

    def _labelled(self, worker: int | None) -> str:
        """What tells a worker's lines from those of others."""
        return "" if worker is None else f"[{worker}] "

    def _time(self, second: int) -> str:
        """The text of a second. It is made once, because many lines share one second."""
        known, text = self._second
        if known != second:
            text = self._written(second)
            self._second = second, text
        return text

    def _written(self, second: int) -> str:
        return time.strftime("%H:%M:%S", time.localtime(second))


class PrettyFormatter(_Formatter):
    """Formats a line for people."""

    def format(self, record: logging.LogRecord) -> str:
        if isinstance(call := getattr(record, "call", None), CallRecord):
            return self.call(record.levelname, record.created, call)
        cached, record.exc_text = record.exc_text, None  # another handler's text contains the exception's own
        text = self.masker.mask(super().format(record))
        record.exc_text = cached
        return _escape(text).replace("\n", "\n    ")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        return super().formatMessage(record).replace("\n", "\\x0a")  # a message is one line; only tracebacks have more

    def call(self, level: str, created: float, record: CallRecord) -> str:
        text = f"{self._time(int(created))} {level:<7} {self._label}{pretty(CallLine.of(record))}"
        return _escape(self.masker.mask(text.replace("\n", "\\x0a")))


class JsonFormatter(_Formatter):
    """Formats a line for machines: one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        if isinstance(call := getattr(record, "call", None), CallRecord):
            return self.call(record.levelname, record.created, call)
        fields = self._head(self._when(record.created), record.levelname.lower(), record.getMessage())
        fields |= {name: self._masked(value) for name, value in getattr(record, "fields", {}).items()}
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return _json({name: self._masked(value) for name, value in fields.items()})

    def call(self, level: str, created: float, record: CallRecord) -> str:
        line, when, level = CallLine.of(record), self._when(created), level.lower()
        names = (level, line.model, line.target or "", line.attempts, line.error or "", *line.dropped)
        # Most lines contain no secret, and most names have been in a line before.
        if self.masker.finds_again(names) or self.masker.finds(f"{when}\n{line.request_id}"):
            fields = self._head(when, level, "call") | msgspec.to_builtins(line)
            return _json({name: self._masked(value) for name, value in fields.items()})
        try:
            own = msgspec.json.encode(line)
        except UnicodeEncodeError:
            own = dumps(msgspec.to_builtins(line))
        return _escape_json(f'{{"time":"{when}","level":"{level}","event":"call",{self._label}{own[1:].decode()}')

    def _labelled(self, worker: int | None) -> str:
        return "" if worker is None else f'"worker":{worker},'

    def _head(self, when: str, level: str, event: str) -> JsonObject:
        head: JsonObject = {"time": when, "level": level, "event": event}
        return head if self.worker is None else {**head, "worker": self.worker}

    def _when(self, created: float) -> str:
        micro = round(created * 1_000_000)
        return f"{self._time(micro // 1_000_000)}.{micro // 1_000 % 1_000:03}+00:00"

    def _written(self, second: int) -> str:
        return datetime.datetime.fromtimestamp(second, datetime.UTC).isoformat()[:19]

    def _masked(self, value: object) -> JsonValue:
        """Mask a value before it becomes JSON: JSON may change its form, and a mask might replace the punctuation."""
        if isinstance(value, str):
            return self.masker.mask(value)
        if isinstance(value, (tuple, list)):
            return [self._masked(each) for each in value]
        return value if isinstance(value, (int, float)) else None


def _traceback_lines(fault: BaseException) -> Iterator[str]:
    """The stack and the type of an exception, and the same of its causes."""
    seen: list[BaseException] = []
    earlier: BaseException | None = fault
    while earlier is not None and earlier not in seen and len(seen) < MAX_CAUSES:
        yield from ("which came from:",) * bool(seen)
        yield from (line.rstrip("\n") for line in traceback.format_tb(earlier.__traceback__))
        reason = f": {earlier.strerror}" if isinstance(earlier, OSError) and earlier.strerror else ""
        yield f"{type(earlier).__module__}.{type(earlier).__qualname__}{reason}".removeprefix("builtins.")
        seen.append(earlier)
        earlier = earlier.__cause__ or (None if earlier.__suppress_context__ else earlier.__context__)


def _json(fields: JsonObject) -> str:
    return _escape_json(dumps(fields).decode())


def _escape_json(text: str) -> str:
    """Escape the control characters that JSON allows unescaped."""
    if text.isascii() and "\x7f" not in text:  # the others stand escaped in JSON: 0.04 us in place of 0.6
        return text
    return text if text.isprintable() else _CONTROL.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def _escape(text: str) -> str:
    return text if text.isprintable() else _CONTROL.sub(lambda match: f"\\x{ord(match.group()):02x}", text)


def pretty(line: CallLine) -> str:
    """`req_1 my-model -> openai/gpt-4 200 stream first 312 ms, total 2150 ms, tokens 12+340`."""
    target = printable(line.target or "nobody")
    parts = [line.request_id, printable(line.model) or "-", "->", target, str(line.status)]
    if line.client:
        parts.append(f"for {line.client}")
    if line.streamed:
        parts.append("stream")
    if line.error:
        parts.append(f"[{printable(line.error)}]")  # it may be a provider's error code
    if line.attempts.count("=") > 1 or (line.attempts and line.target is None):
        parts.append(f"({line.attempts})")
    times = [("queued", line.queue_ms or None), ("first", line.first_ms), ("total", line.total_ms)]
    details = [f"{name} {value} ms" for name, value in times if value is not None]
    if line.prompt_tokens is not None or line.completion_tokens is not None:
        details.append(f"tokens {line.prompt_tokens or 0}+{line.completion_tokens or 0}")
    if line.dropped:
        details.append(f"dropped {' '.join(line.dropped)}")
    if line.skipped_events:
        details.append(f"{line.skipped_events} unreadable events skipped")
    if line.mended:
        details.append(f"{line.mended} things mended")
    if line.learned:
        details.append(f"learned to leave out {' '.join(line.learned)}")
    return f"{' '.join(parts)} {', '.join(details)}"


def printable(text: str) -> str:
    """A text from outside: its first 200 characters, escaped to one line."""
    return texts.printable(text[:200])
