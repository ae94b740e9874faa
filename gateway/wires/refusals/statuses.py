"""HTTP statuses: what each means by itself, and the names that stand for one where the number is missing."""

from collections.abc import Mapping
from typing import Final

from gateway.core.provider_failures import (
    CredentialRefused,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
    TargetModelMissing,
    Unavailable,
)
from gateway.wires.refusals.rows import Meaning

BY_STATUS: Final[Mapping[int, Meaning]] = {
    401: CredentialRefused,
    402: QuotaExhausted,
    403: CredentialRefused,
    404: TargetModelMissing,
    408: Unavailable,
    409: Unavailable,
    424: Unavailable,  # Bedrock's ModelErrorException, TGI's generation errors
    425: Unavailable,
    429: RateLimited,
    498: Unavailable,  # Groq, flex tier without capacity: https://console.groq.com/docs/errors, 2026
    499: Unavailable,  # cancelled, and not by the gateway, which would not read this
}


def by_status(status: int) -> Meaning:
    """The failure's class for a status of 400 or more."""
    return BY_STATUS.get(status, Unavailable if status >= 500 else RequestRejected)


BY_NAME: Final[Mapping[str, int]] = {
    # google/rpc/code.proto
    "invalidargument": 400,
    "failedprecondition": 400,
    "outofrange": 400,
    "unauthenticated": 401,
    "permissiondenied": 403,
    "notfound": 404,
    "alreadyexists": 409,
    "aborted": 409,
    "resourceexhausted": 429,
    "cancelled": 499,
    "internal": 500,
    "unknown": 500,
    "dataloss": 500,
    "unimplemented": 501,
    "unavailable": 503,
    "deadlineexceeded": 504,
    # OpenAI's and Anthropic's error types: https://docs.claude.com/en/api/errors, 2026
    "invalidrequesterror": 400,
    "invalidrequest": 400,
    "badrequest": 400,
    "authenticationerror": 401,
    "permissionerror": 403,
    "notfounderror": 404,
    "ratelimiterror": 429,
    "apierror": 500,
    "servererror": 500,
    "internalservererror": 500,
    "internalerror": 500,
    "overloadederror": 529,
    # the exceptions of openai-python and LiteLLM, which proxies print: https://docs.litellm.ai/docs/exception_mapping
    "badrequesterror": 400,
    "unprocessableentityerror": 422,
    "permissiondeniederror": 403,
    "apiconnectionerror": 503,
    "serviceunavailableerror": 503,
    "timeout": 504,
    # AWS: https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html, 2026
    "validationexception": 400,
    "accessdeniedexception": 403,
    "resourcenotfoundexception": 404,
    "internalserverexception": 500,
    "modelerrorexception": 424,
    # Alibaba and Volcengine: https://help.aliyun.com/zh/model-studio/error-code, 2026
    "invalidparameter": 400,
    "invalidparametererror": 400,
}
"""Names as `folded` gives them. They say no more than a status does, so they are read after every phrase."""

KEPT: Final = frozenset({401, 402, 403, 404, 408, 409, 429})
"""Statuses of a refusal that clients know; of the others below 500 they would not know what the refusal means."""

TELLING: Final = frozenset(
    {"authenticationerror", "internalservererror", "overloadederror", "ratelimiterror", "servererror", "timeout"}
)
"""The names that say more than a 400 beside them, which some servers send for everything."""
