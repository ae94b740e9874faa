"""The verb `health`."""

from pathlib import Path

import click

from gateway.cli.shared import (
    BadConfig,
    Failed,
    config_option,
    configuration,
    host_option,
    one_clear_line,
    overrides,
    port_option,
)
from gateway.config import schema


@click.command()
@config_option
@host_option
@port_option
def health(path: Path | None, host: str | None, port: int | None) -> None:
    """Say whether the gateway on this machine answers.

    Exit code 0: it serves; 1: it does not, or nothing answers within a second.
    """
    from gateway.commands import health as command

    with one_clear_line("Stopped."):
        click.echo(command.health(_address(path, host, port)))


def _address(path: Path | None, host: str | None, port: int | None) -> schema.Gateway:
    """Where to ask. The file is only read for what the options and the environment leave open: a gateway serves on
    while its file has a fault."""
    said = overrides(host, port)
    if said.host is not None and said.port is not None:
        return schema.Gateway(host=said.host, port=said.port)
    try:
        return configuration(path, said).config.gateway
    except BadConfig as fault:
        raise Failed(fault.message) from None
