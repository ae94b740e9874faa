"""What a dispatch begins with: the targets of one call in order, and the size of its request."""

from collections.abc import Callable, Sequence

from msgspec import Struct

from gateway.dispatch.operation import Operation
from gateway.limits.token_reserves import RequestSize
from gateway.routing.router import Target


class CandidateOrder(Struct, frozen=True):
    """The targets to ask, in order.

    Attributes:
        ready: may be asked now.
        cooling_down: may not; asked where no other is left, the one due soonest first.
        queue: wait in the queue of a rate limit instead of asking the next target.
        due: seconds until a target may be asked, as of now.
    """

    ready: Sequence[Target]
    cooling_down: Sequence[Target]
    queue: bool
    due: Callable[[Target], float]


class SizeOnce:
    """The size of an operation, found when a limit asks first. Two branches may both find it, and it is the same.

    A class, because functools.cache takes 2.5 us to make a function of this; and no method of the dispatch, whose
    candidates hold it: a call leaves no cycle for the garbage collector.
    """

    __slots__ = ("_found", "_operation")

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._found: RequestSize | None = None

    def __call__(self) -> RequestSize:
        if self._found is None:
            self._found = self._operation.size()
        return self._found
