"""Machines that are made up, and `init` on them."""

import json
from collections.abc import Mapping
from pathlib import Path

from gateway.commands.check import lines
from gateway.commands.init import command
from gateway.commands.init.discovery import Machine
from gateway.config.loader import Loaded, load
from gateway.core.clock import SystemClock
from gateway.providers import catalog
from tests.commands.test_login import Terminal
from tests.support.served import HANG
from tests.support.upstream_script import Json

CANARY = "canary-0123456789"
NOBODY: Mapping[str, str] = {}


def models(*names: object, owner: str = "library") -> Json:
    data = [{"id": name, "object": "model", "owned_by": owner} for name in names]
    return Json(200, {"object": "list", "data": data})


class MadeUp:
    """A machine with a home folder, and `init` on it."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        self.target = folder / "config.yaml"
        self.environ = {"CLOUDSDK_CONFIG": str(self.home / "gcloud"), "CODEX_HOME": ""}
        self.servers: dict[str, str] = {}
        self.seconds: float = HANG
        self.terminal = Terminal()

    def has(self, path: str, content: object) -> None:
        file = self.home / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content))

    @property
    def machine(self) -> Machine:
        return Machine(self.environ, self.home, self.servers, SystemClock(), self.seconds)

    def init(self, *, ask: bool = True) -> str:
        """What is said until the next command; the file is written."""
        command.refuse_existing(self.target)
        found = command.find(self.target, self.machine, self.terminal.say)
        command.write(found, self.target, self.machine, self.terminal, ask=ask)
        for line in lines(self.checked(), self.environ):
            self.terminal.say(line)
        self.terminal.say(command.next_step(found, self.target, named=False))
        return self.terminal.said

    def checked(self) -> Loaded:
        """The file as `check` loads it; a fault raises."""
        return load(self.target, env=self.environ, checks=[catalog.check(self.environ)])

    def text(self) -> str:
        return self.target.read_text(encoding="utf-8")

    def targets(self) -> dict[str, list[str]]:
        """By alias, who is asked for what."""
        return {
            each.alias: [f"{target.provider}/{target.model}" for target in each.providers]
            for each in self.checked().config.model_aliases
        }
