"""The verb `key`."""

import click

from gateway.cli.shared import one_clear_line


@click.command()
@click.argument("name")
def key(name: str) -> None:
    """Make a key for the caller NAME and show it once."""
    from gateway.commands import key as command

    with one_clear_line("Stopped."):
        click.echo(command.key(name))
