"""The gateway's own errors, and the base class of all errors.

An error is a type. Its class attributes are what the caller gets (HTTP status, type, code), so rendering needs no case
for single errors. The failures of providers are a branch of the same family (gateway.core.provider_failures). All
layers above raise these, so nothing here knows HTTP libraries, Flask or a wire format.
"""

from copy import copy
from typing import Self

INVALID = "invalid_request_error"
SERVER = "server_error"


class GatewayError(Exception):
    """The base of all errors.

    Args:
        message: one sentence for the caller; never holds a secret.
        param: the request field at fault, in OpenAI's notation (`messages[0].content`).
        retry_after: seconds after which the caller should ask again.
        code: overrides the class's code where the provider gave its own.
        type: overrides the class's type where the provider gave its own.
        status: overrides the class's HTTP status where the provider gave its own.
    """

    status: int = 500
    type: str = SERVER
    code: str | None = None

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        retry_after: float | None = None,
        code: str | None = None,
        type: str | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after = retry_after
        if code is not None:
            self.code = code
        if type is not None:
            self.type = type
        if status is not None:
            self.status = status

    def with_retry_after(self, seconds: float) -> Self:
        """A copy that advises the caller to ask again after so many seconds."""
        advised = copy(self)
        advised.retry_after = seconds
        return advised

    def with_message(self, message: str) -> Self:
        """A copy with another message."""
        reworded = copy(self)
        reworded.message = message
        return reworded


# The request is at fault -------------------------------------------------------------------------------------------


class InvalidRequest(GatewayError):
    """The body or a field does not match the API."""

    status, type = 400, INVALID


class ModelNotFound(GatewayError):
    """No alias and no enabled provider has this model name."""

    status, type, code = 404, INVALID, "model_not_found"


class RouteNotFound(GatewayError):
    """The path does not exist."""

    status, type, code = 404, INVALID, "unknown_url"


class ResponseNotFound(GatewayError):
    """The gateway has no response of this id, or not for this caller."""

    status, type, code = 404, INVALID, "response_not_found"


class MethodNotAllowed(GatewayError):
    """The path exists, the method does not."""

    status, type, code = 405, INVALID, "method_not_allowed"


class UpgradeRefused(GatewayError):
    """The caller asks for a WebSocket, which the gateway does not speak."""

    status, type, code = 426, INVALID, "websocket_not_supported"


class NotJsonContent(GatewayError):
    """A POST that is not application/json. Browsers send other types across origins without a preflight."""

    status, type, code = 415, INVALID, "unsupported_content_type"


class BodyTooLarge(GatewayError):
    """The body is larger than gateway.maxBodyMiB."""

    status, type, code = 413, INVALID, "request_too_large"


class ReceivedTooSlowly(GatewayError):
    """The request was not complete within the time limit."""

    status, type, code = 408, INVALID, "request_too_slow"


class TargetTooLong(GatewayError):
    """The request target is longer than the limit."""

    status, type, code = 414, INVALID, "target_too_long"


class HeadersTooLarge(GatewayError):
    """The request line and headers are larger than the limit."""

    status, type, code = 431, INVALID, "headers_too_large"


class BadHttp(GatewayError):
    """The bytes are not a valid HTTP/1.1 request."""

    status, type, code = 400, INVALID, "bad_http"


class KeyRefused(GatewayError):
    """Callers need a key, and the request has none of them, or one that has expired."""

    status, type, code = 401, "authentication_error", "invalid_api_key"


class AdminOnly(GatewayError):
    """The client's key is good, and may not do what concerns everybody."""

    status, type, code = 403, "permission_error", "admin_required"


class PriceUnknown(GatewayError):
    """The client has a budget, and none of the targets has a price that is known."""

    status, type, code = 403, "permission_error", "price_unknown"


class OriginRefused(GatewayError):
    """The request comes from a web page whose origin is not in gateway.allowedOrigins."""

    status, type, code = 403, "permission_error", "origin_not_allowed"


class HostRefused(GatewayError):
    """The Host header is not an allowed name of the gateway (protection against DNS rebinding)."""

    status, type, code = 421, "permission_error", "host_not_allowed"


class CallerLeft(GatewayError):
    """The caller closed the connection. The answer is not sent, and no target is blamed."""

    status, code = 499, "caller_left"


# The gateway cannot serve it ---------------------------------------------------------------------------------------


class InternalFault(GatewayError):
    """A bug in the gateway. The log has the traceback, the caller gets the request id."""

    code = "internal_error"


class NotImplementedHttp(GatewayError):
    """HTTP that the gateway does not implement: an unknown method, CONNECT, a transfer coding other than chunked."""

    status, code = 501, "not_implemented"


class HttpVersionRefused(GatewayError):
    """An HTTP version other than 1.0 and 1.1."""

    status, type, code = 505, INVALID, "http_version_not_supported"


class InvalidConfiguration(GatewayError):
    """A reload of the configuration file was refused for its faults. What was served is served on."""

    status, type, code = 422, INVALID, "invalid_configuration"


class Draining(GatewayError):
    """The gateway is shutting down and accepts no new calls."""

    status, code = 503, "draining"


class Overloaded(GatewayError):
    """The queue of model calls that wait for a thread is full."""

    status, code = 503, "overloaded"


class DeadlineExceeded(GatewayError):
    """gateway.requestTimeoutSeconds has passed."""

    status, code = 504, "deadline_exceeded"


class Limited(GatewayError):
    """A limit of the gateway rejects the call: its line is full, or the wait too long. Uses none of the limit."""

    status, type, code = 429, "rate_limit_error", "rate_limit_exceeded"


class LimitsUnavailable(Limited):
    """The server that gateways share their limits in does not answer, and `onFailure: refuse` says to refuse then."""

    status, type, code = 503, SERVER, "limits_unavailable"


class BudgetExhausted(GatewayError):
    """The client has not that much left of its budget. It is not to ask again before the next one begins."""

    status, type, code = 429, "insufficient_quota", "insufficient_quota"


class RequestTooLargeForLimit(GatewayError):
    """The request alone needs more than a limit of its caller allows, so it could never pass."""

    status, type, code = 400, INVALID, "request_too_large_for_limit"


class LoginRequired(GatewayError):
    """The provider needs a token, and the gateway has no valid one."""

    status, type, code = 401, "authentication_error", "login_required"


class RenewalFailed(LoginRequired):
    """The token has expired, and its login server gives no new one now. Waiting or a new login may help."""

    status, type, code = 503, SERVER, "token_renewal_failed"
