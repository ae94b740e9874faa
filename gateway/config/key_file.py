"""The file of a key that the gateway has made for its callers: `LLM_GATEWAY_KEY_FILE`.

It is for a gateway that other machines reach from its first start on, such as one in a container. The key counts only
while `gateway.apiKeys` has none: whoever sets one of their own must not leave a second one open.
"""

import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gateway.config.faults import ConfigError, Fault
from gateway.core.client_key import new_key
from gateway.core.clock import SystemClock
from gateway.core.secrets import Secret
from gateway.files import replace_file

VARIABLE: Final = "LLM_GATEWAY_KEY_FILE"
MAX_BYTES: Final = 4096
SHORTEST: Final = 20
"""Characters of a key: fewer can be guessed from another machine."""


class KeyFile:
    """The key in a file.

    Args:
        path: of the file.
        create: whether a missing one is made. Otherwise `key` says what the start would have, and writes nothing.
        random_bytes: as for a new key.
    """

    def __init__(self, path: Path, *, create: bool, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self.path = path
        self._create = create
        self._random_bytes = random_bytes

    def key(self) -> Secret:
        """The key in the file, or a new one where there is no file.

        Raises:
            ConfigError: the file cannot be read or written, or what it holds is no key.
        """
        try:
            text = self._text()
            if text is None:
                made = new_key(self._random_bytes)
                text = self._write(made) if self._create else made
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise self._fault(
                f"cannot be read or written: {why}. Make its folder writable, or set gateway.apiKeys"
            ) from None
        if len(text) < SHORTEST or not text.isascii() or not text.isprintable() or " " in text:
            raise self._fault(f"holds no key of {SHORTEST} characters or more: delete it, and a new one is made")
        return Secret(text)

    def _text(self) -> str | None:
        """What the file holds; None where there is none."""
        try:
            with self.path.open("rb") as file:
                return file.read(MAX_BYTES).decode("utf-8", "replace").strip()
        except FileNotFoundError:
            return None

    def _write(self, key: str) -> str:
        """Make the file, private to this user, in one step. The key in it: where two start at once, the first one's."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{self.path.name}-", dir=self.path.parent)  # of mode 0600
        draft = Path(name)
        try:
            with open(handle, "wb") as file:
                file.write(f"{key}\n".encode())
                file.flush()
                os.fsync(file.fileno())
            self._publish(draft)
        finally:
            draft.unlink(missing_ok=True)
        return self._text() or ""

    def _publish(self, draft: Path) -> None:
        try:
            os.link(draft, self.path)
        except FileExistsError:
            return  # another process was first, and its key counts
        except OSError:
            replace_file(draft, self.path, SystemClock())  # a file system without links

    def _fault(self, message: str) -> ConfigError:
        return ConfigError([Fault("", 0, 0, message, str(self.path))])
