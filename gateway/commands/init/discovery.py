"""Looks for what a first configuration can be made of: keys in the environment, servers on this machine, and files in
which other tools keep tokens.

It takes no key and no token with it: of a key the variable's name is kept, of a file its path. The machine comes in as
a value, so that a test can make one up.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from gateway.auth.adc import adc_path
from gateway.auth.tokens.polled_file import read_whole
from gateway.commands.init.local_servers import ASK_SECONDS, LocalServer, answering
from gateway.core.clock import Clock
from gateway.core.strict_json import JsonFault, as_object, loads
from gateway.providers import catalog
from gateway.providers.vendors import VENDORS


@dataclass(frozen=True, slots=True)
class Machine:
    """Where to look.

    Attributes:
        environ: the environment's variables.
        home: the person's folder; None where none is known.
        servers: the base addresses to ask, by the vendor's name.
        clock: for the time that servers get.
        seconds: that time, for all of them together.
    """

    environ: Mapping[str, str]
    home: Path | None
    servers: Mapping[str, str]
    clock: Clock
    seconds: float = ASK_SECONDS


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A vendor's key in the environment: who it is for, and the variable's name."""

    provider: str
    variable: str


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file in which another tool keeps a token.

    Attributes:
        provider: a name for the provider that uses it.
        vendor: whose token it is.
        path: the file, with `~` where it is in the person's folder.
        format: as in `tokenFile`; "adc" where the provider gets its token by `authType: adc`.
        off: why it is not used unless the person says so; None where it is used.
    """

    provider: str
    vendor: str
    path: str
    format: Literal["codex", "gemini-cli", "adc"]
    off: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """What is there, and sentences about what is there and cannot be used."""

    keys: tuple[FoundKey, ...]
    servers: tuple[LocalServer, ...]
    files: tuple[FoundFile, ...]
    unusable: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.keys or self.servers or self.files)


def this_machine(environ: Mapping[str, str], clock: Clock) -> Machine:
    """The machine that this process runs on."""
    home = os.path.expanduser("~")
    servers = {name: each.endpoint for name, each in VENDORS.items() if each.key_env is None and each.endpoint}
    return Machine(environ, None if home == "~" else Path(home), servers, clock)


def look(machine: Machine) -> Found:
    """What is there."""
    keys = tuple(
        FoundKey(name, variable)
        for name in catalog.from_environment(machine.environ)
        if (variable := VENDORS[name].key_env) is not None
    )
    servers = answering(machine.servers, machine.seconds, machine.clock)
    idle = [f"{each.provider} answers at {each.address} and has no model yet" for each in servers if not each.models]
    return Found(
        keys,
        tuple(each for each in servers if each.models),
        tuple(_files(machine, {key.provider for key in keys})),
        (*catalog.unusable_keys(machine.environ), *idle),
    )


@dataclass(frozen=True, slots=True)
class _Tool:
    """A tool that keeps tokens: see FoundFile. `path` is None where nothing is known; `off` is told the content."""

    provider: str
    vendor: str
    format: Literal["codex", "gemini-cli", "adc"]
    path: Callable[[Machine], Path | None]
    off: Callable[[Mapping[str, object]], str | None]


def _codex(machine: Machine) -> Path | None:
    """https://github.com/openai/codex, docs/config.md (2026-11): CODEX_HOME, else ~/.codex"""
    folder = machine.environ.get("CODEX_HOME", "").strip()
    if folder:
        return Path(os.path.expanduser(folder), "auth.json")
    return machine.home and machine.home / ".codex" / "auth.json"


def _gemini_cli(machine: Machine) -> Path | None:
    return machine.home and machine.home / ".gemini" / "oauth_creds.json"


def _codex_off(content: Mapping[str, object]) -> str | None:
    login = isinstance(content.get("tokens"), dict)
    return "it is Codex's own login, which was issued for Codex and not for OpenAI's API" if login else None


TOOLS: Final = (
    _Tool("codex", "openai", "codex", _codex, _codex_off),
    _Tool(
        "gemini-cli",
        "gemini",
        "gemini-cli",
        _gemini_cli,
        lambda content: "it is Gemini CLI's own login, which is for another service than Gemini's API",
    ),
    _Tool("gcloud", "gemini", "adc", lambda machine: adc_path(machine.environ), lambda content: None),
)
"""What works with whom, and the vendors' terms: docs/providers.md."""


def _files(machine: Machine, keyed: set[str]) -> list[FoundFile]:
    found = []
    for tool in TOOLS:
        path = tool.path(machine)
        content = None if path is None else _content(path)
        if path is None or content is None:
            continue
        off = tool.off(content) or ("the key above is used" if tool.vendor in keyed else None)
        found.append(FoundFile(tool.provider, tool.vendor, _shown(path, machine.home), tool.format, off))
    return found


def _content(path: Path) -> Mapping[str, object] | None:
    """The JSON object in a file; None where there is none."""
    try:
        return as_object(loads(read_whole(path, os.stat(path))))
    except (OSError, ValueError, JsonFault):
        return None


def _shown(path: Path, home: Path | None) -> str:
    if home is not None and path.is_relative_to(home):
        return f"~/{path.relative_to(home).as_posix()}"
    return str(path)
