"""What an attempt has brought: a target's answer, and what its request still holds."""

from msgspec import Struct

from gateway.core.records import TryRecord
from gateway.limits.permit import UNLIMITED, Permit
from gateway.providers.base import Answer, Forwarded, OpenStream
from gateway.routing.health import HealthTicket
from gateway.routing.router import Target


class TargetAnswer(Struct, frozen=True):
    """A target's answer and what its request holds. A stream's holder closes it, or each part of it.

    Attributes:
        target: the target that answered.
        answer: whole, or a stream that has begun.
        ticket: open until a stream has ended.
        permit: of the rate limit; open until a stream has ended.
        sent: monotonic seconds when its request left.
        elapsed: seconds from there to the whole answer, or to the first content of a stream.
    """

    target: Target
    answer: Answer | Forwarded | OpenStream
    ticket: HealthTicket
    permit: Permit = UNLIMITED
    sent: float = 0.0
    elapsed: float = 0.0

    def as_try(self, outcome: str) -> TryRecord:
        """What is known of the try by now; of a stream its end is yet to come (Call.stream_ended)."""
        answer, target, ms = self.answer, self.target, round(self.elapsed * 1000)
        if isinstance(answer, OpenStream):
            return TryRecord(target.provider, target.model, outcome, target.account, ms, ms)
        usage = answer.response.usage if isinstance(answer, Answer) else answer.usage
        return TryRecord(target.provider, target.model, outcome, target.account, ms, None, None, usage)

    def close(self) -> None:
        """Discard the answer, without a verdict on the target. Idempotent."""
        self.ticket.close()
        self.permit.close()
        if isinstance(self.answer, OpenStream):
            self.answer.body.close()
