"""Reads the Dockerfile: its stages, each a list of instructions."""

import json
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENVIRONMENT = "/opt/gateway"
"""Where the image has what runs."""


@dataclass(frozen=True)
class Instruction:
    """One instruction; its continued lines are joined."""

    name: str
    rest: str

    @property
    def arguments(self) -> list[str]:
        """Of one in exec form."""
        found = json.loads(self.rest)
        assert isinstance(found, list) and all(isinstance(each, str) for each in found), self.rest
        return found


def stages(path: Path = ROOT / "Dockerfile") -> list[list[Instruction]]:
    """The instructions of each stage; what stands before the first FROM is left out."""
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
    found: list[list[Instruction]] = []
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        name, _, rest = line.strip().partition(" ")
        if name == "FROM":
            found.append([])
        if found:
            found[-1].append(Instruction(name, rest.strip()))
    return found


def named(name: str, stage: list[Instruction]) -> list[str]:
    """What the instructions of a name say."""
    return [each.rest for each in stage if each.name == name]


def environment(stage: list[Instruction]) -> dict[str, str]:
    """The variables that a stage sets."""
    return dict(pair.split("=", 1) for rest in named("ENV", stage) for pair in rest.split())
