"""The two values that the walk over the file passes around: a node with its context, and the absence of a value.

They are a module of their own because the loader needs them too. They know no type of the schema.
"""

import enum
from dataclasses import dataclass
from typing import Final

from gateway.config.faults import KeyPath
from gateway.config.nodes import Node


class NoValue(enum.Enum):
    """Why a setting has no value: it is absent, or it is faulty and the fault is noted."""

    ABSENT = 1
    BROKEN = 2


ABSENT: Final = NoValue.ABSENT
BROKEN: Final = NoValue.BROKEN


@dataclass(frozen=True, slots=True)
class Place:
    """A node and its context.

    Attributes:
        node: the node.
        path: its setting's path in the file.
        switched_off: it is in a section with `enabled: false`; unset variables do not matter there.
        switchable: it is in a section that has `enabled`.
        optional: the setting can be left out without a fault.
        expects: the description of the expected values, where the setting takes more than the type at hand.
    """

    node: Node
    path: KeyPath
    switched_off: bool = False
    switchable: bool = False
    optional: bool = False
    expects: str = ""

    def inside(self, key: str | int, node: Node, *, optional: bool = False) -> "Place":
        return Place(node, (*self.path, key), self.switched_off, self.switchable, optional)
