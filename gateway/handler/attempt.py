"""One candidate's turn: its credential, its slot in the rate limit, its answer or its failure."""

from collections.abc import Mapping
from typing import Final

from tenacity import Retrying, retry_if_exception, stop_after_attempt

from gateway.auth.auth_manager import AuthManager, Credential
from gateway.config.schema import Timeouts
from gateway.core.chat import ChatRequest
from gateway.core.errors import CallerLeft, CredentialRefused, GatewayError, Limited, LoginRequired, ProviderFailure
from gateway.handler.call import Call
from gateway.limits.rate_limiter import RateLimiters
from gateway.providers.base import Answer, OpenStream, Provider, Terms
from gateway.routing.router import Target
from gateway.upstream.session import uncounted

AUTO_FIRST_CONTENT: Final = 120.0
"""Seconds a target may take to its first content where another stands ready. Reasoning models need most of it."""


class Attempt:
    """How a target is asked.

    Args:
        providers: by name.
        timeouts: by provider name.
        limiters: the rate limits.
        auth: the credentials.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        timeouts: Mapping[str, Timeouts],
        limiters: RateLimiters,
        auth: AuthManager,
    ) -> None:
        self._providers = providers
        self._timeouts = timeouts
        self._limiters = limiters
        self._auth = auth
        self._twice = Retrying(stop=stop_after_attempt(2), retry=retry_if_exception(_asks_again), reraise=True)

    def make(self, target: Target, request: ChatRequest, call: Call, *, wait: bool, last: bool) -> Answer | OpenStream:
        """Ask `target`.

        Args:
            target: whom.
            request: what.
            call: on whose behalf; its attempts get a line for every try.
            wait: whether to queue where the rate limit has no room now.
            last: no other candidate stands ready.

        Raises:
            ProviderFailure: it did not answer.
            Limited: there is no room, or not in time.
            LoginRequired: there is no valid token.
            CallerLeft, DeadlineExceeded: nobody wants the answer any more.
        """
        credential = self._admitted(target, call, wait=wait)
        failed: list[ProviderFailure] = []

        def once() -> Answer | OpenStream:
            nonlocal credential
            if failed and isinstance(failed[0], CredentialRefused):
                better = self._auth.renewed(target.provider, credential)
                if better is None:
                    raise failed[0]
                call.check()  # a renewal may have taken its time
                credential = better
            if failed and not self._has_slot(target):
                raise failed[0]  # to ask again is another request, and the rate limit has no room for it
            try:
                return self._ask(target, request, call, credential, last=last)
            except ProviderFailure as failure:
                failed.append(failure)
                raise

        return self._twice(once)

    def expected_wait(self, target: Target) -> float:
        """Seconds until the target's rate limit has room."""
        limiter = self._limiters.of(target.provider)
        return limiter.expected_wait() if limiter else 0.0

    def _admitted(self, target: Target, call: Call, *, wait: bool) -> Credential:
        """What to call with, once the rate limit has room."""
        try:
            credential = self._auth.credential(target.provider)  # before the queue: who cannot call takes no slot
            if self._slot(target, call, wait=wait) > 0:
                credential = self._auth.credential(target.provider)  # a token may have run out while waiting
        except LoginRequired as failure:
            call.attempts.append((target, label(failure)))
            raise
        call.check()
        return credential

    def _ask(
        self, target: Target, request: ChatRequest, call: Call, credential: Credential, *, last: bool
    ) -> Answer | OpenStream:
        """One try, with its line on the record."""
        provider = self._providers[target.provider]
        terms = Terms(
            model=target.model,
            credential=credential,
            deadline=call.deadline,
            first_content=self._patience(target, call, last=last),
            waiting=call.hold,
            sent=limiter.sent if (limiter := self._limiters.of(target.provider)) else uncounted,
        )
        try:
            answer = provider.open(request, terms) if request.stream else provider.send(request, terms)
        except ProviderFailure as failure:
            over = call.over()  # a connection cut because the caller left is nobody's failure
            call.attempts.append((target, label(over or failure)))
            if over is not None:
                raise over from None
            if isinstance(failure, CredentialRefused):
                # a marked token is not offered again, and there is no reason to keep its successor waiting
                failure.held_against = not self._auth.refused(target.provider, credential)
            raise
        call.attempts.append((target, "200"))
        return answer

    def _has_slot(self, target: Target) -> bool:
        limiter = self._limiters.of(target.provider)
        return limiter is None or limiter.try_acquire()

    def _slot(self, target: Target, call: Call, *, wait: bool) -> float:
        """Take a slot of the rate limit; seconds waited for it."""
        limiter = self._limiters.of(target.provider)
        if limiter is None:
            return 0.0
        if not wait:
            if limiter.try_acquire():
                return 0.0
            raise Limited(f"The rate limit of {target.provider} has no room now.", retry_after=limiter.expected_wait())
        call.in_queue = True
        try:
            waited = limiter.acquire(deadline=call.deadline, left=lambda: call.left() or call.ended is not None)
        except CallerLeft:
            call.check()  # it may be the gateway that stops, and then the caller is to be told
            raise
        finally:
            call.in_queue = False
        call.queued += waited
        return waited

    def _patience(self, target: Target, call: Call, *, last: bool) -> float:
        told = self._timeouts[target.provider].first_token_seconds
        if isinstance(told, float):
            return told
        return call.remaining() if last else AUTO_FIRST_CONTENT


def label(failure: GatewayError) -> str:
    """A failed try in a word: the provider's status where it gave one, else what happened."""
    if isinstance(failure, ProviderFailure) and failure.evidence.status is not None:
        return str(failure.evidence.status)
    return failure.code or "failed"


def _asks_again(failure: BaseException) -> bool:
    """Whether the same target may be asked once more: at once, or with another credential if there is one."""
    return isinstance(failure, CredentialRefused) or (isinstance(failure, ProviderFailure) and failure.same_target)
