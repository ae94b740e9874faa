"""What the head of a request says."""

from typing import Any

from msgspec import Struct


class RequestHead(Struct, frozen=True):
    """A head.

    Attributes:
        method: one of METHODS.
        target: as it came.
        path: of the target, still percent-encoded; `*` where that is the target.
        query: of the target, without the question mark.
        authority: of a target in absolute form, None for the other forms.
        version: `1.0` or `1.1`.
        fields: by name as WSGI has it (`CONTENT_TYPE`, `HTTP_HOST`), values of a repeated one joined by a comma. A name
            with an underscore is left out: WSGI could not tell it from the one with a hyphen. Not to be changed:
            requests with the same head share them.
        length: bytes of the body; 0 where it comes in chunks.
        chunked: whether it comes in chunks.
        persistent: whether the connection may serve another request (RFC 9112 section 9.3).
        expects_continue: whether the client waits for a 100 before it sends the body.
        notes: see gateway.http1.head_memory; None where the head is not remembered.
    """

    method: str
    target: str
    path: str
    query: str
    authority: str | None
    version: str
    fields: dict[str, str]
    length: int
    chunked: bool
    persistent: bool
    expects_continue: bool
    notes: dict[str, Any] | None = None
