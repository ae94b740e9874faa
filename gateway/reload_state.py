"""How the reloads of a configuration have ended: a value, so that a process which does not reload by itself can be told
by the one that does."""

from collections.abc import Mapping
from typing import Protocol

import msgspec
from msgspec.structs import replace

from gateway.config.changes import ReloadOutcome


class ReloadState(msgspec.Struct, frozen=True):
    """What is known of them.

    Attributes:
        succeeded_at: wall seconds of the latest one that was, or of the start.
        success, failed: how many have ended so.
        latest: when the latest one ended, in wall seconds, and how; None before the first.
        needs_restart: the settings of the file, as it was last taken over, whose old value stays until the process is
            started anew.
    """

    succeeded_at: float
    success: int = 0
    failed: int = 0
    latest: tuple[float, ReloadOutcome] | None = None
    needs_restart: tuple[str, ...] = ()

    @property
    def counts(self) -> Mapping[str, int]:
        """How many have ended in `success`, with or without a change, and in `failed`."""
        return {"success": self.success, "failed": self.failed}

    @property
    def succeeded(self) -> bool:
        """Whether the latest one was taken over; True before the first."""
        return self.latest is None or not self.latest[1].faults

    def after(self, outcome: ReloadOutcome, now: float) -> "ReloadState":
        """The state after one more, at `now` in wall seconds."""
        if outcome.faults:
            return replace(self, failed=self.failed + 1, latest=(now, outcome))
        return ReloadState(now, self.success + 1, self.failed, (now, outcome), outcome.needs_restart)


class Reloaded(Protocol):
    """What reloads, or is told of it (gateway.reload.Reloads)."""

    @property
    def state(self) -> ReloadState:
        """How the reloads have ended."""
