"""The failures of providers: one try at one target that brought no answer.

A failure is a type with evidence. The class attributes are a table of what each failure means: whether the same target
is asked again, whether another one may be asked, whether it counts against the target's health, and what the caller
gets. `Evidence` keeps facts from the provider's answer. The wires, transports and providers raise these, so nothing
here knows HTTP libraries or a wire format. The gateway's own errors are in gateway.core.errors.
"""

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from gateway.core.errors import INVALID, GatewayError


@dataclass(frozen=True, slots=True)
class Evidence:
    """Facts from a provider's answer beside its message; `retry_after` is in seconds."""

    status: int | None = None
    request_id: str | None = None
    retry_after: float | None = None


class RetryRule(Enum):
    """Whether and when the same target is asked again. A time that the provider gave takes precedence, unless long."""

    NEVER = "never"
    AT_ONCE = "at once"
    AFTER_BACKOFF = "after a random pause"


class ProviderFailure(GatewayError):
    """A try at one target that brought no answer.

    Failover and health read these attributes. They test for a class by name only where no attribute can express the
    rule.

    Attributes:
        retry: whether the same target is asked once more.
        next_candidate: whether another candidate may be asked.
        counts_against_target: whether the failure counts against the target's health.
        refused_fields: the fields of the request that the provider refused by name, in OpenAI's names
            (`stream_options`). A request without them may pass.
    """

    status = 502
    code: str | None = "provider_failure"
    retry: ClassVar[RetryRule] = RetryRule.NEVER
    next_candidate: ClassVar[bool] = True
    counts_against_target: ClassVar[bool] = True

    def __init__(
        self,
        message: str,
        *,
        evidence: Evidence | None = None,
        param: str | None = None,
        code: str | None = None,
        type: str | None = None,
        status: int | None = None,
        refused_fields: tuple[str, ...] = (),
    ) -> None:
        self.evidence = evidence or Evidence()
        self.refused_fields = refused_fields
        super().__init__(
            message, param=param, retry_after=self.evidence.retry_after, code=code, type=type, status=status
        )


class ConnectionFailed(ProviderFailure):
    """There is no connection, or it broke before the first byte of the answer: DNS, TCP, TLS, reset."""

    code = "provider_unreachable"
    retry = RetryRule.AT_ONCE


class NameUnresolved(ConnectionFailed):
    """The resolver of this machine did not answer in time. Asked again at once, it would not either."""

    retry = RetryRule.NEVER


class Unavailable(ProviderFailure):
    """500, 502, 503, 504, 529 and every other status that means a fault of the provider."""

    status, code = 503, "provider_unavailable"
    retry = RetryRule.AFTER_BACKOFF


class RateLimited(ProviderFailure):
    """429: the target is skipped for the time that the provider gave; its health is not affected otherwise."""

    status, type, code = 429, "rate_limit_error", "rate_limit_exceeded"
    retry = RetryRule.AFTER_BACKOFF


class QuotaExhausted(ProviderFailure):
    """429 or 402 that lasts longer than minutes: the daily quota or the credit is used up."""

    status, type, code = 429, "insufficient_quota", "insufficient_quota"


class ProviderTimeout(ProviderFailure):
    """The first content did not arrive in time. The same target is never asked twice."""

    status, code = 504, "provider_timeout"


class InvalidAnswer(ProviderFailure):
    """A 200 without an answer: empty, HTML, not JSON, no choices; or a stream that ended before any content."""

    code = "provider_invalid_response"
    retry = RetryRule.AT_ONCE


class GenerationFailed(InvalidAnswer):
    """The model wrote what its own server could not use: a tool call or JSON that does not parse. The server works, and
    another try may bring a sound answer."""

    counts_against_target = False


class StreamBroken(ProviderFailure):
    """The stream ended, stalled or reported an error after content had been sent to the caller."""

    code = "stream_interrupted"


class NotContinued(StreamBroken):
    """The stream that should have continued a broken one says something else. The target itself works."""

    counts_against_target = False


class CredentialRefused(ProviderFailure):
    """401 or 403 from the provider."""

    status, type, code = 401, "authentication_error", "provider_credential_refused"


class TargetModelMissing(ProviderFailure):
    """404 for the model: the configuration names a model that the provider does not have."""

    status, type, code = 404, INVALID, "model_not_found"


class ContextTooLong(ProviderFailure):
    """The conversation exceeds the context window of this model; another model may have a larger one."""

    status, type, code = 400, INVALID, "context_length_exceeded"
    counts_against_target = False


class UnsupportedByTarget(ProviderFailure):
    """The request has a part that the target's wire cannot express and that cannot be left out without changing its
    meaning. The provider was not asked; another candidate may support it."""

    status, type = 400, INVALID
    code: str | None = "unsupported_by_provider"
    counts_against_target = False


class UnsupportedByModel(UnsupportedByTarget):
    """The provider refused what only this model of it cannot do: tools, images, a parameter, so many output tokens.
    Another candidate may support it. Where there is none, the caller gets the provider's own refusal."""

    code: str | None = None


class ContentRefused(ProviderFailure):
    """The provider's content policy refused the request. No other candidate is asked."""

    status, type, code = 400, INVALID, "content_policy_violation"
    next_candidate = False
    counts_against_target = False


class RequestRejected(ProviderFailure):
    """Any other 4xx: the request itself is at fault, and another provider would refuse it too."""

    status, type, code = 400, INVALID, None
    next_candidate = False
    counts_against_target = False


class ForeignReasoning(RequestRejected):
    """The provider refused reasoning in the conversation that it has not signed, or not for this account. The same
    request without that reasoning may pass; `refused_fields` names it."""


class FieldsRefused(UnsupportedByModel):
    """The provider refused fields that this model does not take, or not with this value. The same request without
    `refused_fields` may pass, or with a smaller limit.

    Args:
        max_tokens: the largest limit of an answer that the model takes; None where the refusal does not name it.
    """

    def __init__(
        self,
        message: str,
        *,
        evidence: Evidence | None = None,
        param: str | None = None,
        code: str | None = None,
        type: str | None = None,
        status: int | None = None,
        refused_fields: tuple[str, ...] = (),
        max_tokens: int | None = None,
    ) -> None:
        super().__init__(
            message,
            evidence=evidence,
            param=param,
            code=code,
            type=type,
            status=status,
            refused_fields=refused_fields,
        )
        self.max_tokens = max_tokens
