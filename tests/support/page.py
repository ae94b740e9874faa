"""A gateway with one provider that has a login by code, and the login's server, for tests of the page and its data."""

import json
from pathlib import Path

from gateway.config_file import ConfigFile
from tests.support.auth_server import AuthServer
from tests.support.running import Running, alias, provider

PAGE = "https://chat.example"
"""An origin that may ask models."""
BODY = {"provider": "acme"}


def config(server: AuthServer, folder: Path, **gateway: object) -> dict[str, object]:
    """One provider that has a login, and the demo behind it."""
    acme = provider(
        f"{server.url}/v1",
        clientId=server.client_id,
        tokenEndpoint=server.token_endpoint,
        deviceAuthorizationEndpoint=server.device_authorization_endpoint,
        revocationEndpoint=server.revocation_endpoint,
    )
    return {
        "gateway": {"allowedOrigins": [PAGE], **gateway},
        "providers": {"acme": acme, "demo": {}},
        "modelAliases": [alias("a", "acme/m", "demo/demo")],
        "auth": {"tokenStorePath": str(folder / "tokens.json")},
    }


def token_of(gateway: Running) -> dict[str, str]:
    return {"x-gateway-token": gateway.gateway.runtime.page_token.reveal()}


def written(folder: Path, server: AuthServer, **gateway: object) -> ConfigFile:
    path = folder / "config.yaml"
    path.write_text(json.dumps(config(server, folder, **gateway)))
    return ConfigFile(path, {})
