"""`init`: looks, says what it found, and writes one file; never over one that is there.

It changes nothing else, and it asks nobody but the servers on this machine.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import gateway
from gateway.auth.tokens.file_writer import FileWriter
from gateway.commands.accounts import CommandFailed
from gateway.commands.console import Console, one_line
from gateway.commands.init.discovery import Found, Machine, look
from gateway.commands.init.first_file import first_file, summary, used
from gateway.core.program import command, program

EXISTS: Final = 2
"""The exit code where the file is there already."""
SCHEMA: Final = Path("docs", "config.schema.json")
"""The file's JSON Schema in a copy of the repository. An installed gateway has none, and `check --schema FILE` writes
it."""
NOTHING: Final = (
    "Nothing to write a file from was found: no vendor's key in the environment (such as OPENAI_API_KEY or"
    " ANTHROPIC_API_KEY), no server of models on this machine (such as Ollama), no token file of another tool. Set a"
    " key or start a server and try again, or copy config.example.yaml to {target}. Without any file,"
    " `{program}` serves the embedded demo."
)


def find(target: Path, machine: Machine, say: Callable[[str], None]) -> Found:
    """Look, and say what is there.

    Args:
        target: the file that would be written; only named.
        machine: where to look.
        say: prints a line.

    Raises:
        CommandFailed: nothing was found.
    """
    found = look(machine)
    for sentence in found.unusable:
        say(f"warning: {one_line(sentence)}")
    if not found:
        raise CommandFailed(NOTHING.format(target=one_line(str(target)), program=program()))
    say("Found on this machine:")
    for line in summary(found):
        say(one_line(line))
    return found


def refuse_existing(target: Path) -> None:
    """Raises CommandFailed: the file is there already."""
    if os.path.lexists(target):
        new = f"`{command('init --print')}` shows what a new one would say"
        raise CommandFailed(f"{one_line(str(target))} is there already and stays as it is; {new}", EXISTS)


def text(found: Found, target: Path) -> str:
    """The text of a file at `target`."""
    return first_file(found, schema_for(target))


def write(found: Found, target: Path, machine: Machine, console: Console, *, ask: bool) -> None:
    """Write the file, readable by the user only.

    Args:
        found: what it is made of.
        target: the file.
        machine: its clock.
        console: asks the person.
        ask: whether to; where nobody can answer it is not done.

    Raises:
        CommandFailed: the person does not want it, the file is there already, or it cannot be written.
    """
    name = one_line(str(target))
    if ask and console.interactive and not console.ask(f"Write {name}?"):
        raise CommandFailed("Nothing was written.")
    writer = FileWriter(target, machine.clock)
    try:
        writer.create(target, text(found, target).encode(errors="backslashreplace"))
    except FileExistsError:
        refuse_existing(target)
        raise
    except OSError as fault:
        with suppress(OSError):
            target.unlink()  # the part of it that was written
        raise CommandFailed(f"{name} cannot be written: {fault.strerror or type(fault).__name__}") from None
    console.say(f"Written: {name}")


def next_step(found: Found, target: Path, *, named: bool) -> str:
    """What to do now.

    Args:
        found: what the file is made of.
        target: the file.
        named: whether it has to be named, because it is not where it is looked for.
    """
    serve = command(f'-c "{target}"') if named else program()
    if used(found) or found.servers:
        return f"Next: {serve}"
    names = " or ".join(each.provider for each in found.files)
    return f"Next: set `enabled: true` at {names} in {target}, or add a provider with a key of yours; then: {serve}"


def schema_for(target: Path, root: Path | None = None) -> str | None:
    """The JSON Schema as a file at `target` can name it, for editors; None where there is none.

    Args:
        target: the configuration file.
        root: the folder of the program.
    """
    schema = (root or Path(gateway.__file__).parent.parent) / SCHEMA
    if not schema.is_file():
        return None
    folder = Path(os.path.abspath(target)).parent
    beside = schema.relative_to(folder).as_posix() if schema.is_relative_to(folder) else " "
    return schema.as_uri() if " " in beside else beside  # editors read it up to the first space
