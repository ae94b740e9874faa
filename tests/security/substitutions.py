"""A sound JSON value with something else in one of its places: what a fuzzer that knows the shape would send."""

import copy
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

GOLDEN: Final = Path(__file__).parent.parent / "golden"
ABSENT: Final = object()
INSTEAD: Final[tuple[Any, ...]] = (
    ABSENT, None, True, False, 0, -1, 7.5, 2**63, 2**64 - 1, 1e300, "", "x", "\x00\u2028\ufeff", "1e9", [], [None],
    [[]], ["x"], [7], {}, {"": None}, {"type": "x"}, {"x": {"x": []}},
)  # fmt: skip
"""Each kind of JSON, empty and not, at its edges."""


FEW: Final = (ABSENT, None, True, 7.5, 2**63, "x", [None], {"type": "x"})
"""One of each, for where a look at all takes long."""


def substituted(value: Any, instead: Sequence[Any] = INSTEAD) -> Iterator[tuple[str, Any]]:
    """The value with each of its places in turn holding each of `instead`, and where that is."""
    for path in _places(value):
        for other in instead:
            yield (
                f"{'.'.join(map(str, path))} = {'absent' if other is ABSENT else json.dumps(other)}",
                _with(value, path, other),
            )


def requests() -> list[Any]:
    """Every golden request."""
    return [json.loads(path.read_bytes()) for path in sorted((GOLDEN / "openai" / "requests").glob("*.json"))]


def openai_answers() -> list[Any]:
    """Golden answers of OpenAI's wire, as many as it takes for each place that one has."""
    found = [json.loads(path.read_bytes()) for path in sorted((GOLDEN / "openai" / "answers").glob("*.json"))]
    return list(_with_new_places(found))


def gemini_events() -> list[Any]:
    """Golden events of Gemini streams, as many as it takes for each place that one has; each is a whole answer too."""
    found = []
    for path in sorted((GOLDEN / "gemini" / "streams").glob("*.txt")):
        for line in path.read_text(encoding="utf-8").splitlines():
            text = line.removeprefix("<").strip().removeprefix("+").strip()
            if line.startswith("<") and text.startswith("{") and len(text) > 2:
                try:
                    found.append(json.loads(text))
                except ValueError:
                    continue
    return list(_with_new_places(sorted(found, key=lambda value: -len(json.dumps(value)))))


def _with_new_places(values: list[Any]) -> Iterator[Any]:
    """Those that have a place that none before has, whatever its index in an array."""
    known: set[tuple[str, ...]] = set()
    for value in values:
        places = {tuple(step for step in path if isinstance(step, str)) for path in _places(value)}
        if not places <= known:
            known |= places
            yield value


def _places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if path:
        yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _places(inner, (*path, key))


def _with(value: Any, path: tuple[str | int, ...], other: Any) -> Any:
    made = copy.deepcopy(value)
    *before, last = path
    inner = made
    for step in before:
        inner = inner[step]
    if other is ABSENT:
        del inner[last]
    else:
        inner[last] = other
    return made
