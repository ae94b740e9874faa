"""What the verbs share: their common options, the configuration that they work on, and how they fail.

0 is fine, 1 is failed, 2 is a bad configuration or usage; a failure is one clear line, or one a fault.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from gateway.config.loader import Check, ConfigError, Loaded, load
from gateway.config.overrides import HOST, PORT, Overrides, from_environment
from gateway.core.program import command
from gateway.core.texts import printable

if TYPE_CHECKING:
    from gateway.commands.accounts import Accounts

DEFAULT_FILE: Final = "config.yaml"
VARIABLE: Final = "LLM_GATEWAY_CONFIG"

config_option = click.option(
    "-c",
    "--config",
    "path",
    type=click.Path(path_type=Path),
    help=f"The configuration file; else ${VARIABLE}, else ./{DEFAULT_FILE}, else the embedded demo.",
)

host_option = click.option("--host", help=f"Address of the gateway, instead of ${HOST} or gateway.host.")
port_option = click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help=f"Port of the gateway, instead of ${PORT} or gateway.port; 0 picks a free one.",
)


class Failed(click.ClickException):
    """One clear line on standard error, and exit code 1."""

    def show(self, file: object = None) -> None:
        click.echo(self.message, err=True)


class BadConfig(Failed):
    """Likewise, a line a fault, and exit code 2."""

    exit_code = 2


def configuration(path: Path | None, overrides: Overrides) -> Loaded:
    """What is served, or would be: checked as at the start."""
    from gateway.providers import catalog

    return _load(path, overrides, catalog.check(os.environ))


def overrides(host: str | None = None, port: int | None = None, *, create_key: bool = False) -> Overrides:
    """What the options and the environment say over the file; `create_key` where the gateway is to start."""
    with bad_config():
        return from_environment(os.environ, host, port, create_key=create_key)


def accounts_of(path: Path | None) -> "Accounts":
    """The providers as accounts. Not checked as for serving: a key that one provider lacks is no reason not to log in
    to another one, and `status` says it."""
    from gateway.commands.accounts import Accounts
    from gateway.core.clock import SystemClock

    return Accounts(unchecked(path), os.environ, SystemClock())


def unchecked(path: Path | None) -> Loaded:
    """The configuration, for what needs none of its keys."""
    return _load(path, overrides())


@contextmanager
def one_clear_line(interrupted: str) -> Iterator[None]:
    """What ends a command for a known reason, or by Ctrl-C, as its line and exit code."""
    from gateway.commands.accounts import CommandFailed

    try:
        yield
    except CommandFailed as fault:
        raise (BadConfig if fault.exit_code == BadConfig.exit_code else Failed)(str(fault)) from None
    except KeyboardInterrupt:
        raise Failed(interrupted) from None


def target_of(path: Path | None) -> Path:
    """Where a file is written that is found without being named again, unless `path` names another one."""
    return path or _from_variable() or Path(DEFAULT_FILE)


@contextmanager
def bad_config(path: Path | None = None) -> Iterator[None]:
    """Faults of a configuration as their lines and exit code; where its file is missing, how to get one."""
    try:
        yield
    except ConfigError as fault:
        raise BadConfig(f"{fault}{_way_to_a_file(path)}") from None


def _way_to_a_file(path: Path | None) -> str:
    """How to get the file that is named, where there is none."""
    if path is None or os.path.lexists(path):
        return ""
    write = command(f'init -c "{printable(str(path))}"')
    return f"\nto write one: {write}; or copy config.example.yaml to it"


def _load(path: Path | None, said: Overrides, *checks: Check) -> Loaded:
    from gateway.default_config import without_file

    chosen = chosen_file(path)
    with bad_config(chosen):
        if chosen is None:
            return without_file(os.environ, said)
        return load(chosen, env=os.environ, checks=checks, overrides=said)


def chosen_file(path: Path | None) -> Path | None:
    """The configuration file of a command; None where there is none."""
    return path or _from_variable() or _in_this_folder()


def _from_variable() -> Path | None:
    named = os.environ.get(VARIABLE, "")
    return Path(os.path.expanduser(named)) if named else None  # pathlib raises where no home folder is known


def _in_this_folder() -> Path | None:
    usual = Path(DEFAULT_FILE)
    return usual if usual.exists() else None
