"""A whole reply's body as WSGI wants it: one piece, and a close when that has been sent or cannot be.

Apart from that a list of one piece would do. What is noted of a reply (its line in the log) is noted at the close, so
that the caller does not wait for it.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse


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
