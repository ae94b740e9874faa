"""What an attempt needs before its request may leave: a health ticket, a credential and a permit of the rate limit.

They are taken in this order: a target that cools down costs nothing, and a call without a credential takes no slot.
What was taken is given back where the next one is missing. The module does not know how a target is asked.
"""

from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

from msgspec import Struct

from gateway.auth.auth_manager import AuthManager
from gateway.auth.credential import Credential
from gateway.core.answer import Usage
from gateway.core.errors import CallerLeft, GatewayError, Limited, LoginRequired
from gateway.core.provider_failures import CredentialRefused, ProviderFailure, RateLimited, UnsupportedByTarget
from gateway.core.rendered import Adjustments
from gateway.dispatch.branch import Branch
from gateway.limits.permit import UNLIMITED, Permit
from gateway.limits.rate_limiter import ONE_REQUEST, RateLimiter
from gateway.limits.rate_limiters import RateLimiters
from gateway.limits.slots import Need
from gateway.limits.token_reserves import RequestSize
from gateway.routing.health import Health, HealthTicket
from gateway.routing.lessons import NOTHING
from gateway.routing.router import Target

Learn: TypeAlias = Callable[[Usage], None]
FURTHER: Final = Need(requests=1, tokens=0, places=0)
"""What a further request of an attempt takes."""


class CoolingDown(Exception):
    """The target cools down, or another call probes it."""


def _no_size() -> RequestSize:
    return RequestSize(0, None)


def _no_other(_: Target) -> None:
    return None


class Candidate(Struct, frozen=True):
    """A target that is to be asked.

    Attributes:
        target: the target.
        wait: whether to queue where its rate limit has no room now.
        forced: ask it although it cools down, because no other target is left that does not.
        size: the tokens of what it is asked for; called where a limit counts tokens.
        other_account: takes another ready account of the same target out of the call's order, for a second try; None
            where there is none.
    """

    target: Target
    wait: bool = False
    forced: bool = False
    size: Callable[[], RequestSize] = _no_size
    other_account: "Callable[[Target], Candidate | None]" = _no_other


class Admitted(Struct, frozen=True):
    """What one request to a target holds, and what is left out of it. Its holder closes it."""

    ticket: HealthTicket
    credential: Credential
    permit: Permit
    adjustments: Adjustments = NOTHING

    def close(self) -> None:
        """Give everything back; a verdict that the ticket has already stands. Idempotent."""
        self.ticket.close()
        self.permit.close()


class Admission:
    """Admits requests to targets.

    Args:
        health: gives the tickets.
        auth: gives the credentials.
        limiters: give the permits.
    """

    def __init__(self, health: Health, auth: AuthManager, limiters: RateLimiters) -> None:
        self._health = health
        self._auth = auth
        self._limiters = limiters

    def expected_wait(self, target: Target) -> float:
        """Seconds until the target's rate limit has room."""
        limiter = self._limiter(target)
        return limiter.expected_wait() if limiter else 0.0

    def admit(self, candidate: Candidate, branch: Branch) -> Admitted:
        """Take what the first request to a candidate needs.

        Raises:
            CoolingDown: the target is not to be asked now.
            LoginRequired: there is no valid token.
            Limited: the rate limit has no room, or not in time.
            BranchLost, CallerLeft, Draining, DeadlineExceeded: the answer is not wanted any more.
        """
        ticket = self._health.enter(candidate.target, forced=candidate.forced)
        if ticket is None:
            raise CoolingDown(f"{candidate.target} cools down.")
        permit = UNLIMITED
        try:
            credential = self._credential(candidate, branch)  # before the queue: a call without one takes no slot
            permit = self._permit(candidate, branch)
            if permit.waited > 0:
                credential = self._credential(candidate, branch)  # a token may have expired in the queue
            branch.check()
        except BaseException:
            ticket.close()
            permit.close()
            raise
        return Admitted(ticket, credential, permit)

    def admit_again(
        self, failure: ProviderFailure, candidate: Candidate, branch: Branch, credential: Credential
    ) -> Admitted:
        """Take what the second request needs. It counts as a request of its own, so the rate limit must have room.

        Args:
            failure: of the first request.
            candidate: as before.
            branch: as before.
            credential: of the first request.

        Raises:
            ProviderFailure: `failure`, because something is missing.
            BranchLost, CallerLeft, Draining, DeadlineExceeded: the answer is not wanted any more.
        """
        target = candidate.target
        if isinstance(failure, CredentialRefused):
            better = self._auth.renewed(target.login, credential)
            if better is None:
                raise failure
            branch.check()  # a renewal may have taken its time
            credential = better
        forced = candidate.forced or isinstance(failure, RateLimited)  # its own 429 started the cooldown
        ticket = self._health.enter(target, forced=forced)
        if ticket is None:
            raise failure
        limiter = self._limiter(target)
        permit = limiter.try_acquire(*self._need(limiter, candidate)) if limiter else UNLIMITED
        if permit is None:
            ticket.close()
            raise failure
        return Admitted(ticket, credential, permit)

    def admit_other(self, failure: ProviderFailure, other: Candidate, branch: Branch) -> Admitted:
        """Take what a second request needs that goes by another account.

        Raises:
            ProviderFailure: `failure`, of the first, because something is missing.
            BranchLost, CallerLeft, Draining, DeadlineExceeded: the answer is not wanted any more.
        """
        try:
            return self.admit(other, branch)
        except (CoolingDown, LoginRequired, Limited):
            raise failure from None

    def further_permit(self, target: Target, branch: Branch) -> Permit:
        """A permit for one more request of an attempt that is under way, whose first permit has taken the tokens of all
        and a place among the requests under way. Its holder closes it.

        Raises:
            Limited: the rate limit has no room in time.
            BranchLost, CallerLeft, Draining, DeadlineExceeded: the answer is not wanted any more.
        """
        limiter = self._limiter(target)
        if limiter is None:
            return UNLIMITED
        permit = self._in_line(limiter, FURTHER, None, branch)
        if branch.is_over():
            permit.close()
            branch.check()
        return permit

    def _limiter(self, target: Target) -> RateLimiter | None:
        return self._limiters.of(target.provider, target.model, target.account)

    def _credential(self, candidate: Candidate, branch: Branch) -> Credential:
        try:
            return self._auth.credential(candidate.target.login)
        except LoginRequired as failure:
            branch.call.tried(candidate.target, label(failure))
            raise

    def _permit(self, candidate: Candidate, branch: Branch) -> Permit:
        target = candidate.target
        limiter = self._limiter(target)
        if limiter is None:
            return UNLIMITED
        need, learn = self._need(limiter, candidate)
        if not candidate.wait:
            return limiter.admit(need, learn, oversized=True)
        return self._in_line(limiter, need, learn, branch)

    def _in_line(self, limiter: RateLimiter, need: Need, learn: Learn | None, branch: Branch) -> Permit:
        call = branch.call
        try:
            with call.queueing():
                permit = limiter.acquire(need, learn, deadline=call.deadline, left=branch.is_over)
        except CallerLeft:
            branch.check()  # `is_over` has other reasons, too: raises the true one
            raise
        call.queued += permit.waited
        return permit

    def _need(self, limiter: RateLimiter, candidate: Candidate) -> tuple[Need, Learn | None]:
        """What a request takes of a limit, and who learns from what it has used."""
        if not limiter.counts_tokens:
            return ONE_REQUEST, None
        reserves, target, size = self._limiters.reserves, str(candidate.target), candidate.size()
        return Need(tokens=reserves.of(target, size)), partial(reserves.learn, target, size)


CANNOT: Final = "cannot"
"""The word for a target that cannot serve this request, whether its provider said so or its wire has no word for it."""


def label(failure: GatewayError) -> str:
    """A failed try in a word: the provider's status where it gave one, otherwise our error code. Never the provider's
    own code, which may be any text, even the key that it was called with."""
    if isinstance(failure, UnsupportedByTarget):
        return CANNOT
    if isinstance(failure, ProviderFailure):
        return str(failure.evidence.status or type(failure).code or "failed")
    return failure.code or "failed"
