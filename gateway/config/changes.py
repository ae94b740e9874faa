"""Compares two configurations: what differs, and what of it the process cannot take over while it runs.

Every setting is taken over by a reload unless NEEDS_RESTART names it. The comparison walks the schema, so that a new
setting is compared without a line here. It shows names of settings and never a value, which may be a secret.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from msgspec import Struct, structs

from gateway.config.faults import Fault, KeyPath
from gateway.config.schema import Config
from gateway.core.strict_json import JsonObject, JsonValue

Kind = Literal["+", "-", "~"]
"""Added, removed, changed."""

NEEDS_RESTART: Final[tuple[tuple[str, str], ...]] = (
    ("gateway", "host"),
    ("gateway", "exposed"),
    ("gateway", "port"),
    ("gateway", "threads"),
    ("gateway", "workers"),
    ("gateway", "max_body_mib"),
    ("auth", "token_store_path"),
    ("logging", "file"),
    ("ledger", "enabled"),
    ("ledger", "path"),
    ("sharing", "engine"),
    ("sharing", "group"),
    ("sharing", "redis"),
)
"""Section and setting, as attributes: what sockets, threads, token store, log and ledger are made of at the start."""

SECTION_WORDS: Final[Mapping[str, str]] = {"modelAliases": "aliases", "rateLimits": "limits"}
"""The words of `summary` for sections whose own names are longer."""
ENTRY: Final = 2
"""Steps of the path of an entry, such as `providers.openai`."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    Attributes:
        kind: whether the entry or setting was added, removed or changed.
        path: of the setting, in the file's names; entries of a list stand under their own name.
    """

    kind: Kind
    path: KeyPath

    def __str__(self) -> str:
        """`providers.openai.apiEndpoint` for a change, with a leading sign for an entry that came or went."""
        return ("" if self.kind == "~" else self.kind) + ".".join(map(str, self.path))


@dataclass(frozen=True, slots=True)
class Changes:
    """What differs between two configurations.

    Attributes:
        applied: what a reload takes over.
        needs_restart: the names of settings whose old value stays until the process is started anew.
    """

    applied: tuple[Change, ...]
    needs_restart: tuple[str, ...]


def compare(before: Config, after: Config) -> Changes:
    """What differs between what is served and a file."""
    kept = keep_fixed(before, after)
    fixed = tuple(str(change) for change in _differences(kept, after, ()))
    return Changes(tuple(_differences(before, kept, ())), fixed)


def keep_fixed(before: Config, after: Config) -> Config:
    """`after`, with the values of `before` in the settings that NEEDS_RESTART names."""
    for section, setting in NEEDS_RESTART:
        old = getattr(getattr(before, section), setting)
        after = structs.replace(after, **{section: structs.replace(getattr(after, section), **{setting: old})})
    return after


def summary(changes: Sequence[Change]) -> str:
    """The number of entries that differ in each section: `aliases +1 ~1, limits ~1`."""
    entries = {(change.path[:2], change.kind if len(change.path) == ENTRY else "~") for change in changes}
    counts = Counter(f"{path[0]} {kind}" for path, kind in entries)
    sections = dict.fromkeys(str(change.path[0]) for change in changes)
    return ", ".join(" ".join((SECTION_WORDS.get(name, name), *_counted(counts, name))) for name in sections)


def _counted(counts: Mapping[str, int], section: str) -> Iterator[str]:
    return (f"{kind}{count}" for kind in "+-~" if (count := counts.get(f"{section} {kind}")))


def _differences(before: object, after: object, path: KeyPath) -> Iterator[Change]:
    if before == after:
        return
    if isinstance(before, Struct) and isinstance(after, Struct) and type(before) is type(after):
        for field in structs.fields(before):
            one, other = getattr(before, field.name), getattr(after, field.name)
            yield from _differences(one, other, (*path, field.encode_name))
        return
    old, new = _entries(before), _entries(after)
    if old is None or new is None:
        yield Change("~", path)
        return
    found = list(_entry_differences(old, new, path))
    yield from found or [Change("~", path)]  # the same entries in another order


def _entry_differences(old: Mapping[str, object], new: Mapping[str, object], path: KeyPath) -> Iterator[Change]:
    for name in {**old, **new}:
        if name not in new:
            yield Change("-", (*path, name))
        elif name not in old:
            yield Change("+", (*path, name))
        else:
            yield from _differences(old[name], new[name], (*path, name))


def _entries(value: object) -> Mapping[str, object] | None:
    """The entries of a section of names, or of a list of sections, by name; None for any other value."""
    if isinstance(value, dict) and all(isinstance(each, Struct) for each in value.values()):
        return value
    if isinstance(value, tuple) and all(isinstance(each, Struct) for each in value):
        return _named(value)
    return None


def _named(entries: Sequence[Struct]) -> Mapping[str, object]:
    """By the name of each, or its first setting, which tells the entries of a list apart; again: with a number."""
    names: Counter[str] = Counter()
    found: dict[str, object] = {}
    for entry in entries:
        name = str(getattr(entry, "name", None) or getattr(entry, structs.fields(entry)[0].name))
        names[name] += 1
        found[name if names[name] == 1 else f"{name}#{names[name]}"] = entry
    return found


@dataclass(frozen=True, slots=True)
class ReloadOutcome:
    """What has become of a reload.

    Attributes:
        generation: what is served now; it counts the configurations since the start.
        changed: the settings that were taken over.
        needs_restart: the names of settings whose old value stays until the process is started anew.
        faults: why nothing was taken over; empty where all was.
        path: the file; None where there is none.
    """

    generation: int
    changed: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    path: str | None = None

    def as_json(self) -> JsonObject:
        """For machines."""
        if self.faults:
            faults: list[JsonValue] = [
                {"setting": each.path, "line": each.line, "column": each.column, "message": each.message}
                for each in self.faults
            ]
            return {"generation": self.generation, "configuration": self.path, "faults": faults}
        return {
            "generation": self.generation,
            "configuration": self.path,
            "changed": list(self.changed),
            "needsRestart": list(self.needs_restart),
        }
