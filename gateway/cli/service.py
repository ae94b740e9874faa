"""The verb `service`: the gateway as a service of this system."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.shared import DEFAULT_FILE, BadConfig, Failed, chosen_file, config_option
from gateway.config.loader import ConfigError, Loaded, load
from gateway.config.overrides import from_environment

if TYPE_CHECKING:
    from gateway.service.machine import Machine
    from gateway.service.manager import Service, ServiceManager

Action = Callable[["ServiceManager", "Service"], Sequence[str]]

system_option = click.option(
    "--system", is_flag=True, help="Windows: a service of the machine, from boot on; needs an administrator."
)
dry_run_option = click.option("--dry-run", is_flag=True, help="Change nothing; show what would be done.")


@click.group()
def service() -> None:
    """Run the gateway as a service of this system.

    It starts at logon and needs no terminal. Linux: a systemd user unit; macOS: a launchd agent; Windows: a task of
    Task Scheduler. None needs an administrator.
    """


@service.command()
@system_option
@click.option("--account", help="Windows, with --system: whom it runs as, instead of LocalSystem.")
@click.option("--dry-run", is_flag=True, help="Change nothing; print the file that would be installed.")
@config_option
def install(path: Path | None, system: bool, account: str | None, dry_run: bool) -> None:
    """Install and start it.

    Once more changes what differs. It is refused while `check` fails, or where the service would not see a variable
    that the configuration needs.
    """
    from gateway.service.command_line import program
    from gateway.service.plan import plan

    machine = _machine(dry=dry_run)
    with _in_words():
        manager = _manager(machine, path, system=system, account=account)
        planned = plan(program(), lambda env: _checked(path, env), manager, os.environ)
        for warning in planned.warnings:
            click.echo(f"warning: {_one_line(warning)}", err=True)
        if dry_run:
            _print(manager.document(planned.service))
            click.echo(f"would install {manager.place}" if planned.refusal is None else planned.refusal, err=True)
        elif planned.refusal is not None:
            raise Failed(planned.refusal)
        else:
            _say(manager.install(planned.service))


@service.command()
@system_option
@dry_run_option
@config_option
def uninstall(path: Path | None, system: bool, dry_run: bool) -> None:
    """Stop and remove it."""
    _act(path, lambda manager, running: manager.uninstall(running), system=system, dry_run=dry_run)


@service.command()
@system_option
@dry_run_option
@config_option
def start(path: Path | None, system: bool, dry_run: bool) -> None:
    """Start it."""
    _act(path, lambda manager, _: manager.start(), system=system, dry_run=dry_run)


@service.command()
@system_option
@dry_run_option
@config_option
def stop(path: Path | None, system: bool, dry_run: bool) -> None:
    """Stop it.

    Answers that run may end within gateway.drainSeconds.
    """
    _act(path, lambda manager, running: manager.stop(running), system=system, dry_run=dry_run)


@service.command()
@system_option
@config_option
def status(path: Path | None, system: bool) -> None:
    """Say whether it runs and answers.

    The system's service manager is asked, and the gateway. Exit code 1: no gateway answers.
    """
    from gateway.commands.running_gateway import DEGRADED, SERVING, address, ask_health
    from gateway.service.manager import ServiceFailed

    with _in_words():
        manager = _manager(_machine(), path, system=system)
        try:
            _say([manager.status()])
        except ServiceFailed as fault:
            _say([str(fault)])
        settings = _served(path, manager).config.gateway
    health = ask_health(settings)
    _say([f"{address(settings)}: {health or 'nobody answers'}"])
    sys.exit(0 if health in (SERVING, DEGRADED) else 1)


@service.command()
@system_option
@config_option
def logs(path: Path | None, system: bool) -> None:
    """Show its last log lines."""
    from gateway.service.log_tail import last_lines
    from gateway.service.manager import LAST_LINES
    from gateway.service.start_log import configured_log

    with _in_words():
        manager, file = _manager(_machine(), path, system=system), configured_log(chosen_file(path))
        _say((f"{file}:", *last_lines(file, LAST_LINES)) if file else manager.logs())


def _act(path: Path | None, action: Action, *, system: bool, dry_run: bool) -> None:
    from gateway.service.machine import DryMachine

    machine = _machine(dry=dry_run)
    with _in_words():
        manager = _manager(machine, path, system=system)
        done = action(manager, _running(path, manager))
        _say(machine.would if isinstance(machine, DryMachine) else done)


def _machine(*, dry: bool = False) -> "Machine":
    from gateway.core.clock import SystemClock
    from gateway.service.machine import DryMachine, Machine, run

    user = 0
    if sys.platform != "win32":
        user = os.getuid()
    return (DryMachine if dry else Machine)(run, Path.home(), os.environ, SystemClock(), user)


def _manager(machine: "Machine", path: Path | None, *, system: bool, account: str | None = None) -> "ServiceManager":
    from gateway.service.choice import manager_of
    from gateway.service.start_log import log_path

    return manager_of(sys.platform, machine, log_path(chosen_file(path)), system=system, account=account)


def _running(path: Path | None, manager: "ServiceManager") -> "Service":
    """What runs, as far as the configuration tells: one with faults, or none, is no reason not to stop a service."""
    from gateway.config.schema import Config
    from gateway.service.command_line import program
    from gateway.service.plan import service_of

    try:
        loaded = _served(path, manager)
    except ConfigError:
        settings = Config().gateway
        assumed = f"port {settings.port} and {settings.drain_seconds:g} s to drain are assumed"
        click.echo(f"warning: the configuration cannot be used: {assumed}", err=True)
        loaded = Loaded(Config(), None, ())
    return service_of(replace(loaded, path=loaded.path or Path(DEFAULT_FILE)), program())


def _served(path: Path | None, manager: "ServiceManager") -> Loaded:
    from gateway.service.plan import as_served

    return as_served(lambda env: _checked(path, env), manager, os.environ)


def _checked(path: Path | None, environ: Mapping[str, str]) -> Loaded:
    """The configuration as `check` reads it, in an environment."""
    from gateway.default_config import without_file
    from gateway.providers import catalog

    chosen, said = chosen_file(path), from_environment(environ)
    if chosen is None:
        return without_file(environ, said)
    return load(chosen, env=environ, checks=[catalog.check(environ)], overrides=said)


def _print(document: bytes) -> None:
    """The bytes of a file, or on a terminal its text."""
    if sys.stdout is not None and sys.stdout.isatty():
        click.echo(document.decode("utf-16" if document.startswith(b"\xff\xfe") else "utf-8"), nl=False)
    else:
        click.echo(document, nl=False)


def _say(lines: Sequence[str]) -> None:
    for line in lines:
        click.echo(_one_line(line))


def _one_line(text: str) -> str:
    from gateway.commands.console import one_line

    return one_line(text)


@contextmanager
def _in_words() -> Iterator[None]:
    from gateway.service.manager import ServiceFailed, WrongSystem

    try:
        yield
    except ConfigError as fault:
        raise BadConfig(str(fault)) from None
    except WrongSystem as fault:
        raise BadConfig(str(fault)) from None
    except ServiceFailed as fault:
        raise Failed(str(fault)) from None
    except KeyboardInterrupt:
        raise Failed("Stopped. `service status` says how far it has come.") from None
