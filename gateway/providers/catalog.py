"""The vendors that are known by name, one row each, and how a row's defaults complete a provider's settings.

A vendor with OpenAI's API needs a row and no code. A row that differs from the usual has the date and the source of the
difference. This module builds nothing (factory.py does) and does not use the network.
"""

import contextlib
import difflib
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

from msgspec.structs import replace

from gateway.auth.sources import ApiKey, CredentialSource, NoCredential, StoredToken
from gateway.config import schema
from gateway.config.faults import KeyPath
from gateway.config.loader import Check, Problem
from gateway.core.this_machine import LOCAL_NAMES
from gateway.providers import credentials
from gateway.providers.credentials import CannotResolve
from gateway.providers.resolved import Resolved, ResolvedAccount
from gateway.providers.vendors import (
    COMMON_DIALECT,
    COMPATIBLE,
    EVERY_PATH,
    RESPONSES,
    VENDORS,
    Paths,
    Vendor,
    Wire,
)
from gateway.routing.accounts import Account
from gateway.wires.openai_chat.outbound.dialect import Dialect

__all__ = ["CannotResolve", "Resolved", "check", "endpoints", "from_environment", "resolve", "unusable_keys"]

GOOGLE: Final = "generativelanguage.googleapis.com"
VERTEX: Final = "aiplatform.googleapis.com"
"""Also REGION-aiplatform.googleapis.com. Its v1 has the complete API."""


def resolve(name: str, settings: schema.Provider, environ: Mapping[str, str]) -> Resolved:
    """Complete a provider's settings with its vendor's row.

    Args:
        name: the provider's.
        settings: its section of the configuration.
        environ: where keys are looked up.

    Raises:
        CannotResolve: the type is unknown, the address is malformed, or a setting for the credential is missing.
    """
    kind = settings.type or name
    vendor = VENDORS.get(kind)
    if vendor is None:
        raise CannotResolve("type", _unknown_type(kind, given=settings.type is not None))
    endpoint = settings.api_endpoint.rstrip("/") if settings.api_endpoint else vendor.endpoint
    if not _has_valid_port(endpoint or ""):
        raise CannotResolve("apiEndpoint", "is malformed in its host or port")
    wire, endpoint = _chosen_api(vendor, settings.api, endpoint)
    key_env = _vendors_key(vendor, endpoint)
    accounts = _accounts(name, settings, environ)
    if settings.accounts:
        source: CredentialSource = accounts[0].source if accounts else NoCredential()
        credential = f"the credential of its account (providers.{name}.accounts)"
    else:
        source = credentials.source(name, settings, key_env, environ)
        credential = credentials.in_words(name, settings, source, key_env)
    return Resolved(
        name=name,
        type=kind,
        endpoint=endpoint,
        wire=wire,
        source=source,
        credential=credential,
        stream_usage=vendor.stream_usage if settings.stream_usage is None else settings.stream_usage,
        dialect=_dialect(vendor, endpoint, settings),
        paths=_paths(vendor, wire, endpoint),
        settings=settings,
        accounts=accounts,
    )


def _accounts(name: str, settings: schema.Provider, environ: Mapping[str, str]) -> tuple[ResolvedAccount, ...]:
    return tuple(
        ResolvedAccount(
            Account(each.name, each.priority, each.weight),
            credentials.account_source(name, place, settings, environ),
        )
        for place, each in enumerate(settings.accounts)
        if each.enabled
    )


def _dialect(vendor: Vendor, endpoint: str | None, settings: schema.Provider) -> Dialect:
    """What the server at this address takes: only at a vendor's own address it is certainly the vendor's."""
    own = urlsplit(vendor.endpoint or "").hostname == urlsplit(endpoint or "").hostname
    dialect = vendor.dialect if own or vendor.wire != COMPATIBLE else COMMON_DIALECT
    if settings.message_extras is None:
        return dialect
    return replace(dialect, history="strict" if settings.message_extras == "strip" else "as_is")


def _paths(vendor: Vendor, wire: Wire, endpoint: str | None) -> Paths:
    """The endpoints of the server at this address. A vendor's row tells of its own address only; a program that people
    run themselves has no address of its own, and is the same everywhere."""
    if wire not in (COMPATIBLE, RESPONSES):
        return vendor.own_paths
    own = urlsplit(vendor.endpoint or "").hostname == urlsplit(endpoint or "").hostname
    return vendor.paths if own or vendor.key_env is None else EVERY_PATH


def _chosen_api(vendor: Vendor, api: str | None, endpoint: str | None) -> tuple[Wire, str | None]:
    """The wire and base address of the API to ask, for a vendor that has two. Without `api`, the address chooses: users
    copy the address of the compatible API from the settings of other tools."""
    if api == "responses" and vendor.responses:
        return RESPONSES, endpoint
    if vendor.compatible is None or endpoint is None:
        return vendor.wire, endpoint
    base = endpoint.removesuffix(vendor.compatible)
    if api == "openai" or (api is None and base != endpoint):
        return COMPATIBLE, base + vendor.compatible
    return vendor.wire, base


def endpoints(config: schema.Config, environ: Mapping[str, str]) -> dict[str, str]:
    """The base addresses of the enabled providers that have one, by name."""
    found = {}
    for name, settings in config.providers.items():
        if settings.enabled:
            with contextlib.suppress(CannotResolve):  # `check` reports that
                if endpoint := resolve(name, settings, environ).endpoint:
                    found[name] = endpoint
    return found


def check(environ: Mapping[str, str]) -> Check:
    """A check of a configuration's providers, for the loader.

    Args:
        environ: where the vendors' keys are looked up.
    """

    def problems(config: schema.Config) -> Iterable[Problem]:
        for name, settings in config.providers.items():
            if not settings.enabled:
                continue
            try:
                resolved = resolve(name, settings, environ)
            except CannotResolve as fault:
                if fault.key == "apiEndpoint":
                    continue  # the loader's own rules report that, with more detail
                yield Problem(("providers", name, *fault.path), fault.message, fatal=True)
                continue
            yield from _likely_faults(resolved, config)

    return problems


def _likely_faults(resolved: Resolved, config: schema.Config) -> Iterable[Problem]:
    """Settings that are legal and will not work as intended."""
    at = ("providers", resolved.name)
    address = urlsplit(resolved.endpoint or "")
    ours = {"127.0.0.1", "::1", *LOCAL_NAMES, config.gateway.host}
    port = address.port or (443 if address.scheme == "https" else 80)
    if address.hostname in ours and port == config.gateway.port:
        yield Problem(
            (*at, "apiEndpoint"),
            f"is the gateway's own address (port {port}); give one of the two another port",
            fatal=True,
        )
    yield from _without_effect(resolved, at)
    if resolved.type == "gemini":
        yield from _google(resolved, at)
    elif address.hostname == GOOGLE:
        yield Problem(
            (*at, "apiEndpoint"),
            "is Gemini's: say `type: gemini`, which gives Gemini its thought signatures back and reads its errors",
            fatal=False,
        )


def _without_effect(resolved: Resolved, at: KeyPath) -> Iterable[Problem]:
    """Settings that would do nothing."""
    settings = resolved.settings
    if settings.api is not None and settings.api not in _apis(VENDORS[resolved.type]):
        yield Problem((*at, "api"), _no_such_api(resolved.type), fatal=True)
    if settings.message_extras is not None and resolved.wire != COMPATIBLE:
        other = "chat" if resolved.wire == RESPONSES else "openai"
        message = f"is for OpenAI-compatible chat APIs: take it out, or ask the compatible one by `api: {other}`"
        yield Problem((*at, "messageExtras"), message, fatal=True)
    if settings.stream_usage is not None and resolved.wire != COMPATIBLE:
        message = "is for OpenAI-compatible APIs, and does nothing here: token counts come without being asked for"
        yield Problem((*at, "streamUsage"), message, fatal=False)


def _apis(vendor: Vendor) -> tuple[str, ...]:
    """The names of the APIs that a vendor has, where it has two."""
    if vendor.compatible is not None:
        return ("native", "openai")
    return ("chat", "responses") if vendor.responses else ()


def _no_such_api(kind: str) -> str:
    if apis := _apis(VENDORS[kind]):
        return f"must be {' or '.join(apis)} for {kind}"
    return f"chooses between two APIs of a vendor, and {kind} has only one: take it out"


def _google(resolved: Resolved, at: KeyPath) -> Iterable[Problem]:
    """Settings that Google does not support."""
    address = urlsplit((resolved.endpoint or "").removesuffix(VENDORS["gemini"].compatible or ""))
    vertex = address.hostname == VERTEX or (address.hostname or "").endswith(f"-{VERTEX}")
    if address.path.endswith("/v1") and not vertex:
        yield Problem(
            (*at, "apiEndpoint"),
            "Gemini's /v1 has no system instruction, tools, JSON output, thinking or OpenAI-compatible API, and refuses"
            " requests that use them: use /v1beta",
            fatal=False,
        )
    if (
        resolved.settings.quota_project is not None
        and resolved.wire != COMPATIBLE
        and isinstance(resolved.source, ApiKey)
    ):
        message = "is sent beside a token only: an API key is billed to the project that it is from"
        yield Problem((*at, "quotaProject"), message, fatal=False)
    if _is_googles_device_login(resolved.source):
        yield Problem(
            (*at, "authType"),
            "Google's device login has no scope for Gemini: use authorization_code, adc or an apiKey",
            fatal=False,
        )


def _is_googles_device_login(source: CredentialSource) -> bool:
    """https://developers.google.com/identity/protocols/oauth2/limited-input-device#allowedscopes (2026-11)"""
    if not isinstance(source, StoredToken) or source.oauth is None or source.oauth.prefers != "device":
        return False
    oauth = source.oauth
    address = oauth.device_authorization_endpoint or oauth.issuer or oauth.authorization_endpoint
    return (urlsplit(address or "").hostname or "").endswith((".google.com", ".googleapis.com"))


def from_environment(environ: Mapping[str, str]) -> dict[str, schema.Provider]:
    """The vendors whose key is in the environment; an empty or unusable variable counts as absent."""
    return {name: schema.Provider() for name, fault in _keys_in(environ).items() if not fault}


def unusable_keys(environ: Mapping[str, str]) -> list[str]:
    """What is wrong with the variables that `from_environment` leaves out; a sentence each."""
    return [f"{fault}; {name} is left out" for name, fault in _keys_in(environ).items() if fault]


def _keys_in(environ: Mapping[str, str]) -> dict[str, str]:
    """By vendor, the fault of its key in the environment; empty where the key can be used."""
    keys = {name: vendor.key_env for name, vendor in VENDORS.items() if vendor.key_env is not None}
    return {
        name: credentials.key_fault(value, variable)
        for name, variable in keys.items()
        if (value := environ.get(variable, "").strip())
    }


def _vendors_key(vendor: Vendor, endpoint: str | None) -> str | None:
    """The variable of the vendor's key. None for another host than the vendor's, which must never get that key."""
    own_host = urlsplit(vendor.endpoint or "").hostname == urlsplit(endpoint or "").hostname
    return vendor.key_env if own_host else None


def _has_valid_port(address: str) -> bool:
    try:
        return urlsplit(address).port != 0
    except ValueError:
        return False


def _unknown_type(kind: str, *, given: bool) -> str:
    near = difflib.get_close_matches(kind, VENDORS, n=1)
    hint = f'; did you mean "{near[0]}"?' if near else ""
    if given:
        return f"must be one of {', '.join(sorted(VENDORS))}{hint}"
    return (
        f'is missing, and the name is no known vendor{hint}; "type: openai" with apiEndpoint takes any compatible API'
    )
