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
import threading
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, TextIO
from urllib.parse import quote

import msgspec

from gateway.core.jsontext import JsonObject, JsonValue, dumps
from gateway.core.secrets import MASK, Secret

ROOT: Final = "gateway"
SHORTEST_SECRET: Final = 6
"""Characters below which a value is not masked: it would blacken ordinary words."""
MAX_LEARNED: Final = 200
"""Learned secrets that are remembered. A token lives for minutes or days, and the oldest have expired by then."""
MOST_CAUSES: Final = 10
_SHAPES: Final = re.compile(
    r"\b(?:sk|gsk|xai|pk|rk)[-_][A-Za-z0-9_\-]{16,}|\bAIza[A-Za-z0-9_\-]{20,}|\bya29\.[A-Za-z0-9_\-.]+"
    r"|\beyJ[A-Za-z0-9_\-]{8,2000}\.[A-Za-z0-9_\-.]+|\bgh[pousr]_[A-Za-z0-9]{20,}"
)
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class CallLine:
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
        level = logging.ERROR if line.status >= 500 else logging.WARNING if line.error else logging.INFO
        self._logger.log(level, "call", extra={"call": line})


class Masker:
    """Takes secrets out of a text. Safe to use from many threads.

    Args:
        secrets: the ones known by value.
    """

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._given = {secret.reveal() for secret in secrets}
        self._learned: dict[str, None] = {}
        self._lock = threading.Lock()  # over the two above
        self._known = self._pattern()

    def learn(self, secret: Secret) -> None:
        """Mask this one too from here on: a token that has come with a login or a renewal."""
        value = secret.reveal()
        if value in self._given or value in self._learned:
            return
        with self._lock:
            self._learned[value] = None
            for oldest in list(self._learned)[:-MAX_LEARNED]:
                del self._learned[oldest]
            self._known = self._pattern()

    def _pattern(self) -> re.Pattern[str] | None:
        values = (*self._given, *self._learned)
        seen = {form for value in values if len(value) >= SHORTEST_SECRET for form in _forms(value)}
        known = sorted(seen, key=len, reverse=True)
        return re.compile("|".join(map(re.escape, known))) if known else None

    def mask(self, text: str) -> str:
        """`text` with every secret as ***."""
        known = self._known
        if known is not None:
            text = known.sub(MASK, text)
        return _SHAPES.sub(MASK, text)


def _forms(value: str) -> tuple[str, ...]:
    """A value as it stands in a message, in a repr, in JSON and in an address."""
    return value, repr(value)[1:-1], dumps(value).decode()[1:-1], quote(value, safe="", errors="replace")


_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class _Formatter(logging.Formatter):
    """Masks, and prints exceptions without their text."""

    def __init__(self, masker: Masker) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S")
        self._masker = masker

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802 - logging's name
        return "\n".join(_told(ei[1])) if ei[1] is not None else ""


class PrettyFormatter(_Formatter):
    """A line for a person."""

    def format(self, record: logging.LogRecord) -> str:
        cached, record.exc_text = record.exc_text, None  # another handler's has the exception's text
        text = self._masker.mask(super().format(record))
        record.exc_text = cached
        return _CONTROL.sub(lambda match: f"\\x{ord(match.group()):02x}", text).replace("\n", "\n    ")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        line = getattr(record, "call", None)
        if isinstance(line, CallLine):
            record.message = pretty(line)
        return super().formatMessage(record).replace("\n", "\\x0a")  # a message is a line; only tracebacks have more


class JsonFormatter(_Formatter):
    """A line for a machine: one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(timespec="milliseconds")
        fields: JsonObject = {"time": when, "level": record.levelname.lower(), "event": record.getMessage()}
        line = getattr(record, "call", None)
        if isinstance(line, CallLine):
            fields.update(msgspec.to_builtins(line))
        fields |= {name: self._masked(value) for name, value in getattr(record, "fields", {}).items()}
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        texts = "\n".join(_texts(fields.values()))
        if self._masker.mask(texts) != texts:  # one look at all of them, because most lines hold no secret
            fields = {name: self._masked(value) for name, value in fields.items()}
        text = dumps(fields).decode()
        return _CONTROL.sub(lambda match: f"\\u{ord(match.group()):04x}", text)  # those that JSON leaves as they are

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


def _texts(values: Iterable[JsonValue]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _texts(value)


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
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(masker) if form == "json" else PrettyFormatter(masker))
    root = logging.getLogger()
    for earlier in [each for each in root.handlers if isinstance(each.formatter, (PrettyFormatter, JsonFormatter))]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)  # libraries print addresses with their queries below that
    logging.getLogger(ROOT).setLevel(level.upper())
    return handler
