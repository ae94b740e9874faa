"""The command line: verbs, options, exit codes.

0 is fine, 1 is failed, 2 is a bad configuration or usage; a failure is one clear line, or one a fault.
"""

import json
import os
import sys
from pathlib import Path
from typing import Final

import click

from gateway import __version__
from gateway.config.loader import ConfigError, Loaded, load, schema

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


@click.group(cls=ServeByDefault, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="llm-gateway", message="%(prog)s %(version)s")
def commands() -> None:
    """LLM Gateway: one local server between every LLM client and every provider.

    Without a command it serves, with the options of `serve`: -c FILE, --host HOST, --port PORT.
    """


@commands.command()
@config_option
@click.option("--host", help="Loopback address to listen on, instead of gateway.host.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on, instead of gateway.port; 0 picks one.")
def serve(path: Path | None, host: str | None, port: int | None) -> None:
    """Serve until Ctrl-C (the default command)."""
    from gateway.serve import at, run
    from gateway.server.http import BindError

    try:
        code = run(at(_configuration(path, port), host, port), os.environ)
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
    loaded = _configuration(path)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}")
    config = loaded.config
    where = loaded.path or "no configuration file (the embedded demo would be served)"
    enabled = sum(provider.enabled for provider in config.providers.values())
    click.echo(
        f"{where}: fine; {len(config.model_aliases)} aliases, {enabled} of {len(config.providers)} providers enabled"
    )


class _Failed(click.ClickException):
    """One clear line on standard error, and exit code 1."""

    def show(self, file: object = None) -> None:
        click.echo(self.message, err=True)


class _BadConfig(_Failed):
    """Likewise, a line a fault, and exit code 2."""

    exit_code = 2


def _configuration(path: Path | None, port: int | None = None) -> Loaded:
    from gateway.providers import catalog
    from gateway.system import without_file

    chosen = path or _from_variable() or _in_this_folder()
    if chosen is None:
        return without_file(os.environ)
    try:
        return load(chosen, env=os.environ, checks=(catalog.check(os.environ, port),))
    except ConfigError as fault:
        raise _BadConfig(str(fault)) from None


def _from_variable() -> Path | None:
    told = os.environ.get(VARIABLE, "")
    return Path(told).expanduser() if told else None


def _in_this_folder() -> Path | None:
    usual = Path(DEFAULT_FILE)
    return usual if usual.exists() else None


def main() -> None:
    """Run the command line. Output survives a cp1252 console: what it cannot show is escaped."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    commands(prog_name="python app.py")
