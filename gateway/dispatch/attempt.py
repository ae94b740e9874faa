"""One candidate's turn: its credential, its slot in the rate limit, its answer or its failure, and its second try."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from msgspec import Struct
from tenacity import RetryCallState, Retrying, stop_after_attempt

from gateway.auth.auth_manager import AuthManager, Credential
from gateway.config.schema import Timeouts
from gateway.core.errors import CallerLeft, GatewayError, Limited, LoginRequired
from gateway.core.provider_failures import CredentialRefused, ProviderFailure, ProviderTimeout, RateLimited, RetryRule
from gateway.core.records import AttemptRecord
from gateway.core.request import ChatRequest
from gateway.dispatch.branch import Branch, BranchLost
from gateway.dispatch.call import Call
from gateway.limits.rate_limiter import RateLimiters
from gateway.observe.observers import Observers
from gateway.providers.base import Answer, AttemptContext, OpenStream, Provider
from gateway.routing.health import Health, HealthTicket
from gateway.routing.retry_budget import RetryBudgets
from gateway.routing.router import Target

BACKOFF: Final = 0.25
"""Seconds at most before a second try; there is no third that would wait longer."""
LONGEST_TOLD: Final = 3.0
"""Seconds. A provider that says "in 3 s" is asked again then; one that says more is left for the next."""


class CoolingDown(Exception):
    """The target is not to be asked now."""


class TriesSpent(Exception):
    """The call has had its share of requests to providers."""


class Candidate(Struct, frozen=True):
    """A target that is to be asked. `wait`: in line, where its rate limit has no room now; `forced`: although it rests,
    because nobody else is left."""

    target: Target
    wait: bool = False
    forced: bool = False


class TargetAnswer(Struct, frozen=True):
    """Who answers, and with what. `ticket` is open until a stream has ended."""

    target: Target
    answer: Answer | OpenStream
    ticket: HealthTicket

    def close(self) -> None:
        """Nobody wants it after all. Idempotent."""
        self.ticket.close()
        if isinstance(self.answer, OpenStream):
            self.answer.body.close()


class _Ready(Struct, frozen=True):
    """What a try needs."""

    ticket: HealthTicket
    credential: Credential


@dataclass(frozen=True, slots=True)
class AttemptPolicy:
    """What decides on when a target is asked: its rate limit, its health, and how many second tries there may be."""

    limiters: RateLimiters
    health: Health
    budgets: RetryBudgets
    timeouts: Mapping[str, Timeouts]


class Attempt:
    """How a target is asked.

    Args:
        providers: by name.
        paces: when.
        auth: the credentials.
        log: gets a line for every try that failed.
        random: a number from 0 to 1, for pauses.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        paces: AttemptPolicy,
        auth: AuthManager,
        observers: Observers,
        random: Callable[[], float],
    ) -> None:
        self._providers = providers
        self._paces = paces
        self._auth = auth
        self._observers = observers
        self._random = random

    def make(self, turn: Candidate, request: ChatRequest, run: Branch) -> TargetAnswer:
        """Give a target its turn: one try, and a second one where that makes sense.

        Raises:
            ProviderFailure: it did not answer.
            CoolingDown: it is not to be asked now.
            TriesSpent: the call has had its share of requests.
            Limited: there is no room, or not in time.
            LoginRequired: there is no valid token.
            BranchLost: another run was faster.
            CallerLeft, Draining, DeadlineExceeded: nobody wants the answer any more.
        """
        ready = self._ready(turn, run)
        try:
            return self._ask(
                turn.target, request, run, ready
            )  # outside tenacity, so that who answers pays nothing for it
        except ProviderFailure as failure:
            first = failure
        return self._tries_again(first, turn, request, run, ready.credential)

    def _tries_again(
        self, first: ProviderFailure, turn: Candidate, request: ChatRequest, run: Branch, credential: Credential
    ) -> TargetAnswer:
        """The second try, where the `first` one's failure makes it worth while; else that failure."""
        twice = Retrying(
            stop=stop_after_attempt(2),
            retry=lambda state: self._is_worth_repeating(state, turn, run.call),
            wait=self._pause,
            sleep=run.pause,
            reraise=True,
        )
        for attempt in twice:
            with attempt:
                if attempt.retry_state.attempt_number == 1:
                    raise first
                try:
                    return self._ask(turn.target, request, run, self._ready_again(first, turn, run, credential))
                except TriesSpent:
                    raise first from None  # the last one went to another run meanwhile
        raise first

    def expected_wait(self, target: Target) -> float:
        """Seconds until the target's rate limit has room."""
        limiter = self._paces.limiters.of(target.provider)
        return limiter.expected_wait() if limiter else 0.0

    def _is_worth_repeating(self, state: RetryCallState, turn: Candidate, call: Call) -> bool:
        """Whether the same target is asked once more."""
        failure = state.outcome.exception() if state.outcome else None
        if not isinstance(failure, ProviderFailure) or state.attempt_number > 1 or not call.has_tries:
            return False
        if isinstance(failure, CredentialRefused):
            return True  # with another credential, if there is one
        if turn.forced or failure.retry is RetryRule.NEVER or (failure.evidence.retry_after or 0.0) > LONGEST_TOLD:
            return False
        return self._paces.budgets.take(turn.target.provider)

    def _pause(self, state: RetryCallState) -> float:
        """Seconds before the second try: what the provider told, else at random (full jitter), so that callers who
        failed together do not come back together."""
        failure = state.outcome.exception() if state.outcome else None
        if not isinstance(failure, ProviderFailure) or isinstance(failure, CredentialRefused):
            return 0.0
        if failure.evidence.retry_after is not None:
            return failure.evidence.retry_after
        return 0.0 if failure.retry is RetryRule.AT_ONCE else self._random() * BACKOFF

    def _ready(self, turn: Candidate, run: Branch) -> _Ready:
        ticket = self._paces.health.enter(turn.target, forced=turn.forced)
        if ticket is None:
            raise CoolingDown(f"{turn.target} rests.")
        try:
            return _Ready(ticket, self._admitted(turn, run))
        except BaseException:
            ticket.close()
            raise

    def _ready_again(self, failure: ProviderFailure, turn: Candidate, run: Branch, credential: Credential) -> _Ready:
        """What the second try needs, else the first one's failure: to ask again is another request, and the rate limit
        must have room for it."""
        target = turn.target
        if isinstance(failure, CredentialRefused):
            better = self._auth.renewed(target.provider, credential)
            if better is None:
                raise failure
            run.check()  # a renewal may have taken its time
            credential = better
        forced = turn.forced or isinstance(failure, RateLimited)  # which made it rest, for this pause
        ticket = self._paces.health.enter(target, forced=forced)
        if ticket is None:
            raise failure
        limiter = self._paces.limiters.of(target.provider)
        if limiter is not None and not limiter.try_acquire():
            ticket.close()
            raise failure
        return _Ready(ticket, credential)

    def _admitted(self, turn: Candidate, run: Branch) -> Credential:
        """What to call with, once the rate limit has room."""
        target = turn.target
        try:
            credential = self._auth.credential(target.provider)  # before the queue: who cannot call takes no slot
            if self._slot(turn, run) > 0:
                credential = self._auth.credential(target.provider)  # a token may have run out while waiting
        except LoginRequired as failure:
            run.call.attempts.append((target, label(failure)))
            raise
        run.check()
        return credential

    def _slot(self, turn: Candidate, run: Branch) -> float:
        """Take a slot of the rate limit; seconds waited for it."""
        provider, call = turn.target.provider, run.call
        limiter = self._paces.limiters.of(provider)
        if limiter is None:
            return 0.0
        if not turn.wait:
            if limiter.try_acquire():
                return 0.0
            raise Limited(f"The rate limit of {provider} has no room now.", retry_after=limiter.expected_wait())
        try:
            with call.in_line():
                waited = limiter.acquire(deadline=call.deadline, left=run.gone)
        except CallerLeft:
            run.check()  # it may be the gateway that stops, and then the caller is to be told
            raise
        call.queued += waited
        return waited

    def _ask(self, target: Target, request: ChatRequest, run: Branch, ready: _Ready) -> TargetAnswer:
        """One try, with its verdict on the target."""
        if not run.call.take_try():
            ready.ticket.close()
            raise TriesSpent("The request has been tried often enough.")
        provider = self._providers[target.provider]
        context = self._context(target, request, run, ready.credential)
        try:
            answer = provider.open(request, context) if request.stream else provider.send(request, context)
        except ProviderFailure as failure:
            run.end()
            raise self._judged(failure, target, run, ready) from None
        except BaseException:
            ready.ticket.close()
            raise
        finally:
            run.call.tried()
        run.end()
        self._paces.budgets.succeeded(target.provider)
        ready.ticket.first_content(run.took(), streamed=request.stream)
        if isinstance(answer, Answer):
            ready.ticket.answered()
        return TargetAnswer(target, answer, ready.ticket)

    def _context(self, target: Target, request: ChatRequest, run: Branch, credential: Credential) -> AttemptContext:
        told = self._paces.timeouts[target.provider].first_token_seconds
        run.begin(self._paces.health.limit(target, streamed=request.stream) if told == "auto" else None)
        limiter = self._paces.limiters.of(target.provider)

        def on_sent() -> None:
            run.sent()
            if limiter is not None:
                limiter.sent()

        return AttemptContext(
            model=target.model,
            credential=credential,
            deadline=run.call.deadline,
            first_content=run.call.remaining() if told == "auto" else told,
            on_wait=run.hold,
            on_sent=on_sent,
        )

    def _judged(
        self, failure: ProviderFailure, target: Target, run: Branch, ready: _Ready
    ) -> ProviderFailure | BranchLost | GatewayError:
        """Whose fault it was: a connection that was cut from here is not the target's, unless it was cut for being
        slow. Puts it on the record and gives what to raise."""
        over = run.over()
        if isinstance(over, BranchLost) and over.slow:
            ready.ticket.failed(ProviderTimeout(f"{target} had said nothing when another target had answered."))
        elif over is not None:
            ready.ticket.close()
        else:
            if isinstance(failure, CredentialRefused):
                # a marked token is not offered again, and there is no reason to keep its successor waiting
                failure.counts_against_target = not self._auth.refused(target.provider, ready.credential)
            ready.ticket.failed(failure)
        outcome = str(over) if isinstance(over, BranchLost) else label(over or failure)
        run.call.attempts.append((target, outcome))
        self._observers.attempt_failed(
            AttemptRecord(
                request_id=run.call.request_id,
                target=str(target),
                outcome=outcome,
                kind=type(over or failure).__name__,
                provider_request_id=failure.evidence.request_id,
                ms=round(run.took() * 1000),
            )
        )
        return over or failure


def label(failure: GatewayError) -> str:
    """A failed try in a word: the provider's status where it gave one, else what happened. Never the provider's own
    code, which may be any text, the key that it was called with included."""
    if isinstance(failure, ProviderFailure):
        return str(failure.evidence.status or type(failure).code or "failed")
    return failure.code or "failed"
