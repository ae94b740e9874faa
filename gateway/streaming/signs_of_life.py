"""Tells a provider that answers from one that only sends comments.

A comment (`: ping`) keeps a connection open. It says that some machine on the way lives, and nothing of the model: a
proxy goes on sending comments for hours after the model has stopped. So comments keep a stream alive for a few stall
times only. Only pieces that brought the caller nothing are looked at, so a sound event costs nothing here.

Source: WHATWG HTML, section 9.2.6, https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

from typing import Final

COMMENT_STALLS: Final = 3.0
"""Stall times after its last event for which comments keep a stream alive."""


class SignsOfLife:
    """What the last pieces of one stream were.

    Attributes:
        comments_only: nothing but comments and blank lines has come since the last event, or part of one.
    """

    __slots__ = ("_event_left", "_in_comment", "comments_only")

    def __init__(self) -> None:
        self.comments_only = False
        self._in_comment = False
        self._event_left = 0.0

    def event(self) -> None:
        """The stream has said something."""
        self.comments_only = self._in_comment = False

    def seen(self, piece: bytes) -> None:
        """A piece came that brought the caller nothing: a part of an event, an event without content, or comments."""
        for line in piece.splitlines(keepends=True):
            if not self._in_comment and line.rstrip(b"\r\n") and not line.startswith(b":"):
                self.event()
                return
            self._in_comment = not line.endswith((b"\r", b"\n")) and (self._in_comment or line.startswith(b":"))
        self.comments_only = True

    def silence(self, left: float, idle: float) -> float:
        """Seconds since the last event.

        Args:
            left: seconds until the call's deadline.
            idle: seconds since anything came, comments too.
        """
        if not self.comments_only:
            self._event_left = left + idle
        return self._event_left - left
