"""What a provider can do wrong."""

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from gateway.core.errors import INVALID, GatewayError


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a provider's answer said beside its message; `retry_after` is in seconds."""

    status: int | None = None
    request_id: str | None = None
    retry_after: float | None = None


class RetryRule(Enum):
    """Whether the same target is asked once more. Where the provider told a time, that is when, unless it is long."""

    NEVER = "never"
    AT_ONCE = "at once"
    AFTER_BACKOFF = "after a random pause"


class ProviderFailure(GatewayError):
    """A try at one target that brought no answer.

    The attributes of the classes are the table of what a failure means: who reads them (attempt, race, health) knows no
    class by name unless its row says something that no attribute can.

    Attributes:
        retry: whether the same target is asked once more.
        next_candidate: whether another candidate may be asked.
        counts_against_target: whether it counts against the target's health. Of one failure it can be taken back:
            where a refused token is marked, the target is not to blame.
    """

    status = 502
    code: str | None = "provider_failure"
    retry: ClassVar[RetryRule] = RetryRule.NEVER
    next_candidate: ClassVar[bool] = True
    counts_against_target: bool = True

    def __init__(
        self,
        message: str,
        *,
        evidence: Evidence | None = None,
        param: str | None = None,
        code: str | None = None,
        type: str | None = None,
        status: int | None = None,
    ) -> None:
        self.evidence = evidence or Evidence()
        super().__init__(
            message, param=param, retry_after=self.evidence.retry_after, code=code, type=type, status=status
        )


class ConnectionFailed(ProviderFailure):
    """No connection, or it broke before a byte of the answer: DNS, TCP, TLS, reset."""

    code = "provider_unreachable"
    retry = RetryRule.AT_ONCE


class Unavailable(ProviderFailure):
    """500, 502, 503, 504, 529 and whatever other status says that it is the provider's fault."""

    status, code = 503, "provider_unavailable"
    retry = RetryRule.AFTER_BACKOFF


class RateLimited(ProviderFailure):
    """429: the target rests for the time told, which is not held against it otherwise."""

    status, type, code = 429, "rate_limit_error", "rate_limit_exceeded"
    retry = RetryRule.AFTER_BACKOFF


class QuotaExhausted(ProviderFailure):
    """429 or 402 that no waiting of minutes mends: the day's quota or the credit is spent."""

    status, type, code = 429, "insufficient_quota", "insufficient_quota"


class ProviderTimeout(ProviderFailure):
    """No first content in time. A silent route is never asked twice."""

    status, code = 504, "provider_timeout"


class InvalidAnswer(ProviderFailure):
    """A 200 that is no answer: empty, HTML, not JSON, no choices; or a stream that ended before any content."""

    code = "provider_invalid_response"
    retry = RetryRule.AT_ONCE


class StreamBroken(ProviderFailure):
    """The stream ended, stalled or erred after content had gone out."""

    code = "stream_interrupted"


class CredentialRefused(ProviderFailure):
    """401 or 403 from the provider."""

    status, type, code = 401, "authentication_error", "provider_credential_refused"


class TargetModelMissing(ProviderFailure):
    """404 for the model: the configuration names a model that the provider does not have."""

    status, type, code = 404, INVALID, "model_not_found"


class ContextTooLong(ProviderFailure):
    """The conversation does not fit this model; another one may be larger."""

    status, type, code = 400, INVALID, "context_length_exceeded"
    counts_against_target = False


class UnsupportedByTarget(ProviderFailure):
    """The request holds what this target's wire has no words for, and leaving it out would change its meaning. Nobody
    was asked; another candidate may be able to."""

    status, type, code = 400, INVALID, "unsupported_by_provider"
    counts_against_target = False


class ContentRefused(ProviderFailure):
    """The provider's policy refused the content. Never routed around."""

    status, type, code = 400, INVALID, "content_policy_violation"
    next_candidate = False
    counts_against_target = False


class RequestRejected(ProviderFailure):
    """Any other 4xx: the request itself is at fault, and another provider would say the same."""

    status, type, code = 400, INVALID, None
    next_candidate = False
    counts_against_target = False
