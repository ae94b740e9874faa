"""The page's token: the right to act, for whoever can read a private file of the person who runs the gateway.

Without keys everybody who reaches the port may read and ask models, other users of the machine too. Nobody but the
owner may log in or out: else another user could log the gateway in to an account of theirs and read its prompts there.
The token is made at each start and stands in a file beside the token store that only its owner may read. `open` gives
it to the page. It stands in no page, no answer and no log line.
"""

import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway.auth.tokens.file_writer import FileWriter
from gateway.config.loader import Loaded, resolve
from gateway.core.clock import Clock
from gateway.core.secrets import Secret

FILE: Final = "page-token"
MAX_BYTES: Final = 256
"""Of the file; a longer one is none of ours."""

logger = logging.getLogger(__name__)


class PageTokenFile:
    """The token's file.

    Args:
        secret: the token.
        folder: of the token store; None for no file, so that nobody has the token.
        clock: for the waits between two tries to write.
    """

    def __init__(self, secret: Secret, folder: Path | None, clock: Clock) -> None:
        self._secret = secret
        self._path = folder / FILE if folder else None
        self._clock = clock
        self._written = False

    def publish(self) -> None:
        """Write the file. Where that fails, one line says so, and the page can show but not act."""
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary = self._path.with_name(f"{FILE}.{os.getpid()}.tmp")
            FileWriter(temporary, self._clock, durable=False).replace(self._path, self._secret.reveal().encode())
            self._written = True
        except OSError as fault:
            why = fault.strerror or type(fault).__name__
            logger.warning("%s cannot be written (%s): nobody can log in or out on the page.", self._path, why)

    def close(self) -> None:
        """Remove the file, unless another gateway has written its own. Idempotent."""
        if self._path is not None and self._written:
            self._written = False
            found = read_token(self._path.parent)
            if found == self._secret:
                with suppress(OSError):
                    self._path.unlink(missing_ok=True)


def read_token(folder: Path) -> Secret | None:
    """The token of the gateway that keeps its logins in a folder; None where there is none."""
    try:
        with (folder / FILE).open("rb") as file:
            text = file.read(MAX_BYTES + 1).decode("ascii")
    except (OSError, UnicodeDecodeError):
        return None
    return Secret(text.strip()) if 0 < len(text) <= MAX_BYTES else None


def token_folder(loaded: Loaded) -> Path | None:
    """Where the page's token is kept. Without a configuration file there is no login, and no file is left behind."""
    store = resolve(loaded.config.auth.token_store_path, loaded.path.parent) if loaded.path else None
    return store.parent if store and loaded.config.gateway.page else None
