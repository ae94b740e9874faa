"""The verbs about the configuration, the logins and the running gateway."""

import json
import os
import sys
from pathlib import Path
from typing import Literal

import click

from gateway.cli.shared import (
    Failed,
    accounts_of,
    config_option,
    configuration,
    host_option,
    one_clear_line,
    port_option,
)
from gateway.config.loader import schema
from gateway.serve import with_address


@click.command()
@config_option
@host_option
@port_option
def serve(path: Path | None, host: str | None, port: int | None) -> None:
    """Serve until Ctrl-C (the default command)."""
    from gateway.httpd.listening import BindError
    from gateway.serve import run

    try:
        code = run(configuration(path, port), os.environ, host, port)
    except BindError as fault:
        raise Failed(str(fault)) from None
    sys.exit(code)


@click.command()
@config_option
@click.option("--schema", "as_schema", is_flag=True, help="Print the JSON Schema of the file instead.")
def check(path: Path | None, as_schema: bool) -> None:
    """Check the configuration and say everything that is wrong with it."""
    if as_schema:
        click.echo(json.dumps(schema(), indent=2))
        return
    from gateway.providers import catalog
    from gateway.upstream.surroundings import connection_notes, connection_warnings

    loaded = configuration(path)
    config = loaded.config
    endpoints = catalog.endpoints(config, os.environ)
    for warning in (*loaded.warnings, *connection_warnings(endpoints, os.environ)):
        click.echo(f"warning: {warning}")
    for note in connection_notes(endpoints, os.environ):
        click.echo(note)
    where = loaded.path or "no configuration file (the embedded demo would be served)"
    enabled = sum(provider.enabled for provider in config.providers.values())
    click.echo(
        f"{where}: fine; {len(config.model_aliases)} aliases, {enabled} of {len(config.providers)} providers enabled"
    )


@click.command()
@click.argument("name")
@config_option
@click.option("--device", "flow", flag_value="device", help="By a code that you confirm on any device.")
@click.option("--browser", "flow", flag_value="browser", help="By a browser on this machine, or a pasted address.")
@click.option("--no-browser", is_flag=True, help="Open no browser; only show the address.")
def login(name: str, path: Path | None, flow: Literal["device", "browser"] | None, no_browser: bool) -> None:
    """Log in to the provider NAME and keep its token."""
    from gateway.commands.console import Console
    from gateway.commands.login import Login, LoginOptions
    from gateway.core.clock import SystemClock

    accounts = accounts_of(path)
    with one_clear_line(f"Stopped. Not logged in to {name}."):
        command = Login(accounts.oauth(name), accounts.store, Console(os.environ), SystemClock(), os.environ)
        command.run(LoginOptions(flow, open_browser=not no_browser))


@click.command()
@click.argument("name")
@config_option
def logout(name: str, path: Path | None) -> None:
    """Revoke the token of the provider NAME and forget it."""
    from gateway.commands.console import Console
    from gateway.commands.logout import logout as log_out

    accounts = accounts_of(path)
    with one_clear_line(f"Stopped. The token of {name} may still be valid at the provider."):
        log_out(accounts, name, Console(os.environ), os.environ)


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def status(path: Path | None, as_json: bool) -> None:
    """Say what each provider authenticates with, until when, and what to do where it cannot."""
    from gateway.commands import status as command
    from gateway.core.clock import SystemClock

    clock = SystemClock()
    shown = command.overview(accounts_of(path), clock)
    click.echo(json.dumps(command.as_json(shown), indent=2) if as_json else command.as_text(shown, clock.wall()))


@click.command()
@click.argument("model")
@config_option
@host_option
@port_option
@click.option(
    "--endpoint",
    default="chat",
    help="For what: chat, responses, messages, embeddings, completions, rerank or moderations.",
)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def explain(  # noqa: PLR0913 - the options of one command
    model: str, *, path: Path | None, host: str | None, port: int | None, endpoint: str, as_json: bool
) -> None:
    """Say how MODEL would be routed right now, without asking any provider.

    It asks the gateway that runs on the configured address, if one does.
    """
    from gateway.commands import explain as command
    from gateway.core.clock import SystemClock
    from gateway.core.errors import InvalidRequest, ModelNotFound

    loaded, clock = with_address(configuration(path, port), host, port), SystemClock()
    try:
        shown = command.explain(model, loaded, os.environ, clock, endpoint)
    except (ModelNotFound, InvalidRequest) as unknown:
        raise Failed(unknown.message) from None
    click.echo(command.as_json(shown) if as_json else command.as_text(shown, loaded.config.gateway, clock.wall()))


@click.command()
@config_option
@host_option
@port_option
def reload(path: Path | None, host: str | None, port: int | None) -> None:
    """Have the running gateway read its configuration file again.

    It says what the gateway has taken over. Exit code 1: none runs; 2: the file was refused for its faults, and the
    gateway goes on with what it serves.
    """
    from gateway.commands import reload as command

    loaded = with_address(configuration(path, port), host, port)
    with one_clear_line("Stopped. The gateway may have reloaded its configuration."):
        click.echo(command.reload(loaded))
