"""Makes the text of a first configuration file from what was found: short, commented, and without any secret.

It reads nothing and writes nothing.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from gateway.commands.init.discovery import Found, FoundFile
from gateway.commands.init.local_servers import LocalServer
from gateway.commands.init.models import SUGGESTED, chats
from gateway.config.schema import Gateway
from gateway.core.program import command
from gateway.providers.vendors import patterns

MAX_LISTED: Final = 20
"""Models of a local server that the file lists."""


def first_file(found: Found, schema: str | None) -> str:
    """The text of the file.

    Args:
        found: what is there.
        schema: where the file's JSON Schema is, for editors; None where that is not known.
    """
    parts = [_head(schema), *_gateway(found), *_aliases(found), _providers(found)]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def used(found: Found) -> dict[str, str]:
    """The vendors whose models can be asked for, and the provider that answers for each: a key before a file."""
    names = {each.provider: each.provider for each in found.keys}
    for each in found.files:
        if each.off is None:
            names.setdefault(each.vendor, each.provider)
    return names


def _head(schema: str | None) -> list[str]:
    editor = [f"# yaml-language-server: $schema={schema}"] if schema else []
    return [
        *editor,
        f"# LLM Gateway: a first file, written by `{command('init')}` from what was found on this machine.",
        "#",
        "# Keys stay where they are: ${NAME} is a variable of your environment, which is read at the start.",
        "# Every other setting is in config.example.yaml.",
        f"# After a change, `{command('check')}` says everything that is wrong.",
    ]


def _gateway(found: Found) -> Iterator[list[str]]:
    """Another port, where a server that was found has the usual one."""
    taken = {urlsplit(each.address).port: each.provider for each in found.servers}
    usual = Gateway().port
    if usual in taken:
        free = next(port for port in range(usual + 1, usual + 2 + len(taken)) if port not in taken)
        yield ["gateway:", f"  # {usual} is the usual one, and {taken[usual]} listens there.", f"  port: {free}"]


def _aliases(found: Found) -> Iterator[list[str]]:
    names = used(found)
    suggested = {vendor: row for vendor, row in SUGGESTED.items() if vendor in names}
    local = {each.provider: model for each in found.servers if (model := next(filter(chats, each.models), None))}
    lines = [
        *_alias("best", {names[vendor]: row.best for vendor, row in suggested.items()}),
        *_alias("fast", {names[vendor]: row.fast for vendor, row in suggested.items()}),
        *_alias("local", local),
        *_patterns(names),
    ]
    if lines:
        yield [
            "# The model names that your clients use. The lowest priority is asked first; where it fails, the next.",
            "# PROVIDER/MODEL also works for every provider below, without an alias.",
            "modelAliases:",
            *lines,
        ]


def _alias(name: str, targets: Mapping[str, str]) -> list[str]:
    if not targets:
        return []
    rows = enumerate(targets.items(), start=1)
    return [
        f"  - alias: {name}",
        "    providers:",
        *(
            f"      - {{provider: {provider}, model: {quoted(model)}, priority: {place}}}"
            for place, (provider, model) in rows
        ),
    ]


def _patterns(names: Mapping[str, str]) -> list[str]:
    """For clients whose model names are fixed, such as Claude Code's: as without a file."""
    lines = []
    for pattern in patterns(names):
        vendor = pattern.providers[0].provider
        lines += [
            f"  - alias: {quoted(pattern.alias)}  # every name of this form",
            f"    providers: [{{provider: {names[vendor]}, model: {quoted(pattern.providers[0].model)}}}]",
        ]
    return lines


def _providers(found: Found) -> list[str]:
    lines = ["# Who answers.", "providers:"]
    for key in found.keys:
        lines += [f"  {key.provider}:", f'    apiKey: "${{{key.variable}}}"']
    for server in found.servers:
        lines += _server(server)
    for file in found.files:
        lines += _file(file)
    return lines


def _server(server: LocalServer) -> list[str]:
    more = len(server.models) - MAX_LISTED
    return [
        f"  {server.provider}:",
        f"    apiEndpoint: {quoted(server.address)}",
        "    # Its models when this file was written:",
        *(f"    #   {model}" for model in server.models[:MAX_LISTED]),
        *([f"    #   and {more} more"] if more > 0 else []),
    ]


def _file(file: FoundFile) -> list[str]:
    off = [f"    # Switched off: {file.off}.", "    enabled: false"] if file.off else []
    if file.format == "adc":
        credential = [f"    # The login that gcloud keeps in {file.path}.", "    authType: adc"]
    else:
        credential = [
            "    # Read and never written; whether you may use it here is between you and the vendor.",
            f"    tokenFile: {{path: {quoted(file.path)}, format: {file.format}}}",
        ]
    return [f"  {file.provider}:", f"    type: {file.vendor}", *off, *credential]


def quoted(text: str) -> str:
    """A text as a YAML scalar, which `${` does not expand."""
    return json.dumps(text.replace("${", "$${"), ensure_ascii=False)


def summary(found: Found) -> Iterator[str]:
    """What was found, a line each, for people."""
    rows = [
        *((each.provider, f"a key in {each.variable}") for each in found.keys),
        *((each.provider, f"{each.address}, {_counted(each.models)}") for each in found.servers),
        *((each.provider, f"a token in {each.path}" + _reason(each)) for each in found.files),
    ]
    width = max((len(name) for name, _ in rows), default=0)
    yield from (f"  {name:<{width}}  {text}" for name, text in rows)


def _counted(models: Iterable[str]) -> str:
    names = list(models)
    rest = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"with {', '.join(names[:3])}{rest}"


def _reason(file: FoundFile) -> str:
    return f" (switched off: {file.off})" if file.off else ""
