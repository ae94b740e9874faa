"""What the holder of the token store's lock may do: read and write without taking the lock again."""

from collections.abc import Callable, Mapping

from gateway.auth.tokens.token import Token, write_token
from gateway.core.strict_json import JsonObject

Edit = Callable[[JsonObject], bool]
"""Changes the credentials in place; returns whether they are to be written."""


class HeldStore:
    """The store while its lock is held: it reads and writes without taking the lock again.

    It is only valid in the body of `TokenStore.exclusive` or `TokenStore.login`.
    """

    def __init__(self, read: Callable[[], Mapping[str, Token]], change: Callable[[Edit], bool]) -> None:
        self._read = read
        self._change = change

    def get(self, name: str) -> Token | None:
        """The credential's token, read from the file again."""
        return self._read().get(name)

    def put(self, name: str, token: Token) -> None:
        """As `TokenStore.put`."""

        def keep(credentials: JsonObject) -> bool:
            credentials[name] = write_token(token)
            return True

        self._change(keep)

    def remove(self, name: str) -> bool:
        """As `TokenStore.remove`."""

        def forget(credentials: JsonObject) -> bool:
            there = name in credentials
            credentials.pop(name, None)
            return there

        return self._change(forget)
