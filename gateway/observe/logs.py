"""Log lines on standard error: pretty for people, JSON for machines, never a prompt and never a secret.

Secrets are masked in the finished text, by value and by shape: whatever path a key took into a message or a traceback,
it does not leave by this door. Text from outside is printed with its control characters escaped, and what needs several
lines is indented, so that nobody writes a line of their own. A traceback tells where and what kind, without the
exception's own text: a fault of ours quotes what it stumbled over (`KeyError`, `int()`), and that may be a prompt.
"""

import datetime
import logging
import re
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, TextIO

import msgspec

from gateway.core.clock import SystemClock
from gateway.core.secrets import Secret
from gateway.core.strict_json import JsonObject, JsonValue, dumps
from gateway.observe.masking import Masker

ROOT: Final = "gateway"
MOST_CAUSES: Final = 10
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")


class CallLine(msgspec.Struct, frozen=True):
    """What is told of one call. Durations in milliseconds since it came; None where it never got that far."""

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


@dataclass(frozen=True, slots=True)
class AttemptLine:
    """What is told of one try that failed: at whom, how, the provider's own id for it, and how long it took."""

    request_id: str
    target: str
    outcome: str
    kind: str
    provider_request_id: str | None
    ms: int


class CallLog:
    """Writes a line a call, and one for each try of it that failed."""

    def __init__(self) -> None:
        self._logger = logging.getLogger(f"{ROOT}.calls")

    def attempt_failed(self, line: AttemptLine) -> None:
        """A provider did not answer; another one, or another try, may."""
        theirs = f", their id {_plain(line.provider_request_id)}" if line.provider_request_id else ""
        words = (line.request_id, _plain(line.target), _plain(line.outcome), line.kind, line.ms, theirs)
        self._logger.warning("%s %s failed: %s (%s) after %d ms%s", *words, extra={"fields": msgspec.to_builtins(line)})

    def finished(self, line: CallLine) -> None:
        """The call has ended, well or not."""
        # Where there are only handlers of ours they take the line as it is: a record costs 14 us a call, most of it for
        # what only other handlers' formatters look at.
        level = logging.ERROR if line.status >= 500 else logging.WARNING if line.error else logging.INFO
        if not self._logger.isEnabledFor(level):
            return
        handlers = _handlers(self._logger)
        lines = [handler for handler in handlers if isinstance(handler, Lines)]
        if len(lines) != len(handlers) or not lines:
            self._logger.log(level, "call", extra={"call": line})
            return
        for handler in lines:
            handler.call(level, line)


def _handlers(logger: logging.Logger) -> list[logging.Handler]:
    """Those that logging would ask: its own logger's and those above it."""
    found: list[logging.Handler] = []
    above: logging.Logger | None = logger
    while above is not None:
        found += above.handlers
        above = above.parent if above.propagate else None
    return found


_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class _Formatter(logging.Formatter):
    """Masks, and prints exceptions without their text."""

    def __init__(self, masker: Masker) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S")
        self._masker = masker
        self._second = (-1, "")  # the latest, and how it is written

    def call(self, level: str, created: float, line: CallLine) -> str:
        """A call's line.

        Args:
            level: the name of its level.
            created: wall seconds.
            line: what it says.
        """
        raise NotImplementedError

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802 - logging's name
        return "\n".join(_told(ei[1])) if ei[1] is not None else ""

    def _time(self, second: int) -> str:
        """A second as it is written; put together once, because many lines have the same one."""
        known, text = self._second
        if known != second:
            text = self._written(second)
            self._second = second, text
        return text

    def _written(self, second: int) -> str:
        return time.strftime("%H:%M:%S", time.localtime(second))


class PrettyFormatter(_Formatter):
    """A line for a person."""

    def format(self, record: logging.LogRecord) -> str:
        if isinstance(line := getattr(record, "call", None), CallLine):
            return self.call(record.levelname, record.created, line)
        cached, record.exc_text = record.exc_text, None  # another handler's has the exception's text
        text = self._masker.mask(super().format(record))
        record.exc_text = cached
        return _escaped(text).replace("\n", "\n    ")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        return super().formatMessage(record).replace("\n", "\\x0a")  # a message is a line; only tracebacks have more

    def call(self, level: str, created: float, line: CallLine) -> str:
        text = f"{self._time(int(created))} {level:<7} {pretty(line)}".replace("\n", "\\x0a")
        return _escaped(self._masker.mask(text))


class JsonFormatter(_Formatter):
    """A line for a machine: one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        if isinstance(line := getattr(record, "call", None), CallLine):
            return self.call(record.levelname, record.created, line)
        fields = _head(self._when(record.created), record.levelname.lower(), record.getMessage())
        fields |= {name: self._masked(value) for name, value in getattr(record, "fields", {}).items()}
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return _json({name: self._masked(value) for name, value in fields.items()})

    def call(self, level: str, created: float, line: CallLine) -> str:
        when, level = self._when(created), level.lower()
        words = (line.request_id, line.model, line.target or "", line.attempts, line.error or "", *line.dropped)
        if self._masker.finds("\n".join((when, level, *words))):  # one look, because most lines hold no secret
            fields = _head(when, level, "call") | msgspec.to_builtins(line)
            return _json({name: self._masked(value) for name, value in fields.items()})
        try:
            own = msgspec.json.encode(line)
        except UnicodeEncodeError:
            own = dumps(msgspec.to_builtins(line))
        return _printed(f'{{"time":"{when}","level":"{level}","event":"call",{own[1:].decode()}')

    def _when(self, created: float) -> str:
        micro = round(created * 1_000_000)
        return f"{self._time(micro // 1_000_000)}.{micro // 1_000 % 1_000:03}+00:00"

    def _written(self, second: int) -> str:
        return datetime.datetime.fromtimestamp(second, datetime.UTC).isoformat()[:19]

    def _masked(self, value: object) -> JsonValue:
        """Masked before it is JSON: in JSON a value may look different, and a mask might hit the punctuation."""
        if isinstance(value, str):
            return self._masker.mask(value)
        if isinstance(value, (tuple, list)):
            return [self._masked(each) for each in value]
        return value if isinstance(value, (int, float)) else None


def _told(fault: BaseException) -> Iterator[str]:
    """Where it was raised and what it is, and the same of what it came from."""
    seen: list[BaseException] = []
    earlier: BaseException | None = fault
    while earlier is not None and earlier not in seen and len(seen) < MOST_CAUSES:
        yield from ("which came from:",) * bool(seen)
        yield from (line.rstrip("\n") for line in traceback.format_tb(earlier.__traceback__))
        words = f": {earlier.strerror}" if isinstance(earlier, OSError) and earlier.strerror else ""
        yield f"{type(earlier).__module__}.{type(earlier).__qualname__}{words}".removeprefix("builtins.")
        seen.append(earlier)
        earlier = earlier.__cause__ or (None if earlier.__suppress_context__ else earlier.__context__)


def _head(when: str, level: str, event: str) -> JsonObject:
    return {"time": when, "level": level, "event": event}


def _json(fields: JsonObject) -> str:
    return _printed(dumps(fields).decode())


def _printed(text: str) -> str:
    """JSON leaves some control characters as they are."""
    return text if text.isprintable() else _CONTROL.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def _escaped(text: str) -> str:
    return text if text.isprintable() else _CONTROL.sub(lambda match: f"\\x{ord(match.group()):02x}", text)


def pretty(line: CallLine) -> str:
    """`req_1 my-model -> openai/gpt-4 200 stream first 312 ms, total 2150 ms, tokens 12+340`."""
    parts = [line.request_id, _plain(line.model) or "-", "->", _plain(line.target or "nobody"), str(line.status)]
    if line.streamed:
        parts.append("stream")
    if line.error:
        parts.append(f"[{_plain(line.error)}]")  # it may be a provider's own word
    if line.attempts.count("=") > 1 or (line.attempts and line.target is None):
        parts.append(f"({line.attempts})")
    times = [("queued", line.queue_ms or None), ("first", line.first_ms), ("total", line.total_ms)]
    told = [f"{name} {value} ms" for name, value in times if value is not None]
    if line.prompt_tokens is not None or line.completion_tokens is not None:
        told.append(f"tokens {line.prompt_tokens or 0}+{line.completion_tokens or 0}")
    if line.dropped:
        told.append(f"dropped {' '.join(line.dropped)}")
    if line.skipped_events:
        told.append(f"{line.skipped_events} unreadable events skipped")
    return f"{' '.join(parts)} {', '.join(told)}"


def _plain(text: str) -> str:
    """A text from outside, on one line and short."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:200])


class Lines(logging.StreamHandler[TextIO]):
    """Prints the gateway's lines.

    Args:
        stream: where to.
        form: how.
    """

    def __init__(self, stream: TextIO, form: PrettyFormatter | JsonFormatter) -> None:
        super().__init__(stream)
        self.setFormatter(form)
        self._form = form

    def call(self, level: int, line: CallLine) -> None:
        """A call's line, as `emit` prints a record."""
        if level < self.level:
            return
        try:
            text = self._form.call(logging.getLevelName(level), SystemClock.wall(), line) + self.terminator
            self.acquire()
            try:
                self.stream.write(text)
                self.stream.flush()
            finally:
                self.release()
        except Exception:  # noqa: BLE001 - a log that cannot be written ends nobody's call
            self.handleError(logging.makeLogRecord({"msg": "call"}))


def set_up(
    level: str, form: Literal["pretty", "json"], secrets: Iterable[Secret] | Masker, stream: TextIO | None = None
) -> logging.Handler:
    """Send the gateway's log lines to `stream` (standard error) from here on.

    Args:
        level: the least that is printed.
        form: for people or for machines.
        secrets: what must not be printed; as a Masker it may go on learning.
        stream: where to.

    Returns:
        The handler, for whoever takes it off again.
    """
    masker = secrets if isinstance(secrets, Masker) else Masker(secrets)
    handler = Lines(stream or sys.stderr, JsonFormatter(masker) if form == "json" else PrettyFormatter(masker))
    root = logging.getLogger()
    for earlier in [each for each in root.handlers if isinstance(each.formatter, (PrettyFormatter, JsonFormatter))]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)  # libraries print addresses with their queries below that
    logging.getLogger(ROOT).setLevel(level.upper())
    return handler
