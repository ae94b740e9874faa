"""The device flow: a person confirms a code in any browser, on any device, while we ask whether that has happened.

`Polling` is the machine: values in, values out, no clock and no socket. It says when to ask next and what an answer
means. `run_device_flow` is the loop that drives it. Who shows the code to the person is the caller's affair.

Source: RFC 8628 sections 3.3 to 3.5; what providers do beside it is said where it is handled.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from gateway.auth.oauth.client import DeviceGrant
from gateway.auth.oauth.interruptible_wait import wait_until
from gateway.auth.oauth.settings import OAuthError, OAuthRefused, OAuthUnreachable, TokenReply
from gateway.core.clock import Clock
from gateway.core.secrets import Secret

DEFAULT_INTERVAL: Final = 5.0
"""Seconds between two questions where the server says nothing usable (RFC 8628 section 3.2)."""
SHORTEST_INTERVAL: Final = 1.0
SLOW_DOWN: Final = 5.0
"""Seconds that each `slow_down` adds, for this and all later questions (RFC 8628 section 3.5)."""
LONGEST_BACKOFF: Final = 60.0
"""Seconds between two questions to a server that cannot be reached."""

_DENIED: Final = frozenset({"access_denied", "authorization_declined"})  # the second is Entra's
_EXPIRED: Final = frozenset({"expired_token", "bad_verification_code"})  # the second is Entra's, for a dead code
_LATER: Final = frozenset({"server_error", "temporarily_unavailable"})  # RFC 6749 section 4.1.2.1, seen here too


class CodeExpired(OAuthError):
    """Nobody confirmed the code while it was good. Another login may begin at once."""


class Denied(OAuthError):
    """The person, or the server on their behalf, said no."""


@dataclass(frozen=True, slots=True)
class Polling:
    """Where a device login stands. All times are monotonic seconds.

    Attributes:
        interval: seconds between two questions as the server wants it.
        deadline: when the code is dead, by our own clock.
        next_at: when to ask next.
        failures: how many questions in a row had no answer.
    """

    interval: float
    deadline: float
    next_at: float
    failures: int = 0

    @classmethod
    def begin(cls, grant: DeviceGrant, now: float) -> "Polling":
        """The state after the server has given a code. The first wait is before the first question."""
        told = grant.interval if grant.interval > 0 else DEFAULT_INTERVAL
        interval = max(told, SHORTEST_INTERVAL)
        return cls(interval, now + grant.expires_in, now + interval)

    @property
    def wake_at(self) -> float:
        """When there is something to do: to ask, or to give up."""
        return min(self.next_at, self.deadline)

    def expired(self, now: float) -> bool:
        """Whether the code is dead."""
        return now >= self.deadline

    def after(self, answer: OAuthError, now: float) -> "Polling":
        """The state after an answer that was no token, for a login that goes on.

        Raises:
            Denied: it was refused.
            CodeExpired: the code is dead.
            OAuthRefused: the server will never say yes: the configuration does not fit it.
        """
        if isinstance(answer, OAuthRefused) and answer.code not in _LATER:
            return self._asked_again(self._interval_after(answer, now), now)
        return self._backed_off(now)

    def _asked_again(self, interval: float, now: float) -> "Polling":
        return replace(self, interval=interval, next_at=now + interval, failures=0)

    def _interval_after(self, answer: OAuthRefused, now: float) -> float:
        if answer.code == "authorization_pending":
            return self.interval
        if answer.code == "slow_down":  # GitHub tells the new interval; to go by less than 5 s more is never right
            return max(self.interval + SLOW_DOWN, answer.interval or 0.0)
        if answer.code in _DENIED:
            raise Denied(str(answer)) from answer
        if answer.code in _EXPIRED or (answer.code == "invalid_grant" and self.expired(now)):
            raise CodeExpired(str(answer)) from answer
        raise answer

    def _backed_off(self, now: float) -> "Polling":
        """Doubled with each failure (RFC 8628 section 3.5); one bad minute of a server does not end a login."""
        failures = self.failures + 1
        pause = min(self.interval * 2 ** min(failures, 10), LONGEST_BACKOFF)
        return replace(self, next_at=now + max(pause, self.interval), failures=failures)


class DeviceClient(Protocol):
    """What of the OAuth client this flow needs."""

    def start_device(self) -> DeviceGrant: ...

    def poll_device(self, device_code: Secret) -> TokenReply: ...


def run_device_flow(
    client: DeviceClient,
    clock: Clock,
    show: Callable[[DeviceGrant], None],
    trouble: Callable[[OAuthError, float], None],
) -> TokenReply:
    """Log in; returns when the person has confirmed.

    Args:
        client: the server.
        clock: the time.
        show: is given the code, for the person, before the wait begins.
        trouble: is told of a question without an answer, and in how many seconds the next one follows.

    Raises:
        Denied, CodeExpired: as the names say.
        OAuthRefused: the server does not do this for this client.
        OAuthUnreachable: it gave no code; once there is one, its failures are waited out.
    """
    grant = client.start_device()
    polling = Polling.begin(grant, clock.monotonic())
    show(grant)
    while True:
        _pause(clock, polling.wake_at)
        if polling.expired(clock.monotonic()):
            raise CodeExpired("the code was not confirmed in time")
        try:
            return client.poll_device(grant.device_code)
        except (OAuthRefused, OAuthUnreachable) as answer:
            now = clock.monotonic()
            polling = polling.after(answer, now)
            if polling.failures:
                trouble(answer, polling.next_at - now)


def _pause(clock: Clock, until: float) -> None:
    with (condition := threading.Condition()):
        wait_until(clock, condition, until, lambda: False)
