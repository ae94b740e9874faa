"""A server's TLS for tests: certificates of an authority that nobody but the test trusts."""

import ssl
from pathlib import Path

FOLDER = Path(__file__).parent / "certificates"
TRUSTED = {"SSL_CERT_FILE": str(FOLDER / "root.pem")}
"""An environment in which the authority is trusted, and no other."""


def server_context(name: str = "here") -> ssl.SSLContext:
    """A server's context with the certificate for this machine ("here") or for another ("elsewhere")."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(FOLDER / f"{name}.pem")
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context
