"""The failure class of a provider's error, by its HTTP status and its text.

The wires share these rules, because servers of one wire repeat the error texts of another. Error codes and fields that
belong to one wire are read there.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from gateway.core.provider_failures import (
    ContentRefused,
    ContextTooLong,
    CredentialRefused,
    InvalidAnswer,
    ProviderFailure,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
    TargetModelMissing,
    Unavailable,
)

MESSAGE_SHOWN: Final = 2_000
"""Characters of a provider's message that the caller gets."""
MESSAGE_READ: Final = 20_000
"""Characters of a provider's message that are searched. An event of a stream may have sixteen million."""
CODE_SHOWN: Final = 200
"""Characters of an error's code, type and field name; a longer value is none of these and is dropped."""

_CONTEXT: Final = re.compile(
    r"context.{0,20}(length|window|size)|maximum context|too many (input )?tokens|prompt is too long"
    r"|exceeds?.{0,40}(max|limit).{0,20}tokens|input.{0,20}too long",
    re.IGNORECASE,
)
_POLICY: Final = re.compile(r"content.?(filter|policy|management)|safety system|moderation", re.IGNORECASE)
_QUOTA: Final = re.compile(
    r"insufficient.?(quota|balance|credit|funds)|billing|per.?day|daily|quota.{0,20}exhausted", re.IGNORECASE
)


def shortened(message: str) -> str:
    """A provider's message, cut to MESSAGE_SHOWN characters between two words. A cut inside a word could leave half of
    a secret, which the masker would not recognize."""
    if len(message) <= MESSAGE_SHOWN:
        return message
    *_, last = re.split(r"\s", message[: MESSAGE_SHOWN + 1])
    return message[: MESSAGE_SHOWN + 1 - len(last)].rstrip()


def by_text_or_status(status: int, text: str) -> type[ProviderFailure]:
    """The failure class for an HTTP status and the error's text."""
    for found, failure in _BY_TEXT:
        if found(status, text):
            return failure
    if status < 400:
        return InvalidAnswer  # a redirect, or no status at all; no API defines these as errors
    return _BY_STATUS.get(status, Unavailable if status >= 500 else RequestRejected)


_BY_TEXT: Final[tuple[tuple[Callable[[int, str], bool], type[ProviderFailure]], ...]] = (
    (lambda status, text: status in (400, 413, 422) and bool(_CONTEXT.search(text)), ContextTooLong),
    (lambda status, text: status in (400, 403) and bool(_POLICY.search(text)), ContentRefused),
    (lambda status, text: status == 429 and bool(_QUOTA.search(text)), QuotaExhausted),
)
_BY_STATUS: Final[Mapping[int, type[ProviderFailure]]] = {
    401: CredentialRefused,
    402: QuotaExhausted,
    403: CredentialRefused,
    404: TargetModelMissing,
    408: Unavailable,
    409: Unavailable,
    425: Unavailable,
    429: RateLimited,
}
