"""The CA bundle that the environment names. Both transports read it here, so that they trust the same authorities."""

from collections.abc import Mapping
from typing import Final

CA_BUNDLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def ca_bundle(environ: Mapping[str, str]) -> str | None:
    """The file or folder of certificates that the environment names; None where it names none."""
    return next((environ[name] for name in CA_BUNDLES if environ.get(name)), None)
