"""The one server that several gateways share: asking it, telling it, and what happens while it is away.

What has to know an answer asks, in one round trip; what only reports is told, and leaves with the next question or
within 50 ms. A failure decides for everyone at once that the server is away (gateway.sharing.circuit): those who wait
for an answer stop waiting, nobody asks, and one thread, the keeper, tries again. The keeper also says every 5 s that
this gateway is there, and sends what its followers have to keep alive.

Who touches what: circuit and outbox belong to whoever holds the lock; sockets are used outside it. Followers are told
of a change outside it, and look at `is_up` and `generation` themselves.
"""

import logging
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from secrets import token_hex
from typing import Any, Final

from gateway.core.clock import Clock
from gateway.core.durations import in_words
from gateway.sharing.circuit import Circuit
from gateway.sharing.follower import Follower, SharingView
from gateway.sharing.members import BEAT, GONE, Members
from gateway.sharing.redis_link import RedisAway, RedisLink
from gateway.sharing.script import Command, plain

TOLD_WITHIN: Final = 0.05
MOST_TOLD: Final = 20_000
"""Reports that wait to leave; a server that takes no more of them is away."""
RENEW: Final = 20.0
GUARD: Final = 60.0
"""Seconds after a return for which the number of gateways does not fall, and both rules hold."""

logger = logging.getLogger(__name__)


class SharedServer:
    """The server. Safe to use from many threads.

    Attributes:
        gateway: the key under which this process writes.
        group: whose gateways share.
        refuses: calls with a limit are refused while it is away; else each gateway holds to its share.
        is_up: it is asked.
        generation: counts its returns.
        members: the gateways of the group.

    Args:
        link: the connections.
        group: as above.
        shown: the address for people.
        refuses: as above.
        name: this gateway's name for people.
        clock: the time.
    """

    def __init__(  # noqa: PLR0913 - what it is given, by name
        self, link: RedisLink, *, group: str, shown: str, refuses: bool, name: str, clock: Clock
    ) -> None:
        self.gateway = token_hex(5)
        self.group = group
        self.refuses = refuses
        self.members = Members(group, self.gateway, f"{name}/{self.gateway}")
        self._link = link
        self._shown = shown
        self._clock = clock
        self._wakeup = threading.Condition()
        self._circuit = Circuit(clock.monotonic())
        self.is_up = True
        self.generation = 1
        self._why = ""
        self._told: deque[Command] = deque()
        self._followers: tuple[Follower, ...] = ()
        self._returned: float | None = None
        self._closed = False
        self._gathers = False  # a report has woken the keeper, and no other needs to
        self._thread: threading.Thread | None = None
        # a write, as a server that is full, read-only or loading answers everything else
        self._trial = plain("SET", f"gw:{{{group}}}:trial", self.gateway, "EX", 60)
        self._next_beat = self._next_renewal = self._heard = clock.monotonic()

    def follow(self, follower: Follower) -> None:
        """Tell someone of changes from now on."""
        self._followers = (*self._followers, follower)

    def start(self) -> None:
        """Start the keeper."""
        self._thread = threading.Thread(target=self._keep, name="sharing", daemon=True)
        self._thread.start()

    def ask(self, *commands: Command) -> list[Any]:
        """Ask, in one round trip, which takes along what was told before.

        Raises:
            RedisAway: there is no answer, and what was asked may have been done or not.
        """
        generation = self.generation
        if not self.is_up:
            raise RedisAway(self._why)
        told = self._take_told()
        if not told and not commands:
            return []
        try:
            return self._link.ask([*told, *commands])[len(told) :]
        except RedisAway as failure:
            self.fail(generation, str(failure))
            raise

    def tell(self, command: Command) -> None:
        """Send something whose answer nobody needs. While the server is away it is dropped."""
        if not self.is_up:
            return
        with self._wakeup:
            self._told.append(command)
            count = len(self._told)
            if not self._gathers:
                self._gathers = True
                self._wakeup.notify()
        if count > MOST_TOLD:
            self.fail(self.generation, "it takes no more reports")

    def fail(self, generation: int, why: str) -> None:
        """What was asked in a generation has failed: the server is away."""
        with self._wakeup:
            now = self._clock.monotonic()
            if not self._circuit.failed(now, generation):
                return
            self.is_up, self._why = False, why
            self._told.clear()
            self.members.away()
            self._wakeup.notify()
        self._link.abandon()
        logger.warning("%s", self.view().in_words())
        for each in self._followers:
            each.away()

    def guards(self, window: float) -> bool:
        """Whether a gateway holds to its own share too, because the server has come back within the last window and
        others may write later what they have granted. A window longer than a minute ends with the return of the last.

        Args:
            window: seconds.
        """
        if self._returned is None:
            return False
        passed = self._clock.monotonic() - self._returned
        return passed < GUARD or (passed < window and not self.members.all_are_back)

    def forgotten(self, generation: int) -> None:
        """The server does not know what this gateway wrote in a generation: another begins, as after a return."""
        with self._wakeup:
            if generation != self.generation or not self.is_up:
                return
            self.members.away()
            self._begin(self._clock.monotonic())
        logger.warning("Redis at %s was emptied: this gateway writes again what is its own.", self._shown)
        for each in self._followers:
            each.back()

    def view(self) -> SharingView:
        """The sharing now."""
        with self._wakeup:
            return SharingView(
                self.group,
                self._shown,
                self._circuit.state,
                self._clock.monotonic() - self._circuit.since,
                self.members.count,
                "refuse" if self.refuses else "share",
                "" if self.is_up else self._why,
            )

    def close(self) -> None:
        """Say goodbye and end. Idempotent."""
        with self._wakeup:
            if self._closed:
                return
            self._closed = True
            self._wakeup.notify()
        if self._thread is not None:
            self._thread.join()
        if self.is_up:
            with suppress(RedisAway):  # it forgets this gateway by itself
                self._link.ask([*self._take_told(), self.members.goodbye()])
        self.is_up = False
        self._link.close()

    def _take_told(self) -> Sequence[Command]:
        if not self._told:
            return ()
        with self._wakeup:
            told, self._told = self._told, deque()
        return tuple(told)

    def _keep(self) -> None:
        while True:
            with self._wakeup:
                if self._closed:
                    return
                self._clock.wait(self._wakeup, self._pause())
                if self._closed:
                    return
                gathers = self._gathers
            if gathers:
                self._let_gather()
            self.look()

    def _pause(self) -> float:
        """Seconds until something is due. Under the lock."""
        if self._gathers:
            return 0.0
        due = min(self._next_beat, self._next_renewal) if self.is_up else self._circuit.next_try
        return max(0.0, due - self._clock.monotonic())

    def _let_gather(self) -> None:
        """Leave time for more reports, or for a question that takes them along."""
        with self._wakeup:
            end = self._clock.monotonic() + TOLD_WITHIN
            while not self._closed and (rest := end - self._clock.monotonic()) > 0:
                self._clock.wait(self._wakeup, rest)
            self._gathers = False

    def look(self) -> None:
        """Do what is due; the keeper's step."""
        now = self._clock.monotonic()
        if not self.is_up:
            if now >= self._circuit.next_try:
                self._try()
            return
        try:
            if now >= self._next_renewal:
                self._next_renewal = now + RENEW
                self.ask(*[command for each in self._followers for command in each.renewals()])
            if now >= self._next_beat:
                self._next_beat = now + BEAT
                self._hear(self.ask(self.members.beat())[0])
            elif self._told:
                self.ask()
        except RedisAway:
            pass  # said and handled where it happened

    def _hear(self, answer: Sequence[Any]) -> None:
        generation, now = self.generation, self._clock.monotonic()
        was_seen_lately, self._heard = now - self._heard < GONE, now
        if self.members.hear(answer, keeps=self.guards(GUARD)) and was_seen_lately:
            self.forgotten(generation)
        for each in self._followers:
            each.beat()

    def _try(self) -> None:
        try:
            self._link.ask([self._trial])
        except RedisAway as failure:
            with self._wakeup:
                self._why = str(failure)
                self._circuit.tried(self._clock.monotonic())
            return
        with self._wakeup:
            now = self._clock.monotonic()
            away = now - self._circuit.since
            self._begin(now)
        logger.warning("%s", f"Redis at {self._shown} answers again, after {in_words(away)}.")
        for each in self._followers:
            each.back()
        self.look()

    def _begin(self, now: float) -> None:
        """Begin a generation. Under the lock."""
        self._circuit.answered(now)
        self._returned = self._next_beat = self._next_renewal = now
        self.generation = self._circuit.generation
        self.is_up = True
