"""What a changed file changes: every setting of the schema is taken over, or named as one that needs a restart."""

import types
from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

from msgspec import Struct, structs

from gateway.config import schema
from gateway.config.accounts import Account
from gateway.config.changes import NEEDS_RESTART, Change, compare, keep_fixed, summary
from gateway.config.clients import Budget, Client
from gateway.config.loader import parse
from gateway.config.prices import Price
from gateway.config.rate_limit import RateLimit
from gateway.config.schema import Config, sections
from gateway.config.setting_types import Struct as Section
from gateway.config.sharing import RedisServer, Sharing
from gateway.config.token_files import TokenFile, WatchFile
from gateway.core.secrets import Secret
from tests.support.cases import each_case

ACCOUNT = Account(name="work", token_file=TokenFile(path="t"))
BASE = Config(
    auth=schema.Auth(watch_files=(WatchFile(path="a"),)),
    clients=(Client(name="ci", models=("m",), budget=Budget(usd=5, per="day")),),
    model_aliases=(schema.Alias(alias="best", providers=(schema.Target(provider="acme", model="m"),)),),
    rate_limits=(RateLimit(provider="acme", requests_per_minute=1),),
    prices=(Price(provider="acme", model="m", input_per_million=1, output_per_million=2),),
    providers={"acme": schema.Provider(token_file=TokenFile(path="t"), accounts=(ACCOUNT,))},
    sharing=Sharing(redis=RedisServer(url=Secret("redis://localhost"))),
)
"""With one entry of every kind, so that the walk reaches each setting."""


def other(value: object, hint: Any) -> Any:
    """Another value of a setting's type."""
    if isinstance(value, bool) or hint is bool:
        return not value
    if isinstance(value, int | float):
        return value + 1
    if get_origin(hint) is Literal:
        return next(each for each in get_args(hint) if each != value)
    if isinstance(value, str):
        return f"{value}-2"
    if isinstance(value, tuple):
        return (*value, "more")
    if isinstance(value, dict):
        return {**value, "more": "more"}
    if isinstance(value, Secret):
        return Secret(f"{value.reveal()}-2")
    assert value is None
    first = next(each for each in members(hint) if each is not type(None))
    kind = get_origin(first) or first
    if kind is Literal:
        return get_args(first)[0]
    return {bool: True, int: 7, float: 7.0, str: "new", Secret: Secret("new")}[kind]


def members(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) is types.UnionType or "Union" in str(get_origin(hint)) else (hint,)


def edits(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every setting at or below a value, with the whole value after an edit of it."""
    if isinstance(value, Struct):
        hints = get_type_hints(type(value))
        for field in structs.fields(value):
            old = getattr(value, field.name)
            inside = (*path, field.encode_name)
            below = list(edits(old, inside))
            if not below:
                below = [(inside, other(old, hints[field.name]))]
            yield from ((name, structs.replace(value, **{field.name: new})) for name, new in below)
    elif isinstance(value, tuple) and value and isinstance(value[0], Struct):
        yield from ((name, (new, *value[1:])) for name, new in edits(value[0], path))
    elif isinstance(value, dict) and value and isinstance(next(iter(value.values())), Struct):
        key = next(iter(value))
        yield from ((name, {**value, key: new}) for name, new in edits(value[key], (*path, key)))


EDITS = list(edits(BASE))


@each_case(("path", "after"), EDITS, ids=[".".join(path) for path, _ in EDITS])
def test_every_setting_of_the_schema_is_taken_over_or_named(path: tuple[str, ...], after: Config) -> None:
    changes, name = compare(BASE, after), ".".join(path)
    if any(f"{name}.".startswith(f"{each}.") for each in needing_restart()):
        assert changes.needs_restart == (name,)
        assert changes.applied == ()
        assert keep_fixed(BASE, after) == BASE, "the old value is served on"
    else:
        assert changes.needs_restart == ()
        assert changes.applied
        assert keep_fixed(BASE, after) == after
        assert {change.path[0] for change in changes.applied} == {path[0]}


def needing_restart() -> set[str]:
    """The names in the file of what the table has as attributes."""
    return {f"{section}.{file_names(getattr(BASE, section))[setting]}" for section, setting in NEEDS_RESTART}


def file_names(section: Struct) -> Mapping[str, str]:
    return {field.name: field.encode_name for field in structs.fields(section)}


def test_the_walk_reaches_every_setting() -> None:
    kinds = [kind for kind in sections() if kind is not Config]
    found = {path[-1] for path, _ in EDITS}
    missing = [(kind, field) for kind in kinds for field in structs.fields(kind) if field.encode_name not in found]
    assert [field.encode_name for kind, field in missing if not holds_sections(kind, field.name)] == []
    reached = [".".join(path) + "." for path, _ in EDITS]
    assert [name for name in needing_restart() if not any(each.startswith(f"{name}.") for each in reached)] == []


def holds_sections(kind: type[Section], setting: str) -> bool:
    """Whether a setting has others below it."""
    names = [each.__name__ for each in sections()]
    hint = str(get_type_hints(kind)[setting])
    return any(f".{name}" in hint for name in names)


def read(text: str) -> Config:
    return parse(text.encode(), "config.yaml", env={}).config


BEFORE = read(
    """
    providers: {acme: {type: openai, apiKey: sk-1}, old: {type: openai}, other: {type: openai}}
    modelAliases:
      - {alias: best, providers: [{provider: acme, model: m}, {provider: acme, model: n}]}
      - {alias: gone, providers: [{provider: acme, model: m}]}
    rateLimits: [{provider: acme, requestsPerMinute: 3}]
    """
)
AFTER = read(
    """
    gateway: {port: 9000, drainSeconds: 3}
    providers: {acme: {type: openai, apiKey: sk-2, timeouts: {stallSeconds: 7}}, other: {type: openai}, new: {}}
    modelAliases:
      - {alias: best, providers: [{provider: acme, model: m}, {provider: acme, model: o}]}
      - {alias: fast, providers: [{provider: acme, model: m}]}
    rateLimits: [{provider: acme, requestsPerMinute: 4}]
    """
)


def test_entries_that_come_go_and_change_are_named_without_their_values() -> None:
    changes = compare(BEFORE, AFTER)
    assert list(map(str, changes.applied)) == [
        "gateway.drainSeconds",
        "modelAliases.best.providers.acme#2.model",
        "-modelAliases.gone",
        "+modelAliases.fast",
        "rateLimits.acme.requestsPerMinute",
        "providers.acme.apiKey",
        "providers.acme.timeouts.stallSeconds",
        "-providers.old",
        "+providers.new",
    ]
    assert changes.needs_restart == ("gateway.port",)
    assert "sk-" not in str(changes)


def test_the_summary_counts_entries_and_not_settings() -> None:
    assert summary(compare(BEFORE, AFTER).applied) == "gateway ~1, aliases +1 -1 ~1, limits ~1, providers +1 -1 ~1"
    assert summary(()) == ""


def test_another_order_of_the_same_entries_is_a_change_of_the_list() -> None:
    turned = structs.replace(BEFORE, model_aliases=BEFORE.model_aliases[::-1])
    assert compare(BEFORE, turned).applied == (Change("~", ("modelAliases",)),)
    assert summary(compare(BEFORE, turned).applied) == "aliases ~1"


def test_equal_configurations_do_not_differ() -> None:
    same = compare(BEFORE, BEFORE)
    assert (same.applied, same.needs_restart) == ((), ())
