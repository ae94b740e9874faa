"""One call: a caller's request from its arrival to the last byte of its reply.

It holds what the gateway knows of the request while it is answered, and what the log gets afterwards. Other threads end
a call here: the watchdog when the caller has left or the deadline has passed, the gateway when it stops. It knows the
branches that work for it only as something to cancel.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from msgspec.structs import replace

from gateway.clients.client import ANYONE, Client
from gateway.clients.share import NO_SHARE, Share
from gateway.core.answer import Usage
from gateway.core.clock import Clock
from gateway.core.errors import CallerLeft, DeadlineExceeded, GatewayError
from gateway.core.no_op import no_op
from gateway.core.records import ANSWERED, UNKNOWN, TryRecord
from gateway.dispatch.caller import Caller
from gateway.dispatch.turns import Turn, no_session
from gateway.providers.base import Cancellable
from gateway.routing.router import Target

logger = logging.getLogger(__name__)

MAX_TRIES: Final = 6
"""Requests to providers for one call. More would not help: clients try again by themselves."""
DRAINING_RETRY: Final = 5.0
"""Seconds after which a gateway that is stopping may be up again."""


class Hedging(Protocol):
    """What may ask a second target while the first one is slow."""

    def hedge(self, spawn: Callable[[Callable[[], None]], bool]) -> None:
        """Do so if it is time; `spawn` runs a function in a thread of its own and returns whether it found one."""


class Heartbeats(Protocol):
    """Writes a stream that has no answer yet: its heartbeats, and the error that may end it."""

    def heartbeat(self) -> bytes:
        """One of them."""

    def error(self, error: GatewayError) -> bytes:
        """The error that ends the stream behind them, where there is no answer."""


class RunningStream(Protocol):
    """A stream that has begun; it makes its heartbeats itself, because only its driver may use its encoder."""

    def heartbeat(self) -> bytes:
        """One of them; b"" outside `send_heartbeat`."""

    def send_heartbeat(self, send: Callable[[], object]) -> None:
        """Call `send`, which asks for `heartbeat`, if no event of the stream is being made or written."""


class Call:
    """A request and its state. Safe to use from many threads.

    Attributes:
        alias: the name of the configuration that it asked for (gateway.core.records).
        invented: the names of its targets are the caller's own, and stand in no configuration.
        came: wall seconds when it came.
        attempts: the turns of its targets that have ended.
        attempts_shown: how many of them are in the text of a header, and that text, which the record has as well.
        share: what it holds of the limits and the budget of its client.
        session: gives what tells the sessions of a provider with `sticky` accounts apart.
        turn: the order of its targets, where a strategy decides that; it counts what is sent.
        not_continued: the stream of `target` does not continue the broken one before it; only a whole answer helps.

    Args:
        request_id: shown to the caller and in the log.
        clock: for its deadline and its durations.
        timeout: seconds until the deadline.
        caller: the connection that waits for the answer.
        endpoint: the name of the route that it came by.
        client: who asks.
        release: called once, when the call is over.
    """

    # class attributes: what most calls never set then costs nothing when a call is made. What each call reads several
    # times is set in `__init__`, because Python looks longest for what it finds in the class.
    model = ""
    alias = UNKNOWN
    invented = True
    attempts_shown: tuple[int, str] = (0, "")
    streamed = False
    target: Target | None = None
    queued = 0.0
    first_content: float | None = None
    usage: Usage | None = None
    dropped: tuple[str, ...] = ()
    skipped_events = 0
    mended = 0
    learned: tuple[str, ...] = ()
    not_continued = False
    hedging: Hedging | None = None
    heartbeats: Heartbeats | None = None
    stream: RunningStream | None = None
    session: Callable[[], str] = staticmethod(no_session)
    turn: Turn | None = None
    _tries = 0
    _being_asked = 0
    _queueing = 0

    def __init__(  # noqa: PLR0913 - what a call is made of, by keyword
        self,
        request_id: str,
        clock: Clock,
        *,
        timeout: float,
        caller: Caller,
        endpoint: str = "chat",
        client: Client = ANYONE,
        release: Callable[[], None] = no_op,
    ) -> None:
        self.request_id = request_id
        self.caller = caller
        self.endpoint = endpoint
        self.client = client
        self._release = release
        self.came = clock.wall()
        self.started = clock.monotonic()
        self.deadline = self.started + timeout
        self.share: Share = NO_SHARE
        self._ended: GatewayError | None = None
        self.attempts: list[TryRecord] = []
        self.broken_targets: list[Target] = []
        self._clock = clock
        self._lock = threading.Lock()
        self._branches: list[Cancellable] = []

    def make_heartbeat(self) -> bytes:
        """A heartbeat in the caller's wire; b"" where none can be made now."""
        source = self.stream or self.heartbeats
        return b"" if source is None else source.heartbeat()

    def send_heartbeat(self) -> None:
        """Send the caller a heartbeat, if one can be sent now. The watchdog's thread."""
        stream = self.stream
        if stream is None:
            self.caller.heartbeat()
        else:
            stream.send_heartbeat(self.caller.heartbeat)

    def tried(self, target: Target, outcome: str, *, ms: int | None = None, their_id: str | None = None) -> None:
        """A target's turn has ended without an answer.

        Args:
            target: the target.
            outcome: the provider's status, or our word for what happened.
            ms: milliseconds since its request left; None where it got none.
            their_id: the provider's own id for the request.
        """
        self.attempts.append(TryRecord(target.provider, target.model, outcome, target.account, ms, None, their_id))

    def stream_ended(self, sent: float, usage: Usage | None) -> None:
        """The stream of the target that answered last is over.

        Args:
            sent: monotonic seconds when its request left.
            usage: its tokens; None where the provider has reported none.
        """
        ms = round((self._clock.monotonic() - sent) * 1000)
        for place in range(len(self.attempts) - 1, -1, -1):
            if self.attempts[place].outcome == ANSWERED:
                self.attempts[place] = replace(self.attempts[place], ms=ms, usage=usage)
                return

    def age(self) -> float:
        """Seconds since it arrived."""
        return self._clock.monotonic() - self.started

    def remaining(self) -> float:
        """Seconds until its deadline."""
        return self.deadline - self._clock.monotonic()

    def add_branch(self, branch: Cancellable) -> None:
        """A branch works for the call. Cancels it at once if the call was ended meanwhile."""
        with self._lock:
            self._branches.append(branch)
            ended = self._ended is not None
        if ended:
            branch.cancel()

    def finish(self) -> None:
        """The call is over: drop its branches and its stream, so that their resources are freed immediately and nothing
        that holds the call is held by it, and call `release`. Idempotent."""
        with self._lock:
            self._branches.clear()
            self.stream = None
            release, self._release = self._release, no_op
        self.share.close()
        release()

    def end(self, why: GatewayError) -> None:
        """End the call from another thread: what it waits for is cancelled, and `check` raises `why`."""
        with self._lock:
            if self._ended is None:
                self._ended = why
            branches = list(self._branches)
        for branch in branches:
            branch.cancel()

    @property
    def has_tries(self) -> bool:
        """Whether a provider may be asked once more for it."""
        return self._tries < MAX_TRIES

    def take_try(self) -> bool:
        """Count one more request to a provider. False if the call has used all of them (MAX_TRIES)."""
        with self._lock:
            if self._tries >= MAX_TRIES:
                return False
            self._tries += 1
            self._being_asked += 1
            return True

    def end_try(self) -> None:
        """A request that `take_try` counted has ended, with an answer or without."""
        with self._lock:
            self._being_asked -= 1

    @contextmanager
    def queueing(self) -> Iterator[None]:
        """One of its branches waits for a rate limit inside this context."""
        with self._lock:
            self._queueing += 1
        try:
            yield
        finally:
            with self._lock:
                self._queueing -= 1

    @property
    def in_queue(self) -> bool:
        """Whether it only waits for a rate limit: no target is being asked for it, and no content has come."""
        return bool(self._queueing) and not self._being_asked and self.first_content is None

    def reason_to_stop(self) -> GatewayError | None:
        """Why the answer is not wanted any more (CallerLeft, Draining, DeadlineExceeded); None if it is."""
        if self._ended is not None:
            return self._ended
        if self.caller.left:
            return CallerLeft("The caller closed its side of the connection.")
        if self._clock.monotonic() >= self.deadline:
            return DeadlineExceeded("No answer within gateway.requestTimeoutSeconds.")
        return None

    def check(self) -> None:
        """Raise the reason to stop, if there is one."""
        if (reason := self.reason_to_stop()) is not None:
            raise reason

    @property
    def ended(self) -> GatewayError | None:
        """Why another thread ended it; None if none did."""
        return self._ended
