"""The command line: verbs, options, exit codes.

0 is fine, 1 is failed, 2 is a bad configuration or usage; a failure is one clear line, or one a fault.
"""

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import click

from gateway import __version__
from gateway.config.loader import Check, ConfigError, Loaded, load, schema
from gateway.serve import with_address

if TYPE_CHECKING:
    from gateway.commands.accounts import Accounts

DEFAULT_FILE: Final = "config.yaml"
VARIABLE: Final = "LLM_GATEWAY_CONFIG"


class ServeByDefault(click.Group):
    """A group whose options belong to `serve` where no verb is given."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "-h", "--version")):
            args = ["serve", *args]
        return super().parse_args(ctx, args)


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


@click.group(cls=ServeByDefault, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="llm-gateway", message="%(prog)s %(version)s")
def commands() -> None:
    """LLM Gateway: one local server between every LLM client and every provider.

    Without a command it serves, with the options of `serve`: -c FILE, --host HOST, --port PORT.
    """


@commands.command()
@config_option
@host_option
@port_option
def serve(path: Path | None, host: str | None, port: int | None) -> None:
    """Serve until Ctrl-C (the default command)."""
    from gateway.httpd.listening import BindError
    from gateway.serve import run

    try:
        code = run(_configuration(path, port), os.environ, host, port)
    except BindError as fault:
        raise _Failed(str(fault)) from None
    sys.exit(code)


@commands.command()
@config_option
@click.option("--schema", "as_schema", is_flag=True, help="Print the JSON Schema of the file instead.")
def check(path: Path | None, as_schema: bool) -> None:
    """Check the configuration and say everything that is wrong with it."""
    if as_schema:
        click.echo(json.dumps(schema(), indent=2))
        return
    from gateway.providers import catalog
    from gateway.upstream.surroundings import connection_notes, connection_warnings

    loaded = _configuration(path)
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


@commands.command()
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

    accounts = _accounts(path)
    with _one_clear_line(f"Stopped. Not logged in to {name}."):
        command = Login(accounts.oauth(name), accounts.store, Console(os.environ), SystemClock(), os.environ)
        command.run(LoginOptions(flow, open_browser=not no_browser))


@commands.command()
@click.argument("name")
@config_option
def logout(name: str, path: Path | None) -> None:
    """Revoke the token of the provider NAME and forget it."""
    from gateway.commands.console import Console
    from gateway.commands.logout import logout as log_out

    accounts = _accounts(path)
    with _one_clear_line(f"Stopped. The token of {name} may still be valid at the provider."):
        log_out(accounts, name, Console(os.environ), os.environ)


@commands.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def status(path: Path | None, as_json: bool) -> None:
    """Say what each provider authenticates with, until when, and what to do where it cannot."""
    from gateway.commands import status as command
    from gateway.core.clock import SystemClock

    clock = SystemClock()
    shown = command.overview(_accounts(path), clock)
    click.echo(json.dumps(command.as_json(shown), indent=2) if as_json else command.as_text(shown, clock.wall()))


@commands.command()
@click.argument("model")
@config_option
@host_option
@port_option
@click.option("--endpoint", default="chat", help="For what: chat, embeddings, completions, rerank or moderations.")
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

    loaded, clock = with_address(_configuration(path, port), host, port), SystemClock()
    try:
        shown = command.explain(model, loaded, os.environ, clock, endpoint)
    except (ModelNotFound, InvalidRequest) as unknown:
        raise _Failed(unknown.message) from None
    click.echo(command.as_json(shown) if as_json else command.as_text(shown, loaded.config.gateway, clock.wall()))


@commands.command()
@config_option
@host_option
@port_option
def reload(path: Path | None, host: str | None, port: int | None) -> None:
    """Have the running gateway read its configuration file again.

    It says what the gateway has taken over. Exit code 1: none runs; 2: the file was refused for its faults, and the
    gateway goes on with what it serves.
    """
    from gateway.commands import reload as command

    loaded = with_address(_configuration(path, port), host, port)
    with _one_clear_line("Stopped. The gateway may have reloaded its configuration."):
        click.echo(command.reload(loaded))


class _Failed(click.ClickException):
    """One clear line on standard error, and exit code 1."""

    def show(self, file: object = None) -> None:
        click.echo(self.message, err=True)


class _BadConfig(_Failed):
    """Likewise, a line a fault, and exit code 2."""

    exit_code = 2


def _configuration(path: Path | None, port: int | None = None) -> Loaded:
    from gateway.assembly import without_file
    from gateway.providers import catalog

    chosen = _chosen(path)
    return without_file(os.environ) if chosen is None else _load(chosen, catalog.check(os.environ, port))


def _accounts(path: Path | None) -> "Accounts":
    """The providers as accounts. Not checked as for serving: a key that one provider lacks is no reason not to log in
    to another one, and `status` says it."""
    from gateway.assembly import without_file
    from gateway.commands.accounts import Accounts
    from gateway.core.clock import SystemClock

    chosen = _chosen(path)
    loaded = without_file(os.environ) if chosen is None else _load(chosen)
    return Accounts(loaded, os.environ, SystemClock())


@contextmanager
def _one_clear_line(interrupted: str) -> Iterator[None]:
    """What ends a command for a known reason, or by Ctrl-C, as its line and exit code."""
    from gateway.commands.accounts import CommandFailed

    try:
        yield
    except CommandFailed as fault:
        raise (_BadConfig if fault.exit_code == _BadConfig.exit_code else _Failed)(str(fault)) from None
    except KeyboardInterrupt:
        raise _Failed(interrupted) from None


def _load(path: Path, *checks: Check) -> Loaded:
    try:
        return load(path, env=os.environ, checks=checks)
    except ConfigError as fault:
        raise _BadConfig(str(fault)) from None


def _chosen(path: Path | None) -> Path | None:
    return path or _from_variable() or _in_this_folder()


def _from_variable() -> Path | None:
    named = os.environ.get(VARIABLE, "")
    return Path(os.path.expanduser(named)) if named else None  # pathlib raises where no home folder is known


def _in_this_folder() -> Path | None:
    usual = Path(DEFAULT_FILE)
    return usual if usual.exists() else None


def adapt_output(stream: object, platform: str, environ: Mapping[str, str]) -> None:
    """Have a stream take every text: what it cannot show is escaped.

    On Windows a file or a pipe gets UTF-8, because its code page lacks most languages; a console shows all letters.

    Args:
        stream: standard output or error; None where there is none.
        platform: as in sys.platform.
        environ: PYTHONIOENCODING, where given, decides alone.
    """
    if not isinstance(stream, TextIOWrapper):
        return
    if platform == "win32" and not stream.isatty() and not environ.get("PYTHONIOENCODING"):
        stream.reconfigure(encoding="utf-8")
    stream.reconfigure(errors="backslashreplace")


def main() -> None:
    """Run the command line."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # app.py has put it off until here
    for stream in (sys.stdout, sys.stderr):
        adapt_output(stream, sys.platform, os.environ)
    commands(prog_name="python app.py")
