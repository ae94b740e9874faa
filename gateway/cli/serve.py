"""The verb that serves: from a terminal, as a program without one, or as a Windows service."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.shared import (
    BadConfig,
    Failed,
    bad_config,
    chosen_file,
    config_option,
    configuration,
    host_option,
    overrides,
    port_option,
)

if TYPE_CHECKING:
    from gateway.config.loader import Loaded
    from gateway.config.overrides import Overrides
    from gateway.process import Supervisor


@click.command()
@config_option
@host_option
@port_option
@click.option("--windows-service", "service", metavar="NAME", hidden=True, help="Be the Windows service NAME.")
@click.option("--worker", type=click.IntRange(min=0), hidden=True, help="Be this worker of the process that starts it.")
@click.option("--hub", type=click.IntRange(min=0), hidden=True, help="Its connection with that process.")
@click.option("--managed", is_flag=True, hidden=True, help="A bad configuration ends with 0, once it is told.")
def serve(  # noqa: PLR0913 - the options of one command
    path: Path | None,
    host: str | None,
    port: int | None,
    service: str | None,
    *,
    worker: int | None,
    hub: int | None,
    managed: bool,
) -> None:
    """Serve until Ctrl-C (the default command)."""
    if worker is not None:
        sys.exit(_be_worker(worker, hub))
    if service is not None:
        from gateway.service.windows_service import run_dispatcher

        try:
            sys.exit(run_dispatcher(service, lambda control: _exit_code(path, host, port, control)))
        except OSError as fault:
            raise Failed(f"{fault}.") from None
    try:
        with _failures_told(path), _stop_event() as supervisors:
            sys.exit(_run(path, host, port, *supervisors))
    except BadConfig as fault:
        if not managed:
            raise
        fault.show()  # launchd starts again what ends with any code but 0


def _run(path: Path | None, host: str | None, port: int | None, *supervisors: "Supervisor") -> int:
    gc.disable()  # until it serves: what a start imports and makes stays, and looking through it takes a tenth of it
    try:
        from gateway.config.workers import worker_count
        from gateway.httpd.listening import BindError
        from gateway.sharing.faults import UnusableServer

        said = overrides(host, port, create_key=True)
        loaded = configuration(path, said)
        try:
            if worker_count(loaded.config.gateway) > 1:
                return _run_workers(loaded, said)
            from gateway.run import run

            return run(loaded, os.environ, said, supervisors)
        except (BindError, UnusableServer) as fault:
            raise Failed(str(fault)) from None
    finally:
        gc.enable()


def _run_workers(loaded: "Loaded", said: "Overrides") -> int:
    from gateway.parent import run_parent
    from gateway.workers.run_directory import NoRunDirectory

    if loaded.config.sharing.engine == "redis":
        from gateway.together import together  # not for every parent: with it come the engines

        together(loaded)  # a server that refuses this gateway is found before there are workers
    try:
        return run_parent(loaded, os.environ, said)
    except NoRunDirectory as fault:
        raise Failed(str(fault)) from None


def _be_worker(number: int, hub: int | None) -> int:
    gc.disable()  # as above
    from gateway.sharing.faults import UnusableServer
    from gateway.worker import NoParent, run_worker

    try:
        with bad_config():
            return run_worker(number, -1 if hub is None else hub, os.environ)
    except (NoParent, UnusableServer) as fault:
        raise Failed(str(fault)) from None
    finally:
        gc.enable()


def _exit_code(path: Path | None, host: str | None, port: int | None, control: "Supervisor") -> int:
    """How a service has ended, for its manager, to which an exception tells nothing."""
    try:
        with _failures_told(path):
            return _run(path, host, port, control)
    except Failed as fault:
        return fault.exit_code


@contextmanager
def _failures_told(path: Path | None) -> Iterator[None]:
    """Write into the log file what would be lost, because there is no standard error."""
    try:
        yield
    except Exception as fault:
        if sys.stderr is None:
            from gateway.service import start_log

            if isinstance(fault, Failed):
                start_log.tell(chosen_file(path), fault.message)
            else:
                start_log.tell(chosen_file(path), "The gateway has ended by a fault.", fault)
        raise


@contextmanager
def _stop_event() -> Iterator[tuple["Supervisor", ...]]:
    """What `service stop` sets on Windows."""
    if sys.platform != "win32":
        yield ()
        return
    from gateway.service.stop_event import StopEvent

    with closing(StopEvent()) as event:
        yield (event,)
