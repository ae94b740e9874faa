"""Turns a provider's settings into the source of its credential.

`authType` chooses the source; without it, the other settings do. An error names the setting that is missing, because
the user has to correct a file. This module does not use the network: the login and the renewal of tokens add what
discovery finds.
"""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from msgspec import structs

from gateway.auth.oauth.settings import AuthMethod, OAuthSettings
from gateway.auth.sources import (
    AdcSource,
    ApiKey,
    CommandSource,
    CredentialSource,
    NoCredential,
    StoredToken,
    TokenFileSource,
)
from gateway.auth.tokens.file_formats import TokenPaths
from gateway.config import schema
from gateway.config.accounts import own_settings
from gateway.config.faults import KeyPath, can_show, named
from gateway.config.secret_texts import referenced_name, wrapping_fault
from gateway.core.program import command
from gateway.core.records import login_name
from gateway.core.secrets import Secret

AuthType: TypeAlias = Literal["api_key", "device", "authorization_code", "token_file", "adc", "command", "none"]
LOGINS: Final = ("device", "authorization_code")


class CannotResolve(Exception):
    """A setting is missing or wrong.

    Args:
        key: the setting's name in the provider's section.
        message: what is wrong with it; the sentence continues after the name.
        account: the place and the name of the account whose setting it is; None where it is the provider's own.
    """

    def __init__(self, key: str, message: str, account: tuple[int, str] | None = None) -> None:
        super().__init__(message)
        self.key = key if account is None else f"accounts.{account[1]}.{key}"
        self.path: KeyPath = (key,) if account is None else ("accounts", account[0], key)
        self.message = message


def source(
    name: str, settings: schema.Provider, vendors_key: str | None, environ: Mapping[str, str]
) -> CredentialSource:
    """The source of a provider's credential.

    Args:
        name: the provider's.
        settings: its section of the configuration.
        vendors_key: the environment variable that usually holds the vendor's key; None for vendors without a key, and
            where the address is not the vendor's own.
        environ: where keys are looked up.

    Raises:
        CannotResolve: a setting is missing.
    """
    kind = settings.auth_type
    if kind == "none":
        return NoCredential()
    if kind == "adc":
        return AdcSource(_scopes(settings))
    if kind in LOGINS:
        return StoredToken(oauth_settings(name, settings, environ))
    if kind == "token_file" or (kind is None and settings.token_file is not None and not _has_key(settings)):
        return _token_file(settings)
    if kind == "command" or (kind is None and settings.command and not _has_key(settings)):
        return _command(settings)
    if kind is None and not _has_key(settings) and _has_login(settings):
        return StoredToken(oauth_settings(name, settings, environ))
    return _key(settings, vendors_key, environ)


def account_source(
    provider: str, place: int, settings: schema.Provider, environ: Mapping[str, str]
) -> CredentialSource:
    """The source of an account's credential. The vendor's usual variable is no account's: it would be everyone's.

    Args:
        provider: the provider's name.
        place: of the account among those of the provider.
        settings: the provider's section.
        environ: where keys are looked up.

    Raises:
        CannotResolve: a setting is missing.
    """
    account = settings.accounts[place]
    merged = structs.replace(settings, **own_settings(account), accounts=())
    try:
        found = source(login_name(provider, account.name), merged, None, environ)
    except CannotResolve as fault:
        raise CannotResolve(fault.key, fault.message, (place, account.name)) from None
    if isinstance(found, NoCredential) and account.auth_type != "none":
        message = "is missing: an account needs apiKey, apiKeyEnv, tokenFile, command or authType"
        raise CannotResolve("apiKey", message, (place, account.name))
    return found


def in_words(name: str, settings: schema.Provider, source: CredentialSource, vendors_key: str | None) -> str:
    """The credential for a message that it was refused: what it is, and where or how it is corrected.

    Args:
        name: the provider's.
        settings: its section of the configuration.
        source: of its credential.
        vendors_key: as in `source`.
    """
    match source:
        case ApiKey():
            variable = None if settings.api_key else settings.api_key_env or vendors_key
            return f"its key ({f'the variable {variable}' if variable else f'providers.{name}.apiKey'})"
        case StoredToken():
            return f"its token ({command(f'login {name}')})"
        case TokenFileSource():
            return f"its token (from providers.{name}.tokenFile)"
        case CommandSource():
            return f"its token (from providers.{name}.command)"
        case AdcSource():
            return "its token (gcloud auth application-default login)"
    return f"a call without a key (providers.{name}.apiKey)"


def oauth_settings(name: str, settings: schema.Provider, environ: Mapping[str, str]) -> OAuthSettings:
    """The settings for a login.

    Args:
        name: the provider's.
        settings: its section of the configuration.
        environ: where the client secret is looked up.

    Raises:
        CannotResolve: a setting is missing that every login needs.
    """
    _check_addresses(settings)
    if settings.client_id is None:
        raise CannotResolve("clientId", "is missing: a login needs the client id that the vendor's console gave you")
    secret = _client_secret(settings, environ)
    return OAuthSettings(
        provider=name,
        client_id=settings.client_id,
        client_secret=secret,
        issuer=settings.issuer,
        authorization_endpoint=settings.auth_endpoint,
        token_endpoint=settings.token_endpoint,
        device_authorization_endpoint=settings.device_authorization_endpoint,
        revocation_endpoint=settings.revocation_endpoint,
        scopes=_scopes(settings),
        audience=settings.audience,
        resource=settings.resource,
        extra_auth_params=settings.extra_auth_params,
        extra_token_params=settings.extra_token_params,
        auth_method=_auth_method(settings, secret),
        request_format=settings.token_request_format,
        pkce=settings.pkce,
        redirect_host=settings.redirect_host,
        redirect_port=settings.redirect_port,
        redirect_path=settings.redirect_path,
        prefers=settings.auth_type if settings.auth_type in LOGINS else None,
    )


def _check_addresses(settings: schema.Provider) -> None:
    """Check that discovery can find what is missing: from the issuer, or from the authorization endpoint."""
    discoverable = settings.issuer or settings.auth_endpoint
    if settings.auth_type == "device" and not (discoverable or settings.device_authorization_endpoint):
        raise CannotResolve("deviceAuthorizationEndpoint", "is missing: give it, or issuer to find it")
    if settings.auth_type == "authorization_code" and not discoverable:
        raise CannotResolve("authEndpoint", "is missing: give it, or issuer to find it")
    if not (discoverable or settings.token_endpoint):
        raise CannotResolve("tokenEndpoint", "is missing: give it, or issuer to find it")


def _client_secret(settings: schema.Provider, environ: Mapping[str, str]) -> Secret | None:
    if settings.client_secret_env is None:
        return settings.client_secret or None
    return Secret(_variable("clientSecretEnv", settings.client_secret_env, environ))


def _auth_method(settings: schema.Provider, secret: Secret | None) -> AuthMethod:
    method = settings.token_endpoint_auth_method or ("client_secret_post" if secret else "none")
    if method != "none" and secret is None:
        raise CannotResolve("clientSecret", f"is missing: tokenEndpointAuthMethod is {method}")
    return method


def _has_key(settings: schema.Provider) -> bool:
    return bool(settings.api_key) or settings.api_key_env is not None


def _has_login(settings: schema.Provider) -> bool:
    return any(
        (
            settings.client_id,
            settings.issuer,
            settings.auth_endpoint,
            settings.token_endpoint,
            settings.device_authorization_endpoint,
        )
    )


def _key(settings: schema.Provider, vendors_key: str | None, environ: Mapping[str, str]) -> CredentialSource:
    if settings.api_key:
        return ApiKey(settings.api_key)
    if settings.api_key_env is not None:
        name = settings.api_key_env
        return ApiKey(_usable(_variable("apiKeyEnv", name, environ), "apiKeyEnv", name))
    if vendors_key is None:
        if settings.auth_type == "api_key":
            raise CannotResolve("apiKey", "is missing: authType is api_key; give apiKey or apiKeyEnv")
        return NoCredential()
    key = environ.get(vendors_key, "").strip()
    if not key:
        raise CannotResolve(
            "apiKey", f"is missing: give apiKey, set {vendors_key} in the environment, or set enabled: false"
        )
    return ApiKey(_usable(key, "apiKey", vendors_key))


def _usable(value: str, key: str, variable: str) -> Secret:
    """An API key from a variable. Raises CannotResolve: it cannot be meant."""
    if fault := key_fault(value, variable):
        raise CannotResolve(key, f"cannot be used: {fault}")
    return Secret(value)


def key_fault(value: str, variable: str) -> str:
    """Why a variable's value cannot be meant as an API key, which would only come back as a provider's 401; empty where
    it can."""
    named_another = referenced_name(value) is not None
    fault = "names another variable: give the key itself" if named_another else wrapping_fault(value)
    shown = f" {variable}" if can_show(variable) else ""
    return f"the value of the environment variable{shown} {fault}" if fault else ""


def _variable(key: str, name: str, environ: Mapping[str, str]) -> str:
    value = environ.get(name, "").strip()
    if not value:
        raise CannotResolve(key, f"{named('the environment variable', name)} is not set, or empty")
    return value


def _token_file(settings: schema.Provider) -> TokenFileSource:
    file = settings.token_file
    if file is None:
        raise CannotResolve("tokenFile", "is missing: authType is token_file; give the file's path")
    if isinstance(file, str):
        return TokenFileSource(file)
    return TokenFileSource(file.path, file.format, TokenPaths(file.access_token_path, file.expiry_path))


def _command(settings: schema.Provider) -> CommandSource:
    if not settings.command:
        raise CannotResolve("command", "is missing: authType is command; give the program and its arguments as a list")
    return CommandSource(settings.command)


def _scopes(settings: schema.Provider) -> tuple[str, ...]:
    return tuple(settings.scopes.split()) if isinstance(settings.scopes, str) else settings.scopes
