"""What providers say about their own limits: learned from the heads of their answers, failed ones too.

A head is handed over on the call's thread, which only puts it into a queue; it is read when somebody asks what is left,
or when the ledger's thread comes by. Which headers there are is data. What is said here informs people; nothing obeys
it, because a provider may be wrong about itself.

Sources (all read 2026-11):
- OpenAI: https://platform.openai.com/docs/guides/rate-limits (durations such as `6m0s`); Groq sends the same names:
  https://console.groq.com/docs/rate-limits
- OpenRouter: https://openrouter.ai/docs/api-reference/limits (milliseconds since 1970)
- Together: https://docs.together.ai/docs/rate-limits (seconds; `x-tokenlimit-*` for tokens)
- Cerebras: https://inference-docs.cerebras.ai/support/rate-limits (`-minute`, `-day`; seconds)
- Anthropic: https://docs.claude.com/en/api/rate-limits#response-headers (RFC 3339). `-unified-*`, which its
  subscriptions send, are documented nowhere: a share from 0 to 1, and seconds since 1970, as seen in answers.
- Retry-After: RFC 9110 section 10.2.3
"""

import re
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from operator import attrgetter
from typing import Final

from msgspec import Struct

from gateway.core.records import CallRecord
from gateway.core.spans import span

MAX_ENTRIES: Final = 1_000
"""Limits that are known at once; beyond it the one that was learned first goes."""
MAX_HEADS: Final = 1_000
"""Heads that wait to be read: of refusals the latest ones; of answers those of the first targets."""
_REFUSAL: Final = 400
"""From this status on an answer is one."""
MAX_COUNT: Final = 10**15
ALL_MODELS: Final = ""
PERCENT: Final = 100
"""The limit of what is said as a share."""
_EARLIEST: Final = 1e9
"""A number from here on is a point in time, not a duration: seconds since 1970, or milliseconds."""
_EARLIEST_MS: Final = 1e11
_LATEST: Final = 366 * 86_400.0
"""Seconds from now; no limit is longer, so a reset beyond it is no time."""
_NUMBER: Final = re.compile(r"\d{1,15}(?:\.\d{1,12})?", re.ASCII)


class Shape(Struct, frozen=True):
    """The headers of one limit.

    Attributes:
        kind: of the limit.
        limit, remaining, used, reset: the headers' names; "" where there is none. `used` is a share from 0 to 1, in the
            place of the two before.
        of_account: whether it holds for all models of the account together.
    """

    kind: str
    limit: str = ""
    remaining: str = ""
    used: str = ""
    reset: str = ""
    of_account: bool = False


def _openai(kind: str, ending: str) -> Shape:
    limit, remaining, reset = (f"x-ratelimit-{each}-{ending}" for each in ("limit", "remaining", "reset"))
    return Shape(kind, limit, remaining, "", reset)


def _anthropic(kind: str, name: str) -> Shape:
    limit, remaining, reset = (f"anthropic-ratelimit-{name}-{each}" for each in ("limit", "remaining", "reset"))
    return Shape(kind, limit, remaining, "", reset)


def _unified(window: str) -> Shape:
    begin = f"anthropic-ratelimit-unified-{window}"
    return Shape(f"unified_{window}", used=f"{begin}-utilization", reset=f"{begin}-reset", of_account=True)


SHAPES: Final[Sequence[Shape]] = (
    _openai("requests", "requests"),
    _openai("tokens", "tokens"),
    _openai("requests_minute", "requests-minute"),
    _openai("requests_day", "requests-day"),
    _openai("tokens_minute", "tokens-minute"),
    _openai("tokens_day", "tokens-day"),
    Shape("requests", "x-ratelimit-limit", "x-ratelimit-remaining", "", "x-ratelimit-reset", of_account=True),
    Shape("tokens", "x-tokenlimit-limit", "x-tokenlimit-remaining", "", "x-tokenlimit-reset"),
    _anthropic("requests", "requests"),
    _anthropic("tokens", "tokens"),
    _anthropic("input_tokens", "input-tokens"),
    _anthropic("output_tokens", "output-tokens"),
    _unified("5h"),
    _unified("7d"),
)
RETRY_AFTER: Final = "retry_after"
"""The kind of what a 429 says with Retry-After alone: nothing is left until then."""


class Head(Struct, frozen=True):
    """The head of an answer. `at`: wall seconds when it came. Names of headers are found in lower case."""

    provider: str
    model: str
    status: int
    headers: Mapping[str, str]
    at: float
    account: str = ""


class Key(Struct, frozen=True):
    """Which limit. `model`: ALL_MODELS where it holds for all."""

    provider: str
    account: str
    model: str
    kind: str


class Quota(Struct, frozen=True):
    """What was said of a limit. `limit`, `remaining`: None where they were not said. `reset_at`: wall seconds when it
    is full again; None where that was not said. `learned_at`: wall seconds."""

    limit: int | None
    remaining: int | None
    reset_at: float | None
    learned_at: float

    def at(self, now: float) -> "Quota":
        """The same as known now: after its reset nobody knows what is left."""
        if self.reset_at is not None and self.reset_at <= now and self.remaining is not None:
            return Quota(self.limit, None, self.reset_at, self.learned_at)
        return self


def read(head: Head) -> Iterator[tuple[Key, Quota]]:
    """Every limit that a head speaks of. A value that is out of shape counts as not said."""
    found = False
    for shape in SHAPES:
        quota = _quota(shape, head)
        if quota is not None:
            found = True
            model = ALL_MODELS if shape.of_account else head.model
            yield Key(head.provider, head.account, model, shape.kind), quota
    again = _reset(head.headers.get("retry-after"), head) if head.status == 429 and not found else None
    if again is not None:
        yield Key(head.provider, head.account, head.model, RETRY_AFTER), Quota(None, 0, again, head.at)


class Quotas:
    """What is left at all providers, as far as they say it. Safe to use from many threads.

    A head takes 50 us to read, so that of a target's answers which wait together the latest alone is read: it says what
    is left now. Refusals say it in different ways, and all of them are read.
    """

    def __init__(self) -> None:
        self._refusals: deque[Head] = deque(maxlen=MAX_HEADS)
        self._answers: dict[tuple[str, str, str], Head] = {}  # any thread adds, and each step on it is one of Python's
        self._lock = threading.Lock()  # guards the entries
        self._known: dict[Key, Quota] = {}  # what was learned first comes first

    def learn(self, head: Head) -> None:
        """An answer has begun. Never blocks: the head is read later."""
        if head.status >= _REFUSAL:
            self._refusals.append(head)
            return
        target = (head.provider, head.account, head.model)
        if len(self._answers) < MAX_HEADS or target in self._answers:
            self._answers[target] = head

    def take(self, records: list[CallRecord]) -> None:
        """Read the heads that wait. The ledger's thread calls this, so that they do not pile up."""
        with self._lock:
            self._read()

    def known(self, now: float) -> Mapping[Key, Quota]:
        """Every limit as known now.

        Args:
            now: wall seconds.
        """
        with self._lock:
            self._read()
            known = list(self._known.items())
        return {key: quota.at(now) for key, quota in known}

    def forget(self, providers: Iterable[str]) -> None:
        """Forget what providers have said that are asked elsewhere, or by another credential, from now on."""
        gone = frozenset(providers)
        with self._lock:
            self._read()
            self._known = {key: quota for key, quota in self._known.items() if key.provider not in gone}

    def _read(self) -> None:
        heads = [self._answers.popitem()[1] for _ in range(len(self._answers))]
        heads += [self._refusals.popleft() for _ in range(len(self._refusals))]
        for head in sorted(heads, key=attrgetter("at")):
            for key, quota in read(head):
                self._known.pop(key, None)
                self._known[key] = quota
        while len(self._known) > MAX_ENTRIES:
            del self._known[next(iter(self._known))]


def _quota(shape: Shape, head: Head) -> Quota | None:
    limit, remaining = _count(head.headers.get(shape.limit)), _count(head.headers.get(shape.remaining))
    used = _share(head.headers.get(shape.used)) if shape.used else None
    if used is not None:
        limit, remaining = PERCENT, max(0, PERCENT - round(used * PERCENT))
    if limit is None and remaining is None:
        return None
    return Quota(limit, remaining, _reset(head.headers.get(shape.reset), head), head.at)


def _count(text: str | None) -> int | None:
    if text is None or not _NUMBER.fullmatch(text.strip()):
        return None
    return min(int(float(text)), MAX_COUNT)


def _share(text: str | None) -> float | None:
    return float(text) if text is not None and _NUMBER.fullmatch(text.strip()) else None


def _reset(text: str | None, head: Head) -> float | None:
    """Wall seconds by our own clock; None where it is no time."""
    text = (text or "").strip()
    at = head.at + float(text) if _NUMBER.fullmatch(text) else _from_words(text, head)
    if at is not None and _NUMBER.fullmatch(text) and float(text) >= _EARLIEST:
        at = float(text) / (1000.0 if float(text) >= _EARLIEST_MS else 1.0)
    return at if at is not None and abs(at - head.at) <= _LATEST else None


def _from_words(text: str, head: Head) -> float | None:
    """A duration such as `6m0s`, or a date."""
    seconds = span(text)
    if seconds is not None:
        return head.at + seconds
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = parse(text)
            return found.timestamp() if found.tzinfo is not None else None
        except (TypeError, ValueError, OverflowError, OSError):
            continue
    return None
