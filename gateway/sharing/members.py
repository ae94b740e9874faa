"""The gateways of a group: how many there are, and whether their limits are the same.

A gateway says every 5 s that it is there, and is gone 15 s after it said so last. While the server is away the number
of those that were there last stands, and for a while after it: they may come back later.

Who touches what: the keeper's thread alone hears; others read whole values.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, Final

from gateway.core.texts import printable
from gateway.sharing.script import Command, Script

BEAT: Final = 5.0
GONE: Final = 15.0
MOST_WARNINGS: Final = 100

logger = logging.getLogger(__name__)


def members_script() -> str:
    """The script in Lua."""
    return files("gateway.sharing").joinpath("members.lua").read_text(encoding="utf-8")


class Members:
    """The gateways of one group.

    Attributes:
        count: those that are there, this one included, or were there last.
        channel: where each of them is heard.
        script: with which it is.

    Args:
        group: its name.
        gateway: this one's key.
        name: this one's name for people.
    """

    def __init__(self, group: str, gateway: str, name: str) -> None:
        self.count = 1
        self._gateway = gateway
        self._name = name
        self.channel = f"gw:{group}:members"
        self._keys = (f"gw:{{{group}}}:members", f"gw:{{{group}}}:limits")
        self.script = Script(members_script())
        self._limits: Mapping[str, Mapping[str, int]] = {}
        self._seen: frozenset[str] = frozenset({gateway})
        self._missed: frozenset[str] = frozenset()
        self._is_known = False
        self._warned: set[tuple[str, str]] = set()

    @property
    def all_are_back(self) -> bool:
        """Whether all that were there before the server was away were seen since."""
        return not self._missed

    def describe(self, kind: str, limits: Mapping[str, int]) -> None:
        """Say what this gateway's limits are.

        Args:
            kind: whose limits, such as "providers"; others stay.
            limits: by a name for people.
        """
        self._limits = {**self._limits, kind: limits}

    def beat(self) -> Command:
        """Say that this gateway is there."""
        text = f"{self._name}\n{json.dumps(self._limits, sort_keys=True)}"
        return self.script.command(self._keys, self._gateway, text, int(GONE * 1_000_000), self.channel)

    def goodbye(self) -> Command:
        """This gateway ends."""
        return Script("redis.call('ZREM', KEYS[1], ARGV[1]) return redis.call('HDEL', KEYS[2], ARGV[1])").command(
            self._keys, self._gateway
        )

    def away(self) -> None:
        """The server is away or has forgotten all: those that were seen are missed until they are seen again."""
        self._is_known = False
        self._missed |= self._seen - {self._gateway}

    def hear(self, answer: Sequence[Any], *, keeps: bool) -> bool:
        """Take an answer to `beat`. Returns whether the server had forgotten this gateway.

        Args:
            answer: of the script.
            keeps: those that were there before count as well.
        """
        self._seen = frozenset(each.decode() for each in answer[1])
        self._missed -= self._seen
        self.count = max(self.count, len(self._seen)) if keeps else max(1, len(self._seen))
        for text in answer[2]:
            self._compare(text.decode(errors="replace"))
        was_known, self._is_known = self._is_known, True
        return was_known and answer[0] == 1

    def _compare(self, text: str) -> None:
        """Warn, once each, of limits of another gateway that are not this one's."""
        name, _, body = text.partition("\n")
        try:
            theirs = {row: number for kind in json.loads(body).values() for row, number in kind.items()}
        except (ValueError, AttributeError):
            return  # of another version
        ours = {row: number for kind in self._limits.values() for row, number in kind.items()}
        for row in sorted(ours.keys() & theirs.keys()):
            if ours[row] == theirs[row] or (name, row) in self._warned or len(self._warned) >= MOST_WARNINGS:
                continue
            self._warned.add((name, row))
            logger.warning(
                "%s is %s here (%s) and %s at %s: each gateway uses its own number.",
                printable(row), ours[row], self._name, theirs[row], printable(name),
            )  # fmt: skip
