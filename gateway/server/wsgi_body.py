"""Bodies as WSGI has them: a request's, and a whole reply's, which is one piece with a close once it has been sent.

Apart from the close a list of one piece would do. What is noted of a reply (its line in the log) is noted at the close,
so that the caller does not wait for it.
"""

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from gateway.core.errors import BodyTooLarge

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

DIGITS: Final = re.compile(r"[0-9]{1,15}")


class WholeBody:
    """One body.

    Args:
        content: all of it.
        sent: is called once, at the close.
    """

    def __init__(self, content: bytes, sent: Callable[[], None] | None) -> None:
        self._content = content
        self._sent = sent

    def begin(self, start_response: "StartResponse", status: str, headers: list[tuple[str, str]]) -> None:
        """Say status and headers, and the length. Closes the body if that fails: nobody else would."""
        try:
            start_response(status, [*headers, ("Content-Length", str(len(self._content)))])
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[bytes]:
        yield self._content

    def close(self) -> None:
        """It has been sent, or nobody takes it."""
        sent, self._sent = self._sent, None
        if sent is not None:
            sent()


def read_body(environ: "WSGIEnvironment", largest: int) -> bytes:
    """The request's body; empty where it has no length. Raises BodyTooLarge: our own server has refused it before."""
    length = environ.get("CONTENT_LENGTH", "")
    if DIGITS.fullmatch(length) is None:
        return b""
    if int(length) > largest:
        raise BodyTooLarge("The request body is larger than gateway.maxBodyMiB allows.")
    body: bytes = environ["wsgi.input"].read(int(length))
    return body
