"""What a process knows together with others, beside what it may ask of them (gateway.workers.siblings).

One process that serves alone knows nothing together with others. Several workers of a machine share files of the run
directory. Who shares something by other means puts it here likewise.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from gateway.handler.session_key import OWN_KEY
from gateway.observe.call_numbers import CallNumbers
from gateway.routing.rest_board import RestBoard
from gateway.wires.reasoning_memory import ToolCallLog


def _nothing() -> None:
    return None


class Knowledge(Struct, frozen=True):
    """The parts; None for what is known to this process alone.

    Attributes:
        rests: targets and accounts that are not to be asked now.
        calls: what vendors need back of tool calls.
        numbers: of calls that have ended.
        session_key: by which conversations are told apart (gateway.handler.session_key).
        close: closes what is open. Idempotent.
    """

    rests: RestBoard | None = None
    calls: ToolCallLog | None = None
    numbers: CallNumbers | None = None
    session_key: bytes = OWN_KEY
    close: Callable[[], None] = _nothing


ALONE: Final = Knowledge()
"""Of one process."""


def shared_knowledge(folder: Path, number: int, now: Callable[[], float]) -> Knowledge:
    """What the workers of a machine know together. Files that are not there are made.

    Args:
        folder: the run directory, private to the user. Files of an earlier gateway are to be gone.
        number: of this worker. What its predecessor held (probes of targets) is given back.
        now: wall seconds.

    Raises:
        OSError: a file cannot be made or mapped.
    """
    from gateway.observe.shared_numbers import SharedNumbers  # noqa: PLC0415 - mmap, which one process does not need
    from gateway.routing.shared_rests import SharedRests  # noqa: PLC0415
    from gateway.sharing.chance import shared_bytes  # noqa: PLC0415
    from gateway.wires.shared_calls import SharedCalls  # noqa: PLC0415

    rests, calls = SharedRests(folder / "rests", number), SharedCalls(folder / "calls")
    numbers = SharedNumbers(folder / "numbers", now)

    def close() -> None:
        for part in (rests, calls, numbers):
            part.close()

    return Knowledge(rests, calls, numbers, shared_bytes(folder / "session-key"), close)
