"""Addresses and keys in a request: which server is asked, with which key, is the configuration's business alone.

Other gateways act upon fields that name a server or a key, and have sent their owners' keys to an attacker's server
that way (LiteLLM, CVE-2024-6587). Here such a field would do nothing, and a server behind us may be such a gateway; so
it is refused by name, rather than dropped or passed on. A medium's address is refused where it is no reference that a
provider can follow on the net: nothing is fetched here, and nothing behind us is asked for a file of this machine.
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
"""Names that LiteLLM and gateways like it read as an address, a part of one, or a credential (docs.litellm.ai,
completion's input, 2026-11). `extra_body` is none: Google's own fields come in it. `timeout`, `organization` and the
like pass as any unknown field does."""

_MEDIA: Final = ("image_url", "video_url", "audio_url")
"""Kinds of parts that hold an address; the last two are vLLM's and OpenRouter's."""


def check_fields(fields: JsonObject) -> None:
    """A request's own fields, and those in its `extra_body`, name neither a server nor a key.

    Raises:
        InvalidRequest: one does; its name is in `param`.
    """
    _check_names(fields, "")
    if isinstance(more := fields.get("extra_body"), dict):
        _check_names(more, "extra_body.")


def check_media(part: JsonObject, path: str) -> None:
    """A content part's address, where it has one, is a data: URL that holds data, or is on the net.

    Args:
        part: of a message's content.
        path: where it is in the request.

    Raises:
        InvalidRequest: naming the address.
    """
    for kind in _MEDIA:
        told = part.get(kind)
        if isinstance(told, str):
            _check_url(told.strip(), f"{path}.{kind}")
        elif isinstance(told, dict) and isinstance(url := told.get("url"), str):
            _check_url(url.strip(), f"{path}.{kind}.url")


def _check_names(fields: JsonObject, path: str) -> None:
    if REFUSED.isdisjoint(fields):
        return
    for name, value in fields.items():
        if name in REFUSED and value is not None:  # null says nothing, and clients write it for what is not set
            raise InvalidRequest(
                f"{path}{name} is not taken from a request: which server is asked, and with which key and headers, is"
                " set in the gateway's configuration.",
                param=f"{path}{name}",
                code="unsupported_parameter",
            )


def _check_url(url: str, path: str) -> None:
    if is_remote(url):
        return
    if not is_data(url):
        raise InvalidRequest(f"{path} must be a data: URL or an http, https or gs URL.", param=path)
    try:
        check_data(url)
    except UrlFault as fault:
        raise InvalidRequest(f"{path} {fault}.", param=path) from None
