"""One request over one connection: the request leaves, and the head of its answer comes.

It tells a kept connection that is no good any more from a provider that failed: `KeptConnectionLost` means that the
request may go once more on a fresh connection. It does not dial, and it repeats nothing.
"""

import math
import ssl

from gateway.core.clock import Clock
from gateway.core.provider_failures import ProviderFailure, ProviderTimeout
from gateway.http1.response_reader import ResponseReader
from gateway.upstream.cancellation import PendingResponse
from gateway.upstream.direct.connection import Connection
from gateway.upstream.transport import EARLY_ANSWER_SECONDS, GONE, is_idle_timeout, unreached


class KeptConnectionLost(Exception):
    """A kept connection has ended, or is dead, and no byte of an answer came.

    Args:
        left: seconds that are left for the answer.
    """

    def __init__(self, left: float) -> None:
        super().__init__("a kept connection was lost")
        self.left = left


class Exchange:
    """One request and the head of its answer.

    Args:
        provider: the name for messages.
        connection: new, or kept since an earlier request.
        pending: the request, for another thread that cancels it.
        clock: measures the limits.
        connect_seconds: a kept connection that has not acknowledged the request by then is lost.
    """

    __slots__ = (
        "_begun",
        "_clock",
        "_connection",
        "_patience",
        "_pending",
        "_provider",
        "_stuck",
        "_until",
    )

    def __init__(
        self, provider: str, connection: Connection, pending: PendingResponse, clock: Clock, connect_seconds: float
    ) -> None:
        self._provider = provider
        self._connection = connection
        self._pending = pending
        self._clock = clock
        self._patience = connect_seconds
        self._begun = False  # the answer
        self._stuck: ProviderFailure | None = None  # the request
        self._until = 0.0

    def run(self, head: bytes, body: bytes, timeout: float, limit: float) -> tuple[ResponseReader, bytes]:
        """Send the request and read the head of its answer.

        Args:
            head: with the empty line at its end.
            body: may be empty.
            timeout: seconds for the head of the answer.
            limit: seconds for each piece of the request.

        Returns:
            The reader, and the bytes of the body that came with the head.

        Raises:
            ProviderFailure: there is no answer.
            KeptConnectionLost: likewise, because a kept connection is no good any more.
        """
        connection = self._connection
        self._pending.attach(connection.socket)
        try:
            connection.send(head, body, limit)
        except OSError as fault:
            self._not_sent(fault, timeout, limit)
        self._pending.sent()
        left = timeout if self._stuck is None else min(timeout, EARLY_ANSWER_SECONDS)
        self._until = self._clock.monotonic() + left
        reader = ResponseReader()
        while True:
            wait = left if left < self._patience else self._patience
            try:
                data = connection.receive(wait if wait > 0.001 else 0.001)
            except OSError as fault:
                data = self._not_received(fault, left, timeout)
            if not data:
                self._ended(reader)
            self._begun = True
            early = reader.feed(data)
            if reader.status is not None:
                if reader.status == 408:
                    self._check_idle_timeout(reader)
                return reader, early
            if reader.fault is not None:
                raise unreached(self._provider, reader.fault)
            left = self._until - self._clock.monotonic()

    def _not_sent(self, fault: OSError, timeout: float, limit: float) -> None:
        """Sending failed. A provider that refuses a request before its end may have answered, so that is read then."""
        self._connection.spoiled = True
        if isinstance(fault, TimeoutError):
            self._stuck = unreached(self._provider, f"it took nothing more of the request for {limit:g} s")
        elif fault.errno not in GONE and not isinstance(fault, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
            raise self._failed(fault, timeout) from None

    def _check_idle_timeout(self, reader: ResponseReader) -> None:
        """Raise where a 408 has crossed the request. One that comes after a while is meant for it."""
        if self._connection.reused and self._patience < math.inf and is_idle_timeout(408, reader.headers):
            raise KeptConnectionLost(self._until - self._clock.monotonic())

    def _not_received(self, fault: OSError, left: float, timeout: float) -> bytes:
        """Receiving failed. The bytes of a second try, which is made where nothing has come for a while."""
        if not isinstance(fault, TimeoutError):
            raise self._failed(fault, self._until - self._clock.monotonic()) from None
        if left > self._patience:
            return self._after_silence(left - self._patience, timeout)
        if self._stuck is not None:
            raise self._without_answer(self._stuck, left) from None
        raise ProviderTimeout(f"{self._provider} did not answer within {timeout:.0f} s.") from None

    def _after_silence(self, left: float, timeout: float) -> bytes:
        """Nothing has come for a while. Does the provider think, or is it not there any more?"""
        self._patience = math.inf
        if not self._connection.is_unheard():
            self._connection.be_patient()
        elif self._connection.reused and not self._begun:
            raise KeptConnectionLost(left)
        try:
            return self._connection.receive(max(left, 0.001))
        except OSError as fault:
            return self._not_received(fault, left, timeout)

    def _ended(self, reader: ResponseReader) -> None:
        """The connection has ended. Raises unless that can be the end of an answer."""
        reader.close()
        if not self._begun and reader.fault is not None:
            failure = self._stuck or unreached(self._provider, reader.fault)
            raise self._without_answer(failure, self._until - self._clock.monotonic())

    def _failed(self, fault: OSError, left: float) -> Exception:
        return self._without_answer(self._stuck or unreached(self._provider, os_error_text(fault)), left)

    def _without_answer(self, failure: ProviderFailure, left: float) -> Exception:
        """What to raise where no answer came."""
        if self._connection.reused and not self._begun and not self._pending.was_cancelled:
            return KeptConnectionLost(left)
        return failure


def os_error_text(fault: OSError | UnicodeError) -> str:
    """The cause in short: `Connection refused`, `Name or service not known`, or the class name."""
    return (fault.strerror if isinstance(fault, OSError) else None) or type(fault).__name__
