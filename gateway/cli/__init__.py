"""The command line: a group of verbs. What they do stands in gateway/commands."""

import os
import signal
import sys
from collections.abc import Mapping
from io import TextIOWrapper
from typing import Final

import click

from gateway import __version__
from gateway.cli import verbs
from gateway.cli.open import open_page
from gateway.cli.usage import usage


class ServeByDefault(click.Group):
    """A group whose options belong to `serve` where no verb is given."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "-h", "--version")):
            args = ["serve", *args]
        return super().parse_args(ctx, args)


@click.group(cls=ServeByDefault, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="llm-gateway", message="%(prog)s %(version)s")
def commands() -> None:
    """LLM Gateway: one local server between every LLM client and every provider.

    Without a command it serves, with the options of `serve`: -c FILE, --host HOST, --port PORT.
    """


VERBS: Final = (
    verbs.serve,
    verbs.check,
    verbs.login,
    verbs.logout,
    verbs.status,
    verbs.explain,
    verbs.reload,
    usage,
    open_page,
)

for verb in VERBS:
    commands.add_command(verb)


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
