"""Writes docs/configuration.md from the schema of the configuration file: `python -m scripts.configuration_page`.

Names, types, bounds, defaults and descriptions come from gateway.config.schema, and what a reload cannot take over from
gateway.config.changes. Only the introduction, the examples and the order of a provider's settings are written here and
in configuration_examples.py. A new setting or section appears without a line here.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import wrap
from typing import Final, TypeAlias, get_args

from msgspec import NODEFAULT, Struct, inspect

from gateway.config.changes import NEEDS_RESTART
from gateway.config.descriptions import expected, members
from gateway.config.schema import Config
from gateway.config.setting_types import Name
from scripts.configuration_examples import EXAMPLES

TARGET: Final = Path(__file__).parents[1] / "docs" / "configuration.md"

INTRODUCTION: Final = """\
# Configuration: every setting

This page is made from the schema of the configuration file by `python -m scripts.configuration_page`; a test holds it
equal. [config.example.yaml](../config.example.yaml) shows the same settings in one file, with comments to copy.

The file is YAML: `-c FILE`, else the one that `LLM_GATEWAY_CONFIG` names, else `./config.yaml`. Without any, the
gateway serves what it finds keys for in the environment, and its embedded demo provider. Every setting has a default
unless the table says **required**, so a file needs only what differs. A name that is not on this page is a fault.

- Every text may hold `${NAME}`, a variable of the environment that has to be set, or `${NAME:-default}`. Keys and
  secrets are best kept there.
- `python app.py check` lists every fault of a file with its line and column; `check --schema` prints the JSON Schema
  that editors read.
- A changed file is taken over while the gateway serves ([reload.md](reload.md)); what *needs a restart* is marked.
- `--host`, `--port` and the variables `LLM_GATEWAY_HOST`, `LLM_GATEWAY_PORT` and `LLM_GATEWAY_EXPOSED` win over
  the file ([install.md](install.md)).

A *name* has at most 64 letters, digits, `.`, `_` and `-`, and begins with a letter or digit. "At most" counts the
characters of a text. `-` stands for no default: the setting is absent, and the description says what that means.
"""

GROUPS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "providers.NAME": {
        "Who it is, and where": ("type", "enabled", "apiEndpoint", "api"),
        "Its key or token": (
            "authType",
            "apiKey",
            "apiKeyEnv",
            "apiKeyHeader",
            "tokenFile",
            "command",
            "quotaProject",
        ),
        "Logging in (OAuth)": (
            "clientId",
            "clientSecret",
            "clientSecretEnv",
            "issuer",
            "authEndpoint",
            "tokenEndpoint",
            "deviceAuthorizationEndpoint",
            "revocationEndpoint",
            "scopes",
            "audience",
            "resource",
            "extraAuthParams",
            "extraTokenParams",
            "tokenEndpointAuthMethod",
            "tokenRequestFormat",
            "pkce",
            "redirectHost",
            "redirectPort",
            "redirectPath",
        ),
    }
}
"""The tables of a section that is too long for one. What no group names stands in a last table."""
REST: Final = "What it is asked for"

Sections: TypeAlias = Iterator[tuple[str, inspect.StructType]]
WIDTH: Final = 120
NAME_PATTERN: Final = get_args(Name)[1].pattern


def page() -> str:
    """The whole page."""
    whole = inspect.type_info(Config)
    if not isinstance(whole, inspect.StructType):
        raise TypeError("the configuration is no section")
    found = [section for field in whole.fields for section in _sections(field, "")]
    contents = "\n".join(f"- [`{name}`](#{_anchor(name)})" for name, *_ in found)
    return "\n".join([INTRODUCTION, contents, *(_chapter(*section) for section in found)])


def _sections(field: inspect.Field, before: str) -> Sections:
    """The section that a field holds, and those in it: name and type."""
    for each in _alternatives(field.type):
        inner, suffix = _entry(each)
        if isinstance(inner, inspect.StructType):
            name = f"{before}{field.encode_name}{suffix}"
            yield name, inner
            for nested in inner.fields:
                yield from _sections(nested, f"{name}.")


def _entry(wanted: inspect.Type) -> tuple[inspect.Type, str]:
    """What a list or a section of names holds, and how its place is written."""
    match wanted:
        case inspect.VarTupleType(item_type=item):
            sections = [one for one in _alternatives(item) if isinstance(one, inspect.StructType)]
            return (sections[0] if sections else item), "[]"
        case inspect.DictType(value_type=value):
            return _plain(value), ".NAME"
        case _:
            return wanted, ""


def _alternatives(wanted: inspect.Type) -> list[inspect.Type]:
    plain = _plain(wanted)
    return [_plain(one) for one in members(plain)] if isinstance(plain, inspect.UnionType) else [plain]


def _chapter(name: str, section: inspect.StructType) -> str:
    level = "##" if "." not in name.removesuffix(".NAME") else "###"
    lines = [f"\n{level} `{name}`\n", *wrap(" ".join((section.cls.__doc__ or "").split()), WIDTH)]
    for heading, fields in _tables(name, section):
        lines += ["", f"**{heading}**"] if heading else []
        lines += ["", "| setting | type | default | what it means |", "|---|---|---|---|"]
        lines += [_row(name, field) for field in fields]
    if name in EXAMPLES:
        lines += ["", f"```yaml\n{EXAMPLES[name].strip()}\n```"]
    return "\n".join(lines)


def _tables(name: str, section: inspect.StructType) -> Iterator[tuple[str, list[inspect.Field]]]:
    by_name = {field.encode_name: field for field in section.fields}
    for heading, names in GROUPS.get(name, {}).items():
        yield heading, [by_name.pop(each) for each in names]
    yield REST if name in GROUPS else "", list(by_name.values())


def _row(section: str, field: inspect.Field) -> str:
    meaning = _description(field.type)
    if nested := [name for name, *_ in _sections(field, f"{section}.")]:
        meaning = f"{meaning} See [`{nested[0]}`](#{_anchor(nested[0])}).".strip()
    if (section, field.name) in NEEDS_RESTART:
        meaning += " *Needs a restart.*"
    cells = (f"`{field.encode_name}`", _type(field.type), _default(field), meaning)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _type(wanted: inspect.Type) -> str:
    match _plain(wanted):
        case inspect.UnionType() as union:
            return " or ".join(_type(member) for member in members(union))
        case inspect.LiteralType(values=values):
            return ", ".join(f"`{value}`" for value in values)
        case inspect.BoolType():
            return "`true`, `false`"
        case inspect.VarTupleType(item_type=item):
            return f"list (each: {_type(item)})"
        case inspect.DictType(value_type=value):
            return f"`name: value` lines (each value: {_type(value)})"
        case inspect.StructType():
            return "section"
        case inspect.CustomType():
            return "secret text"
        case inspect.StrType(pattern=None, max_length=int(most)):
            return f"text, at most {most:,}"
        case inspect.StrType(pattern=str(pattern)) if pattern == NAME_PATTERN:
            return "name"
        case other:
            return expected(other).removeprefix("an ").removeprefix("a ")


def _default(field: inspect.Field) -> str:
    if field.required:
        return "**required**"
    value = field.default if field.default is not NODEFAULT else field.default_factory()
    match value:
        case None:
            return "-"
        case bool():
            return f"`{str(value).lower()}`"
        case float():
            return f"`{value:g}`"
        case ():
            return "`[]`"
        case dict():
            return "`{}`"
        case Struct():
            return "its defaults"
        case _:
            return f"`{value}`"


def _plain(wanted: inspect.Type) -> inspect.Type:
    """The type without its description, and without null, which means absent everywhere."""
    while isinstance(wanted, inspect.Metadata):
        wanted = wanted.type
    if isinstance(wanted, inspect.UnionType) and len(members(wanted)) == 1:
        return _plain(members(wanted)[0])
    return wanted


def _description(wanted: inspect.Type) -> str:
    if isinstance(wanted, inspect.Metadata):
        return str((wanted.extra_json_schema or {}).get("description", "")) or _description(wanted.type)
    if isinstance(wanted, inspect.UnionType):
        return next(filter(None, map(_description, members(wanted))), "")
    return ""


def _anchor(name: str) -> str:
    """As the platforms that show Markdown name a heading."""
    return "".join(letter for letter in name.lower() if letter.isalnum() or letter in "-_")


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
