"""The settings of a provider's credential, and its accounts, each with a credential of its own."""

from typing import Annotated, Literal

from msgspec import Meta, field, structs

from gateway.config.setting_types import Address, Name, Struct, Text, Texts, Weight
from gateway.config.token_files import TokenFile
from gateway.core.secrets import Secret


class Credentials(Struct, frozen=True):
    """How to authenticate."""

    api_key: (
        Annotated[Secret, Meta(description="The key; default: the vendor's usual environment variable.")] | None
    ) = None
    client_id: Annotated[Text, Meta(description="OAuth client id.")] | None = None
    client_secret: Annotated[Secret, Meta(description="OAuth client secret.")] | None = None
    auth_endpoint: Annotated[Address, Meta(description="OAuth authorization endpoint.")] | None = None
    token_endpoint: Annotated[Address, Meta(description="OAuth token endpoint.")] | None = None
    auth_type: (
        Annotated[
            Literal["api_key", "device", "authorization_code", "token_file", "adc", "command", "none"],
            Meta(description="How to authenticate; absent: what the other keys imply."),
        ]
        | None
    ) = None
    api_key_env: Annotated[Text, Meta(description="The environment variable that holds the key.")] | None = None
    client_secret_env: Annotated[Text, Meta(description="The environment variable of the client secret.")] | None = None
    issuer: (
        Annotated[Address, Meta(description="OAuth issuer, for discovery; absent: authEndpoint's origin.")] | None
    ) = None
    device_authorization_endpoint: Annotated[Address, Meta(description="OAuth device endpoint (RFC 8628).")] | None = (
        None
    )
    revocation_endpoint: Annotated[Address, Meta(description="Where logout revokes (RFC 7009).")] | None = None
    scopes: Annotated[tuple[Text, ...] | Text, Meta(description="A list, or one text with spaces.")] = ()
    audience: Annotated[Text, Meta(description="What the token is for, at servers such as Auth0.")] | None = None
    resource: Annotated[Address, Meta(description="What the token is for (RFC 8707).")] | None = None
    extra_auth_params: Annotated[
        Texts, Meta(description="More parameters for the authorization or device request.")
    ] = field(default_factory=dict)
    extra_token_params: Annotated[Texts, Meta(description="More parameters for token requests.")] = field(
        default_factory=dict
    )
    token_endpoint_auth_method: (
        Annotated[
            Literal["client_secret_post", "client_secret_basic", "none"],
            Meta(description="Absent: client_secret_post where there is a secret, else none."),
        ]
        | None
    ) = None
    token_request_format: Annotated[Literal["form", "json"], Meta(description="How token requests are written.")] = (
        "form"
    )
    pkce: Annotated[bool, Meta(description="Protect the browser login by PKCE (RFC 7636).")] = True
    redirect_host: Annotated[
        Literal["127.0.0.1", "localhost"], Meta(description="The host of the browser login's redirect address.")
    ] = "127.0.0.1"
    redirect_port: Annotated[int, Meta(ge=0, le=65_535, description="Its port; 0 is any free one.")] = 0
    redirect_path: Annotated[str, Meta(pattern=r"^/[A-Za-z0-9/_.-]{0,200}$", description="Its path.")] = "/callback"
    token_file: (
        Annotated[TokenFile | Text, Meta(description="The file of another tool that holds the token.")] | None
    ) = None
    command: Annotated[
        tuple[Text, ...], Meta(description="A program and its arguments that print a token, such as gcloud's.")
    ] = ()


class Account(Credentials, frozen=True, kw_only=True):
    """One of several accounts at a provider. What it does not say of its login, the provider does."""

    name: Annotated[Name, Meta(description="Letters, digits, . _ -; openai@work is the account work of openai.")]
    enabled: Annotated[bool, Meta(description="false keeps the entry and never uses it.")] = True
    priority: Annotated[int, Meta(ge=0, le=1_000_000, description="Lower is asked first; equals by the strategy.")] = 1
    weight: Annotated[Weight, Meta(description="Its share among equal priorities; 0: only as a fallback.")] = 1


SOURCES = ("api_key", "api_key_env", "token_file", "command")
"""The settings that each are a credential, or say where one is."""


def own_settings(account: Account) -> dict[str, object]:
    """What an account says itself, by attribute."""
    fields = structs.fields(Credentials)
    said = {each.name: getattr(account, each.name) for each in fields}
    own = {each.name: said[each.name] for each in fields if said[each.name] != _default(each)}
    if any(name in own for name in SOURCES):
        own.setdefault("auth_type", None)  # a key of its own is no login of the provider
    return own


def _default(of: structs.FieldInfo) -> object:
    return of.default_factory() if callable(of.default_factory) else of.default
