"""`check`: what is to be said about a configuration that can be used; and the JSON Schema of the file, for editors.

What cannot be used has been told by then: the loader reports every fault at once.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from gateway.auth.tokens.file_writer import FileWriter
from gateway.commands.accounts import CommandFailed
from gateway.commands.console import one_line
from gateway.config.loader import Loaded, schema
from gateway.core.clock import Clock
from gateway.providers import catalog
from gateway.providers.vendors import VENDORS
from gateway.upstream.surroundings import connection_notes, connection_warnings

STANDARD_OUTPUT: Final = "-"
"""The file name that stands for it."""


def lines(loaded: Loaded, environ: Mapping[str, str]) -> Iterator[str]:
    """What is to be said: probable mistakes, what the environment changes about connections, and a summary.

    Args:
        loaded: the configuration.
        environ: keys, proxies and the trust store.
    """
    config = loaded.config
    endpoints = catalog.endpoints(config, environ)
    for warning in (*loaded.warnings, *connection_warnings(endpoints, environ)):
        yield f"warning: {warning}"
    yield from connection_notes(endpoints, environ)
    where = loaded.path or "no configuration file (the embedded demo would be served)"
    enabled = sum(provider.enabled for provider in config.providers.values())
    yield f"{where}: fine; {len(config.model_aliases)} aliases, {enabled} of {len(config.providers)} providers enabled"


def schema_text() -> str:
    """The JSON Schema of the file; ASCII, with a line break at its end."""
    return json.dumps(schema(VENDORS), indent=2) + "\n"


def write_schema(path: Path, clock: Clock) -> None:
    """Write the JSON Schema to a file, whole or not at all; an older one is replaced.

    Raises:
        CommandFailed: it cannot be written.
    """
    try:
        FileWriter(path.with_name(f"{path.name}.tmp"), clock).replace(path, schema_text().encode())
    except (OSError, ValueError) as fault:
        reason = (isinstance(fault, OSError) and fault.strerror) or "not a file name"
        raise CommandFailed(f"{one_line(str(path))} cannot be written: {reason}") from None
