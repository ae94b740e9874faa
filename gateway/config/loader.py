"""Loads the configuration file: the result is a frozen Config, or all faults of the file at once.

Each step is a module, and only this one knows them all: `nodes` (YAML to a tree with places), `values` (the tree
against the schema's types, with `expand` for `${NAME}`), `rules` (what the whole must satisfy). Higher packages know
more, such as which vendors exist. They pass their checks in, so that this package need not import them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.config.exposure import guarded_host
from gateway.config.faults import WHOLE_FILE, Check, ConfigError, Fault, Faults, KeyPath, Position, Problem
from gateway.config.limit_rules import numbered_limits
from gateway.config.nodes import MAX_BYTES, Listing, Node, Scalar, Section, compose
from gateway.config.overrides import NOTHING, Overrides
from gateway.config.paths import known_homes, log_folder_exists, resolve, watched_files_exist
from gateway.config.places import NoValue, Place
from gateway.config.renamed import RENAMED, Renamed, renew
from gateway.config.rules import RULES
from gateway.config.schema import Config, Provider
from gateway.config.values import ValueReader
from gateway.core.secrets import MASK, Secret

__all__ = [
    "Check",
    "ConfigError",
    "Fault",
    "Loaded",
    "Problem",
    "load",
    "load_text",
    "parse",
    "read",
    "resolve",
    "schema",
]

SHORTEST_MASKED: Final = 4  # a shorter text is masked only in quotes; else common words would be masked
_TOP: Final[tuple[KeyPath, ...]] = ((), ("providers",))


@dataclass(frozen=True)
class Loaded:
    """A usable configuration.

    Attributes:
        config: the configuration.
        path: the file, absolute; None if the text did not come from a file.
        warnings: probable mistakes, in the order of the file.
        digest: SHA-256 of the file's bytes; empty if the text did not come from a file.
        key_file: of the key that callers need, where the configuration has none and the gateway made one.
        text: the file's bytes, for other processes that serve the same; empty if the text did not come from a file.
    """

    config: Config
    path: Path | None
    warnings: tuple[Fault, ...]
    digest: bytes = b""
    key_file: Path | None = None
    text: bytes = field(default=b"", repr=False)  # with the secrets in it


def load(path: Path, *, env: Mapping[str, str], checks: Sequence[Check] = (), overrides: Overrides = NOTHING) -> Loaded:
    """Read a configuration file.

    Args:
        path: the file; messages name it as it is given here.
        env: the variables for `${NAME}`.
        checks: the higher packages' checks.
        overrides: what is said over the file.

    Raises:
        ConfigError: the file cannot be read or used.
    """
    return load_text(read(path), path, env=env, checks=checks, overrides=overrides)


def read(path: Path) -> bytes:
    """The bytes of a configuration file; of one that is too large, only so many that `parse` refuses it.

    Raises:
        ConfigError: the file cannot be read.
    """
    faults = Faults(str(path))
    try:
        if path.is_dir():
            raise faults.stop(WHOLE_FILE, "cannot be read: it is a folder, not a file")
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise faults.stop(WHOLE_FILE, f"cannot be read: {error.strerror or type(error).__name__}") from None
    except ValueError:
        raise faults.stop(WHOLE_FILE, "cannot be read: not a file name") from None


def load_text(
    text: bytes,
    path: Path,
    *,
    env: Mapping[str, str],
    checks: Sequence[Check] = (),
    overrides: Overrides = NOTHING,
) -> Loaded:
    """Read a configuration from the bytes of the file at `path`, as `load` does.

    Raises:
        ConfigError: the configuration cannot be used.
    """
    absolute = path.absolute()
    checks = [*checks, watched_files_exist(absolute.parent), log_folder_exists(absolute.parent)]
    loaded = parse(text, str(path), env=env, checks=checks, overrides=overrides)
    return replace(loaded, path=absolute, digest=sha256(text).digest(), text=text)


def parse(  # noqa: PLR0913 - what a file is read with, by name
    text: bytes,
    name: str,
    *,
    env: Mapping[str, str],
    checks: Sequence[Check] = (),
    overrides: Overrides = NOTHING,
    renamed: Sequence[Renamed] = RENAMED,
) -> Loaded:
    """Read a configuration from the bytes of a file.

    Args:
        text: the bytes.
        name: the file's name in messages.
        env: the variables for `${NAME}`.
        checks: the higher packages' checks.
        overrides: what is said over the file.
        renamed: the settings whose old names are read too.

    Raises:
        ConfigError: the configuration cannot be used.
    """
    faults = Faults(name)
    return from_tree(compose(text, faults), faults, env=env, checks=checks, overrides=overrides, renamed=renamed)


def from_tree(  # noqa: PLR0913 - as above
    tree: Node,
    faults: Faults,
    *,
    env: Mapping[str, str],
    checks: Sequence[Check] = (),
    overrides: Overrides = NOTHING,
    renamed: Sequence[Renamed] = RENAMED,
) -> Loaded:
    """Read a configuration from what a file has been parsed to, as `parse` does with the bytes.

    Args:
        tree: the file.
        faults: of this file.

    Raises:
        ConfigError: the configuration cannot be used.
    """
    whole = _schema()
    root, findings = renew(tree, whole, renamed)
    for each in findings:
        if each.fatal:
            faults.add(each.at, each.path, each.message)
    reader = ValueReader(env, faults)
    data = reader.read(Place(root, ()), whole)
    warnings = [faults.fault(each.at, each.path, each.message) for each in findings if not each.fatal]
    # Without a valid list of providers every reference to one would be reported as well.
    if not faults.paths.intersection(_TOP):
        written = _converted(data, faults)
        config = overrides.over(written)
        warnings += _judge(config, checks, faults, _SourceMap(root, reader))
    faults.raise_any()
    ordered = tuple(sorted(warnings, key=lambda fault: (fault.line, fault.column)))
    return Loaded(config, None, ordered, key_file=overrides.key_file_of(written, config))


def without_file(config: Config, warnings: Sequence[Fault], overrides: Overrides = NOTHING) -> Loaded:
    """A configuration that stands in no file.

    Raises:
        ConfigError: what is said over it cannot be served.
    """
    said = overrides.over(config)
    faults = Faults("command line or environment")
    for problem in guarded_host(said):
        faults.add(WHOLE_FILE, problem.path, problem.message)
    faults.raise_any()
    return Loaded(said, None, tuple(warnings), key_file=overrides.key_file_of(config, said))


@cache
def _schema() -> msgspec.inspect.Type:
    """The schema's types, which take msgspec longer to tell than a file of usual length takes to read."""
    return msgspec.inspect.type_info(Config)


def _converted(data: object, faults: Faults) -> Config:
    try:
        return msgspec.convert({} if isinstance(data, NoValue) else data, Config, dec_hook=_secret)
    except msgspec.ValidationError as error:
        # Only a constraint of the schema that `values` does not know gets here; the text quotes no value.
        raise faults.stop(WHOLE_FILE, str(error)) from None


def _secret(_: type, value: Any) -> Any:
    """msgspec calls this for every type that it does not know: only Secret, which `values` has already made."""
    return value


class _SourceMap:
    """Maps a path in the Config back to its place in the file."""

    def __init__(self, root: Node, reader: ValueReader) -> None:
        self._root = root
        self._item_indexes = reader.item_indexes
        self._hidden = sorted(reader.hidden, key=len, reverse=True)

    def locate(self, path: KeyPath) -> tuple[Position, KeyPath]:
        """The place of a setting, or of the nearest existing section around it, and its path in the file."""
        node, at = self._root, self._root.at
        for done, step in enumerate(path):
            if isinstance(node, Section) and step in node.entries:
                entry = node.entries[str(step)]
                node = entry.value
                at = node.at if isinstance(node, Scalar) and node.text else entry.at
            elif (
                isinstance(node, Listing)
                and isinstance(step, int)
                and step < len(indexes := self._item_indexes.get(path[:done], []))
            ):
                path = (*path[:done], indexes[step], *path[done + 1 :])
                node = node.items[indexes[step]]
                at = node.at
            else:
                break
        return at, path

    def masked(self, message: str) -> str:
        """Mask a check's message: it may quote a value that is secret or comes from the environment."""
        for text in self._hidden:
            message = message.replace(f'"{text}"', f'"{MASK}"')
            if len(text) >= SHORTEST_MASKED:
                message = message.replace(text, MASK)
        return message


def _judge(config: Config, checks: Sequence[Check], faults: Faults, places: _SourceMap) -> Iterator[Fault]:
    """Run rules and checks: add the fatal problems to `faults` and yield the warnings."""
    shapeless = set(faults.paths)
    problems = [problem for rule in (*RULES, known_homes) for problem in rule(config)]
    # A setting that was left out for its own fault would be reported a second time.
    problems += [
        problem
        for check in (numbered_limits, *checks)
        for problem in check(config)
        if not any(_overlap(path, problem.path) for path in shapeless)
    ]
    for problem in problems:
        at, path = places.locate(problem.path)
        message = places.masked(problem.message)
        if problem.first:
            message += f"; first at line {places.locate(problem.first)[0].line}"
        if problem.fatal:
            faults.add(at, path, message)
        else:
            yield faults.fault(at, path, message)


def _overlap(one: KeyPath, other: KeyPath) -> bool:
    return all(left == right for left, right in zip(one, other, strict=False))


def schema(types: Iterable[str]) -> dict[str, object]:
    """The JSON Schema (2020-12) of the file, for editors that complete and check YAML.

    Args:
        types: the values that a provider's `type` takes, which a higher package knows.
    """
    shape = msgspec.json.schema(Config, schema_hook=_secret_schema)
    shape["$defs"][Provider.__name__]["properties"]["type"]["anyOf"][0]["enum"] = sorted(types)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "LLM Gateway configuration",
        **shape,
    }


def _secret_schema(kind: type) -> dict[str, object]:
    if kind is Secret:
        return {"type": "string", "format": "password", "writeOnly": True}
    raise NotImplementedError(kind.__name__)
