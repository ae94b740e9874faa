"""Every way a request can end without an answer: one flat family.

A failure is a type with evidence. The type says what it means (whether another candidate may be asked, whether it is
held against the target), the class attributes say what the caller is told, and `Evidence` keeps what the provider
said. Nothing here knows HTTP libraries, Flask or a wire format, because every floor above raises from this family.
"""

INVALID = "invalid_request_error"
SERVER = "server_error"


class GatewayError(Exception):
    """The base of the family.

    Args:
        message: one sentence for the caller; never holds a secret.
        param: the request field it is about, in OpenAI's notation (`messages[0].content`).
        retry_after: seconds after which asking again makes sense.
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


# The caller's side -------------------------------------------------------------------------------------------------


class InvalidRequest(GatewayError):
    """The body or a field is not what the API takes."""

    status, type = 400, INVALID


class ModelNotFound(GatewayError):
    """No alias and no enabled provider answers to this model name."""

    status, type, code = 404, INVALID, "model_not_found"


class RouteNotFound(GatewayError):
    """No such path."""

    status, type, code = 404, INVALID, "unknown_url"


class MethodNotAllowed(GatewayError):
    """The path exists, the method does not."""

    status, type, code = 405, INVALID, "method_not_allowed"


class NotJsonContent(GatewayError):
    """A POST that is not application/json: the only kind a browser can send without asking first."""

    status, type, code = 415, INVALID, "unsupported_content_type"


class BodyTooLarge(GatewayError):
    """The body is over gateway.maxBodyMiB."""

    status, type, code = 413, INVALID, "request_too_large"


class ReceivedTooSlowly(GatewayError):
    """A request did not come whole in the time that requests get."""

    status, type, code = 408, INVALID, "request_too_slow"


class TargetTooLong(GatewayError):
    """The request target is over the limit."""

    status, type, code = 414, INVALID, "target_too_long"


class HeadersTooLarge(GatewayError):
    """The request line and headers are over the limit."""

    status, type, code = 431, INVALID, "headers_too_large"


class BadHttp(GatewayError):
    """The bytes are not a request that HTTP/1.1 allows."""

    status, type, code = 400, INVALID, "bad_http"


class KeyRefused(GatewayError):
    """gateway.apiKeys is set and the caller shows none of them."""

    status, type, code = 401, "authentication_error", "invalid_api_key"


class OriginRefused(GatewayError):
    """A web page asks, and its origin is not in gateway.allowedOrigins."""

    status, type, code = 403, "permission_error", "origin_not_allowed"


class HostRefused(GatewayError):
    """The Host is not one of ours (DNS rebinding)."""

    status, type, code = 421, "permission_error", "host_not_allowed"


class CallerLeft(GatewayError):
    """The caller hung up. Nobody reads this answer, and nobody is to blame."""

    status, code = 499, "caller_left"


# Our own side ------------------------------------------------------------------------------------------------------


class InternalFault(GatewayError):
    """A bug of ours. The log has the traceback, the caller has the request id."""

    code = "internal_error"


class NotImplementedHttp(GatewayError):
    """HTTP we do not speak: a method nobody knows, CONNECT, a transfer coding other than chunked."""

    status, code = 501, "not_implemented"


class HttpVersionRefused(GatewayError):
    """A version other than HTTP/1.0 and HTTP/1.1."""

    status, type, code = 505, INVALID, "http_version_not_supported"


class Draining(GatewayError):
    """The gateway is shutting down and takes no new calls."""

    status, code = 503, "draining"


class Overloaded(GatewayError):
    """More model calls are waiting for a thread than we are willing to hold."""

    status, code = 503, "overloaded"


class DeadlineExceeded(GatewayError):
    """gateway.requestTimeoutSeconds is over."""

    status, code = 504, "deadline_exceeded"


class Limited(GatewayError):
    """Our own rate limit has no room: the queue is full, or its wait too long. Consumes nothing."""

    status, type, code = 429, "rate_limit_error", "rate_limit_exceeded"


class LoginRequired(GatewayError):
    """The provider needs a token and there is none that is valid."""

    status, type, code = 401, "authentication_error", "login_required"


class RenewalFailed(LoginRequired):
    """The token has run out, and its login server gives no new one now. Waiting may help, and so may a login."""

    status, type, code = 503, SERVER, "token_renewal_failed"
