"""The rules that a configuration of the right shape must still satisfy.

Each is a function from Config to problems, the same form as the checks of higher packages. An address is never quoted:
it may contain a password or a key. A rule needs no vendor and no network.
"""

import re
from collections.abc import Iterable, Iterator
from ipaddress import AddressValueError, IPv6Address
from typing import Final

from gateway.config.account_rules import ACCOUNT_RULES, holders
from gateway.config.accounts import Credentials
from gateway.config.client_rules import CLIENT_RULES
from gateway.config.embedding_aliases import mixed_vectors
from gateway.config.exposure import guarded_host
from gateway.config.faults import Check, KeyPath, Problem, named, nearest
from gateway.config.limit_rules import LIMIT_RULES
from gateway.config.schema import Config, Provider
from gateway.config.sharing_rules import SHARING_RULES
from gateway.config.token_files import WatchFile
from gateway.config.workers import served_by_several
from gateway.core.this_machine import is_this_machine

_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?")
_AUTHORITY = re.compile(r"(?:\[(?P<ip6>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:]+))(?::(?P<port>[0-9]{1,5}))?")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
MAX_PORT: Final = 65_535
# fmt: off
_OWN_HEADERS: Final = frozenset(
    (
        "accept", "accept-encoding", "connection", "content-length", "content-type", "cookie", "expect",
        "host", "keep-alive", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade",
        "user-agent", "x-goog-user-project",
    )
)
_OWN_PARAMETERS: Final = frozenset(
    (
        "client_assertion", "client_id", "client_secret", "code", "code_challenge", "code_challenge_method",
        "code_verifier", "device_code", "grant_type", "redirect_uri", "refresh_token", "response_mode",
        "response_type", "scope", "state",
    )
)
# fmt: on


def unique_aliases(config: Config) -> Iterator[Problem]:
    """Each alias has one entry."""
    names = [(("modelAliases", index, "alias"), alias.alias) for index, alias in enumerate(config.model_aliases)]
    return _repeated(names, "the alias")


def sound_patterns(config: Config) -> Iterator[Problem]:
    """A name has at most one star, a target's star has one of the alias to stand for, and a pattern can match."""
    for index, alias in enumerate(config.model_aliases):
        path: KeyPath = ("modelAliases", index)
        if alias.alias.count("*") > 1:
            yield Problem((*path, "alias"), "has more than one *: a pattern has one, such as claude-*", fatal=True)
        provider, slash, _ = alias.alias.partition("/")
        if "*" in alias.alias and slash and provider in config.providers:
            message = f"matches nothing: a name that begins with {provider}/ goes to that provider as it is"
            yield Problem((*path, "alias"), message, fatal=False)
        for place, target in enumerate(alias.providers):
            if target.model.count("*") > alias.alias.count("*"):
                message = "has a * that stands for nothing: it repeats what the * of the alias matches"
                yield Problem((*path, "providers", place, "model"), message, fatal=True)


def _repeated(names: Iterable[tuple[KeyPath, str]], what: str) -> Iterator[Problem]:
    first: dict[str, KeyPath] = {}
    for path, name in names:
        if first.setdefault(name, path) != path:
            yield Problem(path, f'{what} "{name}" is given twice', fatal=True, first=first[name])


def known_providers(config: Config) -> Iterator[Problem]:
    """Every reference names a provider of this file."""
    for path, name in _references(config):
        if name not in config.providers:
            known = ", ".join(config.providers) or "none"
            hint = nearest(name, config.providers) or f"; providers in this file: {known}"
            yield Problem(path, f"{named('unknown provider', name)}{hint}", fatal=True)


def _references(config: Config) -> Iterator[tuple[KeyPath, str]]:
    for index, alias in enumerate(config.model_aliases):
        for place, target in enumerate(alias.providers):
            yield ("modelAliases", index, "providers", place, "provider"), target.provider
    for index, limit in enumerate(config.rate_limits):
        yield ("rateLimits", index, "provider"), limit.provider
    for index, price in enumerate(config.prices):
        yield ("prices", index, "provider"), price.provider
    for index, file in enumerate(config.auth.watch_files):
        if isinstance(file, WatchFile) and file.provider is not None:
            yield ("auth", "watchFiles", index, "provider"), file.provider


def answered_aliases(config: Config) -> Iterator[Problem]:
    """Each alias has an enabled provider."""
    enabled = {name for name, provider in config.providers.items() if provider.enabled}
    for index, alias in enumerate(config.model_aliases):
        if not any(target.provider in enabled for target in alias.providers):
            message = f'no provider of the alias "{alias.alias}" is enabled; calls to it will fail'
            yield Problem(("modelAliases", index), message, fatal=False)


def someone_answers(config: Config) -> Iterator[Problem]:
    """A provider is enabled. It is no fault where none is: a reload may empty the list."""
    if not any(provider.enabled for provider in config.providers.values()):
        message = "no provider is enabled, so every call will fail: add one under providers"
        yield Problem(("providers",), message, fatal=False)


def sound_addresses(config: Config) -> Iterator[Problem]:
    """Addresses are absolute and contain no secret; connections that carry one are encrypted."""
    for at, holder in holders(config):
        for key, address in _addresses(holder):
            path: KeyPath = (*at, key)
            if fault := _address_fault(address):
                yield Problem(path, fault, fatal=True)
            elif not _is_private(address):
                yield from _unencrypted(path, holder)


def _addresses(provider: Credentials) -> Iterator[tuple[str, str]]:
    keys = {
        "apiEndpoint": provider.api_endpoint if isinstance(provider, Provider) else None,
        "authEndpoint": provider.auth_endpoint,
        "tokenEndpoint": provider.token_endpoint,
        "issuer": provider.issuer,
        "deviceAuthorizationEndpoint": provider.device_authorization_endpoint,
        "revocationEndpoint": provider.revocation_endpoint,
        "resource": provider.resource,
    }
    return ((key, address) for key, address in keys.items() if address is not None)


def _unencrypted(path: KeyPath, provider: Credentials) -> Iterator[Problem]:
    if path[-1] != "apiEndpoint":
        yield Problem(path, "must be https: logins travel here (http only on this machine)", fatal=True)
    elif isinstance(provider, Provider) and provider.enabled:
        yield Problem(path, "plain http to another machine: keys and prompts travel unencrypted", fatal=False)


def one_credential(config: Config) -> Iterator[Problem]:
    """Each credential has one source, and the file shows which."""
    for path, provider in holders(config):
        for one, other in _twice(provider):
            message = f"{one} and {other} are both given, and only one can be used: take one out"
            yield Problem((*path, other), message, fatal=True)
        if provider.auth_type is None and len(given := _places(provider)) > 1:
            message = f"{' and '.join(given)} are given: say which one to use by authType, or take the others out"
            yield Problem((*path, given[1]), message, fatal=True)
        if provider.token_endpoint_auth_method == "none" and _has_client_secret(provider):  # noqa: S105 - a method
            message = "is none, and there is a client secret: take one of the two out"
            yield Problem((*path, "tokenEndpointAuthMethod"), message, fatal=True)


def _twice(provider: Credentials) -> Iterator[tuple[str, str]]:
    if provider.api_key and provider.api_key_env is not None:
        yield "apiKey", "apiKeyEnv"
    if provider.client_secret and provider.client_secret_env is not None:
        yield "clientSecret", "clientSecretEnv"


def _places(provider: Credentials) -> list[str]:
    """The settings that each name a credential's source. A client id beside a key is no conflict: the key is used, and
    the login stays for later."""
    key = "apiKey" if provider.api_key else "apiKeyEnv" if provider.api_key_env is not None else None
    file = "tokenFile" if provider.token_file is not None else None
    command = "command" if provider.command else None
    return [place for place in (key, file, command) if place is not None]


def _has_client_secret(provider: Credentials) -> bool:
    return bool(provider.client_secret) or provider.client_secret_env is not None


def free_names(config: Config) -> Iterator[Problem]:
    """Headers and parameters that the gateway sets itself are not configured again."""
    for path, provider in holders(config):
        header = provider.api_key_header if isinstance(provider, Provider) else None
        if header is not None and header.lower() in _OWN_HEADERS:
            message = f'"{header}" is set by the gateway itself; a key goes in a header such as x-api-key'
            yield Problem((*path, "apiKeyHeader"), message, fatal=True)
        extras = {"extraAuthParams": provider.extra_auth_params, "extraTokenParams": provider.extra_token_params}
        for key, extra in extras.items():
            for param in sorted(_OWN_PARAMETERS.intersection(extra)):
                message = f'"{param}" is set by the login itself; there is a setting of its own for what can be chosen'
                yield Problem((*path, key, param), message, fatal=True)


def _address_fault(address: str) -> str:
    """The fault of an http(s) address, without quoting it; empty if there is none."""
    if not re.fullmatch(r"[\x21-\x5b\x5d-\x7e]+", address):
        return "an address has no spaces, backslashes or characters outside ASCII"
    if "?" in address or "#" in address:
        return "an address here has no query (`?`) and no fragment (`#`)"
    scheme, authority = _split(address)
    if scheme.lower() not in ("http", "https") or not authority:
        return "expected an absolute address that begins with https:// or http://"
    if "@" in authority:
        return "an address here has no user name or password"
    return "" if _is_authority(authority) else "not an address: the host or port is malformed"


def _is_authority(text: str) -> bool:
    """Whether a text is host or host:port (RFC 3986 section 3.2, without user information)."""
    found = _AUTHORITY.fullmatch(text)
    if not found or not 0 < int(found["port"] or 80) <= MAX_PORT:
        return False
    return bool(_HOST.fullmatch(found["name"])) if found["name"] else _ip6(found["ip6"]) is not None


def _split(address: str) -> tuple[str, str]:
    scheme, _, rest = address.partition("://")
    return scheme.lower(), rest.partition("/")[0]


def _is_private(address: str) -> bool:
    """Whether a valid address is safe from eavesdropping: https, or a loopback host."""
    scheme, authority = _split(address)
    found = _AUTHORITY.fullmatch(authority)
    return scheme == "https" or (found is not None and is_this_machine(found["name"] or found["ip6"]))


def _ip6(text: str) -> IPv6Address | None:
    try:
        return IPv6Address(text)
    except AddressValueError:
        return None


def exact_origins(config: Config) -> Iterator[Problem]:
    """Each allowed origin is one origin in the form that browsers send (RFC 6454 section 6.2)."""
    for index, origin in enumerate(config.gateway.allowed_origins):
        path: KeyPath = ("gateway", "allowedOrigins", index)
        if "*" in origin:
            yield Problem(
                path, "`*` would let any web page spend your keys; list each origin as https://name[:port]", fatal=True
            )
        elif not _is_origin(origin):
            message = "expected exactly scheme://host or scheme://host:port, without a path or final slash"
            yield Problem(path, message, fatal=True)


def _is_origin(text: str) -> bool:
    scheme, _, authority = text.partition("://")
    return bool(_SCHEME.fullmatch(scheme)) and _is_authority(authority)


RULES: Final[tuple[Check, ...]] = (
    unique_aliases,
    sound_patterns,
    mixed_vectors,
    served_by_several,
    *LIMIT_RULES,
    *CLIENT_RULES,
    *ACCOUNT_RULES,
    *SHARING_RULES,
    known_providers,
    guarded_host,
    answered_aliases,
    someone_answers,
    sound_addresses,
    one_credential,
    free_names,
    exact_origins,
)
