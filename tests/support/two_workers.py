"""Two gateways in this process that know of each other as two workers do: a hub and the files of a run directory."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import gateway.serve
from gateway.core.clock import Clock, SystemClock
from gateway.knowledge import Knowledge, shared_knowledge
from gateway.runtime import Runtime
from gateway.workers.siblings import Siblings
from tests.support.running import Running, running
from tests.support.siblings import Hub


class TwoWorkers:
    """Both, and the hub between them."""

    def __init__(self, hub: Hub, one: Running, two: Running) -> None:
        self.hub = hub
        self.one, self.two = one, two
        self.both = (one, two)

    def settle(self) -> None:
        """Wait until the calls of both are recorded."""
        for worker in self.both:
            worker.settle()


def _runtime(worker: Siblings, known: Knowledge, environ: Mapping[str, str], **given: Any) -> Runtime:
    return Runtime(environ, **{**given, "siblings": worker, "knowledge": known})


@contextmanager
def two_workers(
    config: Mapping[str, object], folder: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock | None = None
) -> Iterator[TwoWorkers]:
    """Both serve the same configuration, each at a port of its own.

    Args:
        config: as above.
        folder: the run directory.
        monkeypatch: gives each gateway what a parent process would give it.
        clock: of both.
    """
    hub = Hub(2)
    before = set(threading.enumerate())
    with ExitStack() as closing:
        found = []
        for worker in hub.workers:
            knowledge = shared_knowledge(folder, worker.number, (clock or SystemClock()).wall)
            monkeypatch.setattr(gateway.serve, "Runtime", partial(_runtime, worker, knowledge))
            found.append(closing.enter_context(running(config, clock=clock, alone=False)))
        yield TwoWorkers(hub, *found)
    left = [thread for thread in set(threading.enumerate()) - before if not thread.name.startswith("upstream")]
    assert not left, f"threads of the gateways stay: {left}"
