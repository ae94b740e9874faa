"""Whom TLS trusts, and what a failed handshake means. Both transports ask here, so that they trust and report the same.

The gateway trusts certifi's list, or what one variable of the environment names. A company's inspecting proxy signs
with an authority of its own, which no list has; so every text names the trust store, and how to add to it.
"""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

BUNDLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""The variables, in their order: the first that is set counts. OpenSSL and Python read the last two."""

_UNKNOWN_ISSUER: Final = frozenset({2, 18, 19, 20, 21})
_NOT_YET_VALID: Final = 9
_EXPIRED: Final = 10
_OTHER_NAME: Final = frozenset({62, 64})
"""X509_V_ERR_*: an issuer is unknown, or the certificate is signed by itself; a host or an address does not match.
https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/ (2026-11)"""
_NO_TLS: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"}
)
"""What OpenSSL says where the first bytes are no TLS record; the last two since 3.2."""


@dataclass(frozen=True, slots=True)
class TrustStore:
    """The certificate authorities that are trusted.

    Attributes:
        path: a file, or a folder of files named by hash (`openssl rehash`); None for certifi's list.
        variable: which variable of the environment names it; None for certifi's list.
    """

    path: str | None = None
    variable: str | None = None

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "TrustStore":
        """The trust store that the environment names."""
        name = next((name for name in BUNDLES if environ.get(name)), None)
        return cls() if name is None else cls(_first_folder(environ[name]), name)

    def __str__(self) -> str:
        return f"{self.variable}={self.path}" if self.variable else "certifi's list"

    @property
    def version(self) -> tuple[str | None, int]:
        """Equal where the same certificates are trusted: the path, and the time in nanoseconds of its last change."""
        try:
            return self.path, os.stat(self.path).st_mtime_ns if self.path else 0
        except OSError:
            return self.path, 0

    @property
    def fault(self) -> str | None:
        """Why it cannot be used; None if it seems fine."""
        if self.path is None or Path(self.path).is_dir():
            return None
        try:
            ssl.create_default_context(cafile=self.path)
        except OSError:  # ssl.SSLError, too
            return f"{self} cannot be read: name a file of certificates in PEM"
        return None

    @property
    def remedy(self) -> str:
        """How another authority is added."""
        if self.variable is None:
            return "set SSL_CERT_FILE to a file with your company's CA"
        return f"add your company's CA to {self.variable}"


def _first_folder(value: str) -> str:
    """SSL_CERT_DIR may list several folders, of which requests takes one; a file stands for itself."""
    return next((each for each in value.split(os.pathsep) if Path(each).is_dir()), value)


def ca_bundle(environ: Mapping[str, str]) -> str | None:
    """The file or folder of certificates that the environment names; None where it names none."""
    return TrustStore.of(environ).path


def handshake_fault(fault: ssl.SSLError, host: str, trust: TrustStore) -> str:
    """Why a handshake failed, and what helps. It has no secret: OpenSSL's reasons are fixed texts.

    Args:
        fault: of the handshake.
        host: whose certificate it was.
        trust: whom the handshake trusted.
    """
    if isinstance(fault, ssl.SSLCertVerificationError):
        return f"certificate of {host}: {_certificate_fault(fault, trust)}"
    if fault.reason in _NO_TLS:
        return (
            f"the TLS handshake failed: that port of {host} speaks no TLS; its address may have to begin with http://"
        )
    if isinstance(fault, ssl.SSLEOFError):
        return f"the TLS handshake failed: {host} closed the connection inside it"
    reason = (fault.reason or type(fault).__name__).replace("_", " ").lower()
    return f"the TLS handshake failed: {host} and this machine do not agree ({reason})"


def _certificate_fault(fault: ssl.SSLCertVerificationError, trust: TrustStore) -> str:
    code, reason = fault.verify_code, fault.verify_message.rstrip(".")
    if code in _UNKNOWN_ISSUER:
        return f"signed by an authority that is not trusted ({reason}; trust store: {trust}); {trust.remedy}"
    if code in _OTHER_NAME:
        return f"it is for another name ({reason}); check the host in the address"
    if code == _EXPIRED:
        return f"expired ({reason}); its owner must renew it, or this machine's clock is wrong"
    if code == _NOT_YET_VALID:
        return f"not valid yet ({reason}); check this machine's clock"
    return f"{reason} (trust store: {trust})"
