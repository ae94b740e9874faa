"""The contenders: one class for each, which finds its program, starts it, and knows how to send it a request.

All of them have the same job, as far as they can do it: pass a chat on to one OpenAI-compatible upstream. This module
has the gateway and the upstream alone; others.py has the rest.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from benchmarks.machine import spread
from benchmarks.options import Options
from benchmarks.processes import ROOT, Child, free_port
from benchmarks.traffic import Target

KEY: Final = "sk-benchmark-0123456789abcdef"
MODEL: Final = "bench-model"
NO_LIMIT: Final = 1_000_000
"""Requests a minute. No contender can do as many, so the limit counts and never binds."""


@dataclass(frozen=True, slots=True)
class Place:
    """The place in which a contender starts.

    Attributes:
        folder: its own, for configuration and log.
        upstream: the upstream's port.
        options: of the run.
    """

    folder: Path
    upstream: int
    options: Options


@dataclass(frozen=True, slots=True)
class Served:
    """A contender that was started. `child` is None if it has no process of its own."""

    target: Target
    child: Child | None


def bearer() -> tuple[tuple[str, str], ...]:
    """The header with KEY."""
    return (("Authorization", f"Bearer {KEY}"),)


class Contender(Protocol):
    """A program that passes chats on."""

    name: str

    def missing(self, options: Options) -> str | None:
        """Why it cannot be started here; None if it can."""

    def start(self, place: Place) -> Served:
        """Start it on a free port of 127.0.0.1. It need not answer yet."""


class Direct:
    """No contender, but the upstream itself: the floor of all added times and the ceiling of all rates."""

    name = "direct"

    def missing(self, options: Options) -> str | None:
        return None

    def start(self, place: Place) -> Served:
        return Served(Target(place.upstream, "gpt-4o", bearer()), None)


class Gateway:
    """This project, as a user starts it, with every feature on that costs time on the way of a chat.

    Args:
        program: the arguments of Python in place of app.py.
        name: of the contender.
        recorded: whether the ledger is kept and the metrics are counted, as they are unless the configuration says no.
    """

    def __init__(
        self, program: tuple[str, ...] = (str(ROOT / "app.py"),), *, name: str = "gateway", recorded: bool = True
    ) -> None:
        self.name = name
        self._program = program
        self._recorded = recorded

    def missing(self, options: Options) -> str | None:
        return None

    def start(self, place: Place) -> Served:
        config = place.folder / "config.yaml"
        config.write_text(json.dumps(self._settings(place)), encoding="utf-8")
        port = free_port()
        command = [sys.executable, *self._program, "-c", str(config), "--port", str(port)]
        return Served(Target(port, MODEL, bearer(), translated=MODEL), Child(command, place.folder / "log"))

    def _settings(self, place: Place) -> dict[str, object]:
        return gateway_config(place.upstream, place.options.threads, recorded=self._recorded)


class Workers(Gateway):
    """This project with two workers. They may use every core, the load's too: on one core they would only be in each
    other's way. So on two cores the ratio to the gateway is that of a machine which is full."""

    def __init__(self) -> None:
        super().__init__(name="workers")

    def missing(self, options: Options) -> str | None:
        return "several workers need Linux or macOS" if sys.platform == "win32" else None

    def start(self, place: Place) -> Served:
        served = super().start(place)
        if served.child is not None:
            spread(served.child.pid)
        return served

    def _settings(self, place: Place) -> dict[str, object]:
        return gateway_config(place.upstream, place.options.threads, workers=2)


class Before(Gateway):
    """Another checkout of this project, such as one of an earlier commit, with the same configuration."""

    def __init__(self) -> None:
        super().__init__(name="before")

    def missing(self, options: Options) -> str | None:
        return None if options.before and (options.before / "app.py").is_file() else "no other checkout; see --before"

    def start(self, place: Place) -> Served:
        folder = place.options.before or ROOT
        return Gateway((str(folder / "app.py"),)).start(place)


def gateway_config(upstream: int, threads: int, *, recorded: bool = True, workers: int = 1) -> dict[str, object]:
    """A key for callers, an alias with two targets, a limit that counts and never binds, JSON logs, and the ledger and
    metrics, or neither. An earlier version has no settings for these two, nor for workers, so that they are not written
    where they are the usual ones."""
    endpoint = f"http://127.0.0.1:{upstream}/v1"
    provider = {"type": "openai", "apiEndpoint": endpoint, "apiKey": "sk-upstream-0123456789"}
    targets = [
        {"provider": "first", "model": "gpt-4o", "priority": 1},
        {"provider": "second", "model": "gpt-4o-mini", "priority": 2},
    ]
    return {
        "gateway": {
            "apiKeys": [KEY],
            "threads": threads,
            **({} if recorded else {"metrics": False}),
            **({} if workers == 1 else {"workers": workers}),
        },
        **({} if recorded else {"ledger": {"enabled": False}}),
        "modelAliases": [{"alias": MODEL, "providers": targets}],
        "rateLimits": [{"provider": "first", "requestsPerMinute": NO_LIMIT}],
        "providers": {"first": provider, "second": provider},
        "logging": {"level": "info", "format": "json"},
    }
