"""What outlives a configuration, and the one pointer to the configuration that is served.

Health, windows of limits, running calls, secrets to mask and a login's store know what has happened, and a new
configuration must not make them forget it. Everything else belongs to one configuration (an `Assembly`) and ends with
it: when it was replaced and its last call is over. Threads start when they are first needed, so that a command that
only explains starts none. It knows no server and no provider.
"""

import threading
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from random import random
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from gateway.auth.logins import Logins
from gateway.auth.tokens.token_store import TokenStore
from gateway.auth.unsaved_tokens import UnsavedTokens
from gateway.clients.admission import ClientUse
from gateway.clients.engines import Engines, local_engines
from gateway.config.loader import Loaded, resolve
from gateway.core.client_key import new_page_token
from gateway.core.clock import Clock, SystemClock
from gateway.core.response_store import ResponseStore
from gateway.core.secrets import Secret
from gateway.demo import DemoProvider
from gateway.dispatch.watchdog import CallWatchdog
from gateway.knowledge import ALONE, Knowledge
from gateway.limits.rate_limiters import RateLimiters
from gateway.observe.ledger import Ledger
from gateway.observe.ledger_store import LedgerStore
from gateway.observe.logs import CallLog
from gateway.observe.masking import Masker
from gateway.observe.metrics.sums import Sums
from gateway.observe.observers import Observers
from gateway.observe.price_table import PriceTable
from gateway.observe.quota import Head, Quotas
from gateway.observe.recent import RecentCalls
from gateway.routing.health import Health
from gateway.routing.lessons import Lessons
from gateway.routing.retry_budget import RetryBudgets
from gateway.routing.router import Target
from gateway.streaming.relay import Relay
from gateway.upstream.session import SharedTransports
from gateway.wires.reasoning_memory import ReasoningMemory
from gateway.workers.siblings import NoSiblings, Siblings

if TYPE_CHECKING:
    from gateway.sharing.follower import SharingView
    from gateway.sharing.shared_server import SharedServer


class DrainState:
    """Whether the gateway drains (set once, by the thread that stops it), and whether workers of it keep dying (set by
    the hub's thread)."""

    def __init__(self) -> None:
        self.draining = False
        self.degraded = False


class Closable(Protocol):
    """What belongs to one configuration."""

    def close(self) -> None:
        """Close every connection of it. Idempotent."""


Served = TypeVar("Served", bound=Closable)


class Current(Generic[Served]):
    """The pointer to what is served, and how many calls use each that was.

    A request reads the pointer once, by `enter`, and calls `leave` with what it got when its call is over.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._served: Served | None = None
        self._uses: dict[int, int] = {}
        self._retired: dict[int, Served] = {}

    def swap(self, served: Served | None) -> None:
        """Serve this from now on. The one before is closed when its last call is over."""
        with self._lock:
            before, self._served = self._served, served
            if before is None or before is served:
                return
            if id(before) in self._uses:
                self._retired[id(before)] = before
                return
        before.close()

    def enter(self) -> Served:
        """What is served now; it stays open until `leave`. Raises RuntimeError: nothing is."""
        with self._lock:
            served = self._served
            if served is None:
                raise RuntimeError("nothing is served")
            self._uses[id(served)] = self._uses.get(id(served), 0) + 1
            return served

    def leave(self, served: Closable) -> None:
        """A call that has entered is over."""
        key = id(served)
        with self._lock:
            uses = self._uses[key] - 1
            if uses:
                self._uses[key] = uses
                return
            del self._uses[key]
            retired = self._retired.pop(key, None)
        if retired is not None:
            retired.close()

    @property
    def retired(self) -> int:
        """Those that were replaced and still have calls."""
        return len(self._retired)


class Runtime:
    """What lives as long as the process.

    Attributes:
        clock: the time.
        environ: the process's environment, for keys.
        masker: takes secrets out of texts.
        drain_state: whether the gateway drains.
        health: what is known of targets.
        limiters: the windows of limits.
        clients: what clients have used of their limits and budgets.
        lessons: what targets have taught.
        observers: get a record of each call.
        ledger: one of them, which keeps the records.
        sums: of the records, for /metrics.
        recent: the latest records, for the page.
        quotas: what providers say about their own limits.
        retry_budgets: of providers.
        transports: connections to providers.
        memory: signatures of calls, for clients that drop them.
        responses: answers of the Responses API, for requests that build on them.
        session_key: see gateway.handler.session_key.
        demo_key: with which the embedded provider is called.
        page_token: stands for a key, for the person who runs the gateway (gateway.server.page_token).
        siblings: the other workers of the gateway.
        sharing: the server that it shares with other gateways; None where it does not.

    Args:
        environ: as above.
        threads: of the server: so many targets are asked beside slow ones at once, at most.
        clock: the time; the system's by default.
        relayed: whether streams that have begun leave their threads.
        store: where calls are kept; None for nowhere.
        siblings: as above; None where one process serves alone.
        page_token: as above; by default a new one.
        knowledge: what this process knows together with others; it is closed with the rest.
        engines: makes what keeps the use of limits and budgets; by default in this process.
        sharing: as above.
    """

    def __init__(  # noqa: PLR0913 - what a process is given, by name
        self,
        environ: Mapping[str, str],
        *,
        threads: int,
        clock: Clock | None = None,
        relayed: bool = True,
        store: LedgerStore | None = None,
        siblings: Siblings | None = None,
        page_token: Secret | None = None,
        knowledge: Knowledge = ALONE,
        engines: Callable[[Clock], Engines] = local_engines,
        sharing: "SharedServer | None" = None,
    ) -> None:
        self.clock: Clock = clock or SystemClock()
        self.environ = environ
        self.masker = Masker()
        self.drain_state = DrainState()
        self.health = Health(self.clock, random, knowledge.rests)
        kept = engines(self.clock)
        self.limiters = RateLimiters((), kept.providers)
        self.clients = ClientUse(self.clock, kept)
        self.lessons = Lessons(self.clock)
        self.retry_budgets = RetryBudgets()
        self.transports = SharedTransports()
        self.sums = Sums()
        self.ledger = Ledger(SystemClock(), self.masker.mask, store)  # a disk's time is the real one
        self.recent = RecentCalls(self.clock.wall, knowledge.numbers)
        self.quotas = Quotas()
        for sink in (self.sums, self.recent, self.quotas):
            self.ledger.add_sink(sink)
        self.observers = Observers([CallLog(), self.ledger])
        self.memory = ReasoningMemory(log=knowledge.calls)
        self.price_table = PriceTable()
        self.demo_key = Secret(token_urlsafe(32))
        self.page_token = page_token or new_page_token()
        self.siblings: Siblings = siblings or NoSiblings()
        self.sharing = sharing
        if store is not None:
            store.prunes = store.path is None or self.siblings.number == 0
        self.session_key = knowledge.session_key
        self.responses = _responses(self.clock, self.siblings)
        self._threads = threads
        self._relayed = relayed
        self._stores: dict[Path, TokenStore] = {}
        self._closing: list[Callable[[], None]] = [kept.close, knowledge.close, self.ledger.close]

    @cached_property
    def watchdog(self) -> CallWatchdog:
        """Looks at the running calls, on a thread of its own."""
        watchdog = CallWatchdog(self.clock, self._threads)
        self._closing.append(watchdog.close)
        return watchdog

    @cached_property
    def relay(self) -> Relay | None:
        """Takes streams that have begun from their threads; None where each keeps its thread."""
        if not self._relayed:
            return None
        relay = Relay(self.clock)
        self._closing.append(relay.close)
        return relay

    @cached_property
    def demo(self) -> DemoProvider:
        """The embedded provider, on a loopback port."""
        demo = DemoProvider(key=self.demo_key.reveal())
        demo.start()
        self._closing.append(demo.close)
        return demo

    @cached_property
    def logins(self) -> Logins:
        """Logins by code, each on a thread of its own."""
        prefix = f"{self.siblings.number}." if self.siblings.count > 1 else ""
        real = SystemClock()  # a person's time is
        logins = Logins(self.environ, real, self.masker.add, self.masker.mask, prefix)
        self._closing.append(logins.close)
        return logins

    @cached_property
    def unsaved_tokens(self) -> UnsavedTokens:
        """Renewed tokens that could not be written yet."""
        unsaved = UnsavedTokens(SystemClock())  # a disk's time is the real one
        self._closing.append(unsaved.close)
        return unsaved

    def shared(self) -> "SharingView | None":
        """What is shared with other gateways through a server now; None where nothing is."""
        return self.sharing.view() if self.sharing is not None else None

    def heard(self, target: Target, status: int, headers: Mapping[str, str]) -> None:
        """An answer has begun: what it says about limits is learned later. Never blocks."""
        head = Head(target.provider, target.model, status, headers, self.clock.wall(), target.account)
        self.quotas.learn(head)

    def token_store(self, path: Path) -> TokenStore:
        """The store in that file, the same for every configuration that names it."""
        return self._stores.setdefault(path, TokenStore(path, self.clock))

    def close(self) -> None:
        """End every thread and socket. Idempotent."""
        while self._closing:
            self._closing.pop()()


def _responses(clock: Clock, siblings: Siblings) -> ResponseStore:
    if siblings.count == 1:
        return ResponseStore(clock.monotonic)
    from gateway.workers.shared_responses import SharedResponses  # noqa: PLC0415 - several workers only

    return SharedResponses(clock.monotonic, siblings)


def ledger_store(loaded: Loaded, clock: Clock | None = None) -> LedgerStore | None:
    """Where the calls of a gateway are kept: a file beside its configuration, or memory where there is none; None where
    it keeps nothing.

    Args:
        loaded: the configuration that it starts with.
        clock: the time of calls; the system's by default.
    """
    settings = loaded.config.ledger
    if not settings.enabled:
        return None
    path = resolve(settings.path, loaded.path.parent) if loaded.path else None
    disk = SystemClock()
    return LedgerStore(path, disk, (clock or disk).wall)
