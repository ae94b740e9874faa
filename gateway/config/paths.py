"""What must hold for the paths in a configuration: their home folder is known, and watched files are there.

These checks look at this machine, which the rules in `rules` do not.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from gateway.config.faults import Check, KeyPath, Problem
from gateway.config.schema import Config


def resolve(path_text: str, base: Path | None) -> Path:
    """Make a path of the configuration absolute; `~` is the home folder.

    Args:
        path_text: `auth.tokenStorePath`, say.
        base: the folder of the configuration file, where relative paths start; None for the current folder.
    """
    # os.path keeps `~` where no home folder is known, which `known_homes` reports; pathlib would raise.
    return Path(base or "").absolute() / os.path.expanduser(path_text)


def known_homes(config: Config) -> Iterator[Problem]:
    """Each path that begins with `~` has a home folder. Else it would be a folder called `~`."""
    for path, text in _paths(config):
        if text.startswith("~") and os.path.expanduser(text) == text:
            alone = text == "~" or text[1] in "/\\"
            whose = "is your home folder, and none is known here: set HOME, or" if alone else "is no user here:"
            message = f"`{'~' if alone else '~...'}` {whose} give the whole path"
            yield Problem(path, message, fatal=True)


def watched_files_exist(base: Path) -> Check:
    """A check that warns of watched files that are not there; relative ones start from `base`."""

    def problems(config: Config) -> Iterable[Problem]:
        for index, each in enumerate(config.auth.watch_files):
            text = each if isinstance(each, str) else each.path
            if not resolve(text, base).exists():
                yield Problem(("auth", "watchFiles", index), "there is no such file (yet)", fatal=False)

    return problems


def _paths(config: Config) -> Iterator[tuple[KeyPath, str]]:
    yield ("auth", "tokenStorePath"), config.auth.token_store_path
    if config.ledger.enabled:
        yield ("ledger", "path"), config.ledger.path
    for index, each in enumerate(config.auth.watch_files):
        yield ("auth", "watchFiles", index), each if isinstance(each, str) else each.path
    for name, provider in config.providers.items():
        if provider.enabled and provider.token_file is not None:
            file = provider.token_file
            yield ("providers", name, "tokenFile"), file if isinstance(file, str) else file.path
