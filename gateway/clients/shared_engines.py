"""The engines of a gateway with several worker processes: limits and budgets in mapped files of the run directory.

What the parent and a worker do:

- The parent gives the folder to all, empty of what an earlier run left.
- A worker builds its Runtime with `engines=partial(shared_engines, folder, number)`. That gives back what an earlier
  process of its number held.
- The parent calls `forget_worker` when a worker has died, before it starts another one of that number.

Imported only where there are several workers: it needs mmap and flock.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from gateway.clients import shared_budgets
from gateway.clients.engines import Engines
from gateway.clients.shared_budgets import SharedBudgets
from gateway.core.clock import Clock, SystemClock
from gateway.limits import shared_forget
from gateway.limits.shared_engine import SharedEngine
from gateway.sharing.blocks import Blocks


def shared_engines(folder: Path, number: int, clock: Clock) -> Engines:
    """The engines of one worker.

    Args:
        folder: the run directory; private to the user, and the same for all workers.
        number: the worker's, from 0 to gateway.sharing.workers.MAX_WORKERS - 1.
        clock: the time.

    Raises:
        OSError: a file cannot be made.
    """
    return Engines(
        SharedEngine(folder, "providers", number, clock),
        SharedEngine(folder, "clients", number, clock),
        SharedBudgets(folder, number, clock),
    )


def forget_worker(folder: Path, number: int, clock: Clock | None = None) -> None:
    """A worker has died: its places, its calls in the lines and its reservations are given back. What it had not yet
    reported as sent counts as sent now. Others may run meanwhile.

    Args:
        folder: the run directory.
        number: the dead worker's.
        clock: the time of the workers; the system's by default.

    Raises:
        OSError: a file cannot be opened.
    """
    for path in sorted(folder.glob(f"*{shared_forget.SUFFIX}")):
        with _opened(path, shared_forget.LAYOUT, number) as blocks:
            shared_forget.forget(blocks, number, clock or SystemClock())
    if (budgets := folder / shared_budgets.FILE).exists():
        with _opened(budgets, shared_budgets.LAYOUT, number) as blocks:
            shared_budgets.forget(blocks, number)


@contextlib.contextmanager
def _opened(path: Path, layout: str, number: int) -> Iterator[Blocks]:
    blocks = Blocks(path, layout, number)
    try:
        yield blocks
    finally:
        blocks.words.close()
