"""Checks for requests of every wire: no field names a server or a key, and no media URL leads to a file.

Only the configuration decides which server is asked and with which key. Other gateways obey request fields that name a
server or a key, and so have sent their owners' keys to an attacker's server (LiteLLM, CVE-2024-6587). Such a field has
no effect here, but the provider may be such a gateway. So the field is refused by name, neither dropped nor passed on.

Media URLs must be http(s), gs: or data: URLs; anything else is refused. The gateway fetches nothing, and no provider
gets a reference to a file of this machine.
"""

from typing import Final

from gateway.core.errors import InvalidRequest
from gateway.core.strict_json import JsonObject
from gateway.wires.data_urls import UrlFault, check_data, is_data, is_remote

REFUSED: Final = frozenset(
    {
        "api_base",
        "api_key",
        "api_type",
        "api_version",
        "aws_access_key_id",
        "aws_bedrock_runtime_endpoint",
        "aws_secret_access_key",
        "aws_session_token",
        "azure_ad_token",
        "azure_endpoint",
        "base_url",
        "custom_llm_provider",
        "default_headers",
        "default_query",
        "extra_headers",
        "extra_query",
        "headers",
        "vertex_credentials",
    }
)
"""Names that LiteLLM and similar gateways read as an address, a part of one, or a credential (docs.litellm.ai,
completion's input, 2026-11). `extra_body` is not among them, because it holds Google's own fields. `timeout`,
`organization` and the like pass as any unknown field does."""


def check_fields(fields: JsonObject) -> None:
    """Check that the request and its `extra_body` have no field that names a server or a key.

    Raises:
        InvalidRequest: there is one; `param` is its name.
    """
    _check_names(fields, "")
    if isinstance(more := fields.get("extra_body"), dict):
        _check_names(more, "extra_body.")


def check_url(url: str, path: str) -> None:
    """Check that the URL of a medium is a data: URL with data, or an address on the network.

    Args:
        url: without blanks around it.
        path: its path in the request.

    Raises:
        InvalidRequest: naming the field of the URL.
    """
    if is_remote(url):
        return
    if not is_data(url):
        raise InvalidRequest(f"{path} must be a data: URL or an http, https or gs URL.", param=path)
    try:
        check_data(url)
    except UrlFault as fault:
        raise InvalidRequest(f"{path} {fault}.", param=path) from None


def _check_names(fields: JsonObject, path: str) -> None:
    if REFUSED.isdisjoint(fields):
        return
    for name, value in fields.items():
        if name in REFUSED and value is not None:  # clients write null for what is not set
            raise InvalidRequest(
                f"{path}{name} is not taken from a request: which server is asked, and with which key and headers, is"
                " set in the gateway's configuration.",
                param=f"{path}{name}",
                code="unsupported_parameter",
            )
