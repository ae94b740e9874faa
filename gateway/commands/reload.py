"""`reload`: asks the running gateway to read its configuration file again, and shows its answer.

A file with a fault is told before anybody is asked: the running gateway would refuse it too, and its address stands in
that file. This module reads and decides nothing; the gateway does.
"""

from typing import Final

from gateway.commands.accounts import CommandFailed
from gateway.commands.console import one_line
from gateway.commands.running_gateway import Reloaded, address, ask_to_reload, asking
from gateway.config.loader import Loaded

REFUSED: Final = 2
"""The exit code where the running gateway refuses the file for its faults."""


def reload(loaded: Loaded) -> str:
    """Have the gateway that runs on the configured address reload. Returns what it has done, for people.

    Raises:
        CommandFailed: none runs there, it cannot be asked, or it refuses the file.
    """
    settings = asking(loaded.config)
    where = address(settings)
    if not settings.port:
        raise CommandFailed("gateway.port is 0, so only the gateway knows its port: name it by --port")
    answer = ask_to_reload(settings)
    if answer is None:
        raise CommandFailed(f"no gateway runs at {where}")
    if isinstance(answer, str):
        raise CommandFailed(f"the gateway at {where} did not reload: {answer}")
    if answer.faults:
        lines = [f"not reloaded; still serving generation {answer.generation}:"]
        lines += [f"{each.setting or answer.configuration}: {each.message}" for each in answer.faults]
        raise CommandFailed("\n".join(map(one_line, lines)), REFUSED)
    return "\n".join(map(one_line, _lines(answer, loaded)))


def _lines(answer: Reloaded, loaded: Loaded) -> list[str]:
    changed = ", ".join(answer.changed) or "no change"
    lines = [f"{answer.configuration}: generation {answer.generation} ({changed})"]
    if answer.needs_restart:
        lines.append(f"needs a restart: {', '.join(answer.needs_restart)}")
    if answer.configuration != str(loaded.path):
        lines.append(f"warning: the gateway reads that file, and not {loaded.path or 'none'}")
    return lines
