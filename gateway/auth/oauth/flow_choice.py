"""Which flow a login takes: by a code that a person confirms anywhere, or by the browser of this machine."""

from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias

from gateway.auth.oauth.settings import OAuthSettings
from gateway.core.texts import printable

Flow: TypeAlias = Literal["device", "browser"]

_PREFERRED: Final[Mapping[str, Flow]] = {"device": "device", "authorization_code": "browser"}


class MissingEndpoint(Exception):
    """An endpoint that the flow needs is not known. The text is for people."""


def choose(
    settings: OAuthSettings, wanted: Flow | None, discovered: Callable[[OAuthSettings], OAuthSettings]
) -> tuple[Flow, OAuthSettings]:
    """Choose the flow, and complete the settings with the endpoints that it needs.

    The caller decides, then authType. Else it is the device flow where the server offers one, because that works from
    any machine, and the browser where it does not.

    Args:
        settings: as configured.
        wanted: the flow that the caller names.
        discovered: fills in the endpoints that the server publishes; called only where one is missing.

    Raises:
        MissingEndpoint: an endpoint is missing.
    """
    flow = wanted or (_PREFERRED[settings.prefers] if settings.prefers else None)
    if _missing(settings, flow or "device"):
        settings = discovered(settings)
    flow = flow or ("device" if settings.device_authorization_endpoint else "browser")
    missing = _missing(settings, flow)
    if missing:
        where = settings.issuer or settings.authorization_endpoint or settings.token_endpoint
        looked = f" and {printable(where)} does not publish it or cannot be asked" if where else ""
        raise MissingEndpoint(f"The {flow} login to {settings.provider} needs {missing}: it is not configured{looked}.")
    return flow, settings


def _missing(settings: OAuthSettings, flow: Flow) -> str | None:
    """The setting of an endpoint that the flow needs and that is unknown; None where none is missing."""
    if flow == "device" and not settings.device_authorization_endpoint:
        return "deviceAuthorizationEndpoint"
    if flow == "browser" and not settings.authorization_endpoint:
        return "authEndpoint"
    return None if settings.token_endpoint else "tokenEndpoint"
