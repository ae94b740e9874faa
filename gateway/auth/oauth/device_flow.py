"""The device flow: a person confirms a code in any browser on any device, while the gateway polls the server.

`Polling` is the state machine: values in, values out, no clock and no socket. It decides when to poll next and what a
response means. `run_device_flow` is the loop that drives it. The caller shows the code to the person.

Source: RFC 8628 sections 3.3 to 3.5. A provider's deviation is named where the code handles it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from gateway.auth.oauth.errors import OAuthError, OAuthRefused, OAuthUnreachable
from gateway.auth.oauth.interruptible_wait import Stop
from gateway.auth.oauth.responses import DeviceGrant
from gateway.auth.oauth.token_reply import TokenReply
from gateway.core.clock import Clock
from gateway.core.secrets import Secret

DEFAULT_INTERVAL: Final = 5.0
"""Seconds between two polls where the server sends no usable interval (RFC 8628 section 3.2)."""
SHORTEST_INTERVAL: Final = 1.0
SLOW_DOWN: Final = 5.0
"""Seconds that each `slow_down` adds, for this and all later polls (RFC 8628 section 3.5)."""
LONGEST_BACKOFF: Final = 60.0
"""Seconds between two polls of a server that cannot be reached."""

_DENIED: Final = frozenset({"access_denied", "authorization_declined"})  # the second is Entra's
_EXPIRED: Final = frozenset({"expired_token", "bad_verification_code"})  # the second is Entra's, for an expired code
_LATER: Final = frozenset({"server_error", "temporarily_unavailable"})  # RFC 6749 section 4.1.2.1, seen here too


class CodeExpired(OAuthError):
    """The code expired before it was confirmed. Another login may begin at once."""


class Cancelled(Exception):
    """Somebody ended the login from outside."""


class Denied(OAuthError):
    """The person, or the server on their behalf, denied the login."""


@dataclass(frozen=True, slots=True)
class Polling:
    """The state of a device login. All times are monotonic seconds.

    Attributes:
        interval: seconds between two polls as the server requires.
        deadline: when the code expires, by our own clock.
        next_at: the time of the next poll.
        failures: the number of polls in a row that failed.
    """

    interval: float
    deadline: float
    next_at: float
    failures: int = 0

    @classmethod
    def begin(cls, grant: DeviceGrant, now: float) -> "Polling":
        """The state after the server has sent a code. The first wait is before the first poll."""
        interval = max(grant.interval if grant.interval > 0 else DEFAULT_INTERVAL, SHORTEST_INTERVAL)
        return cls(interval, now + grant.expires_in, now + interval)

    @property
    def wake_at(self) -> float:
        """The time of the next step: a poll, or the code's expiry."""
        return min(self.next_at, self.deadline)

    def expired(self, now: float) -> bool:
        """Whether the code has expired."""
        return now >= self.deadline

    def after(self, answer: OAuthError, now: float) -> "Polling":
        """The state after a poll that gave no token, where the login goes on.

        Raises:
            Denied: the login was denied.
            CodeExpired: the code has expired.
            OAuthRefused: no later poll can succeed: the settings do not fit the server.
        """
        if isinstance(answer, OAuthRefused) and answer.code not in _LATER:
            return self._asked_again(self._interval_after(answer, now), now)
        return self._backed_off(now)

    def _asked_again(self, interval: float, now: float) -> "Polling":
        return replace(self, interval=interval, next_at=now + interval, failures=0)

    def _interval_after(self, answer: OAuthRefused, now: float) -> float:
        if answer.code == "authorization_pending":
            return self.interval
        if answer.code == "slow_down":  # GitHub sends the new interval; less than 5 s more is never right
            return max(self.interval + SLOW_DOWN, answer.interval or 0.0)
        if answer.code in _DENIED:
            raise Denied(str(answer)) from answer
        if answer.code in _EXPIRED or (answer.code == "invalid_grant" and self.expired(now)):
            raise CodeExpired(str(answer)) from answer
        raise answer

    def _backed_off(self, now: float) -> "Polling":
        """The state after a failed poll. The pause doubles with each failure (RFC 8628 section 3.5), so that one bad
        minute of a server does not end a login."""
        failures = self.failures + 1
        pause = min(self.interval * 2 ** min(failures, 10), LONGEST_BACKOFF)
        return replace(self, next_at=now + max(pause, self.interval), failures=failures)


class DeviceClient(Protocol):
    """The part of the OAuth client that this flow needs."""

    def start_device(self) -> DeviceGrant: ...

    def poll_device(self, device_code: Secret) -> TokenReply: ...


def run_device_flow(
    client: DeviceClient,
    clock: Clock,
    show: Callable[[DeviceGrant], None],
    retrying: Callable[[OAuthError, float], None],
    stop: Stop | None = None,
) -> TokenReply:
    """Log in. Returns when the person has confirmed the code.

    Args:
        client: the server.
        clock: the time.
        show: called with the code before the wait begins, to show it to the person.
        retrying: called with a failed poll's error and the seconds until the next poll.
        stop: ends the login from another thread, between two requests.

    Raises:
        Cancelled: `stop` was set.
        Denied: the person or the server denied the login.
        CodeExpired: the code expired before it was confirmed.
        OAuthRefused: the server does not offer this flow to this client.
        OAuthUnreachable: the server sent no code. Later failures of the server are retried.
    """
    stop = stop or Stop()
    grant = client.start_device()
    polling = Polling.begin(grant, clock.monotonic())
    show(grant)
    while True:
        if stop.wait(clock, polling.wake_at):
            raise Cancelled
        if polling.expired(clock.monotonic()):
            raise CodeExpired("the code was not confirmed in time")
        try:
            return client.poll_device(grant.device_code)
        except (OAuthRefused, OAuthUnreachable) as answer:
            now = clock.monotonic()
            polling = polling.after(answer, now)
            if polling.failures:
                retrying(answer, polling.next_at - now)
