"""What a gateway says at its start: its address, its configuration, what needs somebody, and a first thing to try."""

import sys
from collections.abc import Iterator, Mapping

from gateway import __version__
from gateway.assembly import Assembly
from gateway.bindings import logins_of
from gateway.config.client_rules import needs_key
from gateway.config.loader import Loaded
from gateway.core.program import command
from gateway.core.strict_json import dumps
from gateway.core.this_machine import is_this_machine
from gateway.upstream.certificates import TrustStore
from gateway.upstream.surroundings import connection_notes, connection_warnings, proxies_of


def greeting(assembly: Assembly, url: str, environ: Mapping[str, str], workers: int = 1) -> str:
    """What is said at the start: where, with what, and a first thing to try.

    Args:
        assembly: what is served.
        url: where.
        environ: what it says about connections.
        workers: how many processes serve.
    """
    loaded = assembly.loaded
    names = [alias.alias for alias in loaded.config.model_aliases]
    others = [name for name in assembly.bindings if name != "demo"]
    several = f", {workers} workers" if workers > 1 else ""
    lines = [f"LLM Gateway {__version__} on {url}/v1{several} (Ctrl-C stops it)"]
    if loaded.path is None:
        joined = (
            f", and {', '.join(others)} (key found in the environment; model names: {others[0]}/MODEL)"
            if others
            else ""
        )
        lines.append(f"No configuration file: serving the embedded demo provider{joined}.")
        lines.append("The last 1,000 calls are kept in memory: GET /gateway/usage.json.")
    else:
        manual = "" if loaded.config.gateway.reload == "auto" else f"; read again by `{command('reload')}` only"
        lines.append(f"Configuration: {loaded.path} (generation {assembly.generation}{manual})")
    lines.extend(_exposure_lines(loaded))
    without_alias = "no aliases; use PROVIDER/MODEL" if assembly.bindings else "none"
    lines.append(f"Models: {', '.join(names) or without_alias}")
    lines.extend(f"Warning: {warning}" for warning in loaded.warnings)
    lines.extend(_credential_lines(assembly))
    lines.extend(_connection_lines(assembly.endpoints, environ))
    if loaded.config.gateway.page:
        lines.append(f"Page: {url}/")
    if names:
        lines.append(f"Try: curl {url}/v1/chat/completions {_curl_data(names[0], keyed=needs_key(loaded.config))}")
    return "\n".join(lines)


def _exposure_lines(loaded: Loaded) -> Iterator[str]:
    """Who else can reach it, and where the key is that they need."""
    settings = loaded.config.gateway
    if is_this_machine(settings.host):
        return
    yield f"Exposed on {settings.host}: other machines can reach it, with a key"
    if loaded.key_file is not None:
        show = "type" if sys.platform == "win32" else "cat"
        yield f"Key: in {loaded.key_file}; show it (in a container: docker exec NAME ...): {show} {loaded.key_file}"


def _credential_lines(assembly: Assembly) -> Iterator[str]:
    """Who cannot be called yet, and what mends it."""
    for name in logins_of(assembly.bindings):
        status = assembly.auth.status(name)
        if status.problem is not None:
            remedy = f" Run: {status.remedy}" if status.remedy else ""
            yield f"Warning: {status.problem}{remedy}"


def _connection_lines(endpoints: Mapping[str, str], environ: Mapping[str, str]) -> Iterator[str]:
    """What the environment changes about connections."""
    yield from (f"Warning: {warning}" for warning in connection_warnings(endpoints, environ))
    if TrustStore.of(environ).variable is not None or proxies_of(endpoints):
        yield from (f"Connections: {note}" for note in connection_notes(endpoints, environ))


def _curl_data(model: str, *, keyed: bool) -> str:
    body = dumps({"model": model, "messages": [{"role": "user", "content": "Hello"}]}).decode()
    if sys.platform == "win32":
        body = body.replace('"', '\\"')
        key = '-H "Authorization: Bearer KEY" ' if keyed else ""
        return f'{key}-H "Content-Type: application/json" -d "{body}"'
    key = "-H 'Authorization: Bearer KEY' " if keyed else ""
    return f"{key}-H 'Content-Type: application/json' -d '{body}'"
