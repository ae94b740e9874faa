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

host_option = click.option("--host", help="Loopback address of the gateway, instead of gateway.host.")
port_option = click.option(
    "--port", type=click.IntRange(0, 65535), help="Port of the gateway, instead of gateway.port; 0 picks a free one."
)


class Failed(click.ClickException):
    """One clear line on standard error, and exit code 1."""

    def show(self, file: object = None) -> None:
        click.echo(self.message, err=True)


class BadConfig(Failed):
    """Likewise, a line a fault, and exit code 2."""

    exit_code = 2


def configuration(path: Path | None, port: int | None = None) -> Loaded:
    from gateway.assembly import without_file
    from gateway.providers import catalog

    chosen = _chosen(path)
    return without_file(os.environ) if chosen is None else _load(chosen, catalog.check(os.environ, port))


def accounts_of(path: Path | None) -> "Accounts":
    """The providers as accounts. Not checked as for serving: a key that one provider lacks is no reason not to log in
    to another one, and `status` says it."""
    from gateway.commands.accounts import Accounts
    from gateway.core.clock import SystemClock

    return Accounts(unchecked(path), os.environ, SystemClock())


def unchecked(path: Path | None) -> Loaded:
    """The configuration, for what needs none of its keys."""
    from gateway.assembly import without_file

    chosen = _chosen(path)
    return without_file(os.environ) if chosen is None else _load(chosen)


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


def _load(path: Path, *checks: Check) -> Loaded:
    try:
        return load(path, env=os.environ, checks=checks)
    except ConfigError as fault:
        raise BadConfig(str(fault)) from None


def _chosen(path: Path | None) -> Path | None:
    return path or _from_variable() or _in_this_folder()


def _from_variable() -> Path | None:
    named = os.environ.get(VARIABLE, "")
    return Path(os.path.expanduser(named)) if named else None  # pathlib raises where no home folder is known


def _in_this_folder() -> Path | None:
    usual = Path(DEFAULT_FILE)
    return usual if usual.exists() else None
