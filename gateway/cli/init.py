"""The verb `init`."""

import os
import sys
from functools import partial
from pathlib import Path

import click

from gateway.cli.shared import config_option, configuration, one_clear_line, overrides, target_of


@click.command()
@config_option
@click.option("--yes", is_flag=True, help="Do not ask before writing.")
@click.option("--print", "as_text", is_flag=True, help="Print the file instead, and write nothing.")
def init(path: Path | None, yes: bool, as_text: bool) -> None:
    """Write a first configuration file from what is on this machine.

    It looks for keys in the environment, for servers on this machine, and for token files of other tools. It never
    copies a secret, and never writes over a file. Exit code 1: nothing was found; 2: the file is there already.
    """
    from gateway.commands import check
    from gateway.commands.console import Console
    from gateway.commands.init import command, discovery
    from gateway.core.clock import SystemClock

    target, machine, console = target_of(path), discovery.this_machine(os.environ, SystemClock()), Console(os.environ)
    with one_clear_line("Stopped."):
        if as_text:
            found = command.find(target, machine, partial(click.echo, file=sys.stderr))
            click.echo(command.text(found, target), nl=False)
            return
        command.refuse_existing(target)
        found = command.find(target, machine, console.say)
        command.write(found, target, machine, console, ask=not yes)
        for line in check.lines(configuration(target, overrides()), os.environ):
            console.say(line)
        console.say(command.next_step(found, target, named=path is not None))
