"""One attempt at a candidate: a request, its answer or failure, and a second request where that makes sense.

Every request takes part in the target's health, rate limit and retry budget, and this is the one place where its
outcome is reported to them. The module does not choose targets, and it knows no wire and no HTTP.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from msgspec.structs import replace
from tenacity import RetryCallState, Retrying, stop_after_attempt

from gateway.auth.auth_manager import AuthManager
from gateway.config.schema import Timeouts
from gateway.core.answer import Usage
from gateway.core.errors import GatewayError
from gateway.core.provider_failures import CredentialRefused, ProviderFailure, ProviderTimeout, RetryRule
from gateway.core.records import AttemptRecord
from gateway.core.rendered import Adjustments
from gateway.dispatch.admission import Admission, Admitted, Candidate, label
from gateway.dispatch.branch import Branch, BranchLost
from gateway.dispatch.call import Call
from gateway.dispatch.operation import Operation
from gateway.dispatch.target_answer import TargetAnswer
from gateway.limits.rate_limiters import RateLimiters
from gateway.observe.observers import Observers
from gateway.providers.base import Answer, AttemptContext, Forwarded, OpenStream, Provider
from gateway.routing.account_rests import rests_account
from gateway.routing.health import Health
from gateway.routing.lessons import NOTHING, Lessons
from gateway.routing.retry_budget import RetryBudgets
from gateway.routing.router import Target

BACKOFF: Final = 0.25
"""The longest pause in seconds before a second try where the provider gave no time. There is no third try."""
MAX_LESSONS: Final = 2
"""How often one attempt repeats a request without what was refused."""
LONGEST_RETRY_AFTER: Final = 3.0
"""Seconds. A provider that asks for a longer pause is not asked again; the next candidate is."""
OnHead = Callable[[Target, int, Mapping[str, str]], None]


class TriesSpent(Exception):
    """The call has used all of its provider requests (MAX_TRIES)."""


@dataclass(frozen=True, slots=True)
class AttemptPolicy:
    """What decides when a target is asked: rate limits, health, and budgets for second tries; how long it gets; and
    what is left out of its requests."""

    limiters: RateLimiters
    health: Health
    budgets: RetryBudgets
    timeouts: Mapping[str, Timeouts]
    lessons: Lessons


class Attempt:
    """Asks targets.

    Args:
        providers: by name.
        policy: when a target is asked.
        auth: the credentials.
        observers: get a record of every try that failed.
        random: returns a value from 0 to 1, for pauses.
        on_head: gets the target, the status and the headers of every answer, and never blocks.
    """

    def __init__(  # noqa: PLR0913 - what an attempt works with, passed once
        self,
        providers: Mapping[str, Provider],
        policy: AttemptPolicy,
        auth: AuthManager,
        observers: Observers,
        random: Callable[[], float],
        *,
        on_head: OnHead = lambda target, status, headers: None,
    ) -> None:
        self._providers = providers
        self._policy = policy
        self._admission = Admission(policy.health, auth, policy.limiters)
        self._auth = auth
        self._observers = observers
        self._random = random
        self._on_head = on_head

    def make(self, candidate: Candidate, operation: Operation, branch: Branch) -> TargetAnswer:
        """Ask a candidate: one try, and a second one where that makes sense.

        Raises:
            ProviderFailure: it did not answer.
            CoolingDown: it is not to be asked now.
            TriesSpent: the call has used all of its provider requests.
            Limited: the rate limit has no room, or not in time.
            LoginRequired: there is no valid token.
            BranchLost: another branch was faster.
            CallerLeft, Draining, DeadlineExceeded: the answer is not wanted any more.
        """
        admitted = self._admission.admit(candidate, branch)
        asked = self._policy.lessons.of(candidate.target)
        for lessons_left in range(MAX_LESSONS, -1, -1):
            if asked is not NOTHING:
                admitted = replace(admitted, adjustments=asked)
            try:
                return self._ask(candidate.target, operation, branch, admitted)  # outside tenacity, which costs time
            except ProviderFailure as failure:
                refusal = failure
            better = self._lesson(refusal, candidate.target, branch.call, asked) if lessons_left else None
            if better is None:
                break
            asked, admitted = better, self._admission.admit_again(refusal, candidate, branch, admitted.credential)
        return self._retry(refusal, candidate, operation, branch, admitted)

    def expected_wait(self, target: Target) -> float:
        """Seconds until the target's rate limit has room."""
        return self._admission.expected_wait(target)

    def _lesson(self, refusal: ProviderFailure, target: Target, call: Call, asked: Adjustments) -> Adjustments | None:
        """The adjustments with which the target is asked again, without what it has refused by name; None where it is
        not. That is no second try."""
        if not call.has_tries:
            return None
        better = self._policy.lessons.after(target, refusal, asked)
        if better is not None:
            limited = ("max_tokens",) if better.max_tokens != asked.max_tokens else ()
            call.learned += (*sorted(better.without - asked.without), *limited)
        return better

    def _retry(
        self, first: ProviderFailure, candidate: Candidate, operation: Operation, branch: Branch, before: Admitted
    ) -> TargetAnswer:
        """The second try, where the `first` one's failure makes it worth while; else raises that failure."""
        twice = Retrying(
            stop=stop_after_attempt(2),
            retry=lambda state: self._is_worth_repeating(state, candidate, branch.call),
            wait=self._pause,
            sleep=branch.pause,
            reraise=True,
        )
        for attempt in twice:
            with attempt:
                if attempt.retry_state.attempt_number == 1:
                    raise first
                try:
                    target, again = self._again(first, candidate, branch, before)
                    admitted = replace(again, adjustments=before.adjustments)
                    return self._ask(target, operation, branch, admitted)
                except TriesSpent:
                    raise first from None  # a parallel branch used the last try
        raise first

    def _again(
        self, first: ProviderFailure, candidate: Candidate, branch: Branch, before: Admitted
    ) -> tuple[Target, Admitted]:
        """What the second try needs, and of whom: by another account where one is ready, as the same one has had its
        try; a refused token is renewed first."""
        if not isinstance(first, CredentialRefused) and (other := candidate.other_account(candidate.target)):
            return other.target, self._admission.admit_other(first, other, branch)
        return candidate.target, self._admission.admit_again(first, candidate, branch, before.credential)

    def _is_worth_repeating(self, state: RetryCallState, candidate: Candidate, call: Call) -> bool:
        """Whether the same target is asked once more."""
        failure = state.outcome.exception() if state.outcome else None
        if not isinstance(failure, ProviderFailure) or state.attempt_number > 1 or not call.has_tries:
            return False
        if isinstance(failure, CredentialRefused):
            return True  # with another credential, if there is one
        if candidate.target.account and rests_account(failure):
            return False  # the next account is the next candidate
        retry_after = failure.evidence.retry_after or 0.0
        if candidate.forced or failure.retry is RetryRule.NEVER or retry_after > LONGEST_RETRY_AFTER:
            return False
        return self._policy.budgets.take(candidate.target.provider)

    def _pause(self, state: RetryCallState) -> float:
        """Seconds before the second try: the provider's own time, otherwise random (full jitter), so that callers that
        failed together do not come back together."""
        failure = state.outcome.exception() if state.outcome else None
        if not isinstance(failure, ProviderFailure) or isinstance(failure, CredentialRefused):
            return 0.0
        if failure.evidence.retry_after is not None:
            return failure.evidence.retry_after
        return 0.0 if failure.retry is RetryRule.AT_ONCE else self._random() * BACKOFF

    def _ask(self, target: Target, operation: Operation, branch: Branch, admitted: Admitted) -> TargetAnswer:
        """Make one try and report its outcome. A try that raises has closed `admitted`."""
        if not branch.call.take_try():
            admitted.close()
            raise TriesSpent("The request has been tried often enough.")
        try:
            context = self._context(target, branch, admitted, operation)
            answer = operation.ask(self._providers[target.provider], context)
        except ProviderFailure as failure:
            branch.end_try()
            raise self._report_failure(failure, target, branch, admitted) from None
        except BaseException:
            admitted.close()
            raise
        finally:
            branch.call.end_try()
        branch.end_try()
        self._policy.budgets.succeeded(target.provider)
        ticket, elapsed = admitted.ticket, branch.elapsed()
        if isinstance(answer, OpenStream):
            ticket.first_content(elapsed, streamed=True)
        else:
            ticket.answered(elapsed)
            if (usage := _usage(answer)) is not None:
                admitted.permit.settle(usage)
            admitted.permit.close()
        return TargetAnswer(target, answer, ticket, admitted.permit, branch.sent_at, elapsed)

    def _context(self, target: Target, branch: Branch, admitted: Admitted, operation: Operation) -> AttemptContext:
        timeout = self._policy.timeouts[target.provider].first_token_seconds
        is_hedged = timeout == "auto" and operation.hedged
        branch.start_try(self._policy.health.limit(target, streamed=operation.streams) if is_hedged else None)
        permit, longest = admitted.permit, operation.longest_wait

        def on_sent() -> None:
            branch.sent()
            permit.sent()
            branch.call.share.sent()
            if branch.call.turn is not None:
                branch.call.turn.sent(target)

        remaining = branch.call.remaining()
        return AttemptContext(
            model=target.model,
            credential=admitted.credential,
            deadline=branch.call.deadline,
            first_content=timeout if timeout != "auto" else remaining if longest is None else min(longest, remaining),
            on_wait=branch.wait_on,
            on_sent=on_sent,
            adjustments=admitted.adjustments,
            further_permit=lambda: self._admission.further_permit(target, branch),
            on_head=partial(self._on_head, target),
        )

    def _report_failure(
        self, failure: ProviderFailure, target: Target, branch: Branch, admitted: Admitted
    ) -> ProviderFailure | BranchLost | GatewayError:
        """Report a failed try to health and log, and close what it held. Returns what to raise.

        A connection that the gateway itself cancelled is not the target's fault, unless it was cancelled because the
        target was slow.
        """
        reason = branch.reason_to_stop()
        if isinstance(reason, BranchLost):
            if reason.slow:
                admitted.ticket.failed(
                    ProviderTimeout(f"{target} had sent no content when another target had answered.")
                )
        elif reason is None and not self._is_replaceable(failure, target, admitted):
            admitted.ticket.failed(failure)
        admitted.close()
        outcome = str(reason) if isinstance(reason, BranchLost) else label(reason or failure)
        ms = round(branch.elapsed() * 1000)
        branch.call.tried(target, outcome, ms=ms, their_id=failure.evidence.request_id)
        self._observers.attempt_failed(
            AttemptRecord(
                request_id=branch.call.request_id,
                target=str(target),
                outcome=outcome,
                kind=type(reason or failure).__name__,
                provider_request_id=failure.evidence.request_id,
                ms=ms,
            )
        )
        return reason or failure

    def _is_replaceable(self, failure: ProviderFailure, target: Target, admitted: Admitted) -> bool:
        """Whether the failure is a refused token that was marked now. A marked token is not used again, so the target
        needs no cooldown, which would only delay the token's successor."""
        return isinstance(failure, CredentialRefused) and self._auth.refused(target.login, admitted.credential)


def _usage(answer: Answer | Forwarded) -> Usage | None:
    """What a whole answer has used; None where its provider has not counted it."""
    if isinstance(answer, Answer):
        return answer.response.usage
    return None if answer.estimated else answer.usage
