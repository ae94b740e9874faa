"""The verb `open`."""

import os
from pathlib import Path

import click

from gateway.cli.shared import config_option, one_clear_line, unchecked


@click.command("open")
@config_option
def open_page(path: Path | None) -> None:
    """Open the page of the running gateway, with the right to log in and out.

    It prints the address. Exit code 1: no gateway runs.
    """
    from gateway.commands import open as command
    from gateway.commands.console import Console

    with one_clear_line("Stopped."):
        command.open_page(unchecked(path), Console(os.environ))
