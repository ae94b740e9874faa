"""What is told of a connection that fails: the situation, the text, and what the text says to do. A table.

Each text names who is at fault (the provider, the proxy, this machine), and the setting or command that helps.
"""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass

import pytest

from gateway.core.errors import GatewayError
from gateway.upstream.certificates import TrustStore, handshake_fault
from gateway.upstream.session import UpstreamSession
from gateway.upstream.surroundings import connection_notes, connection_warnings, proxies_of
from tests.support.ports import free_port, open_listener
from tests.support.tls import FOLDER, TRUSTED, server_context
from tests.support.transports import KEY, LONG, Opening, chosen, in_thread, post, unwatched
from tests.support.upstream_script import Json, ScriptedUpstream

ROOT = FOLDER / "root.pem"
OTHER = FOLDER / "elsewhere.pem"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def told(url: str, environ: Mapping[str, str] | None = None, opened: Opening = chosen) -> str:
    """The message of a call that fails."""
    with closing(opened(url, environ=environ)) as session, pytest.raises(GatewayError) as caught:
        session.post(post(url), LONG, unwatched)
    assert KEY not in caught.value.message and "secret" not in caught.value.message
    return caught.value.message


# TLS ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Handshake:
    """A server's certificate, what the environment trusts, and what is told."""

    certificate: str
    environ: Mapping[str, str]
    text: str


HANDSHAKES = {
    "nobody knows its authority": Handshake(
        "here",
        {},
        "acme could not be reached: certificate of 127.0.0.1: signed by an authority that is not trusted (unable to "
        "get local issuer certificate; trust store: certifi's list); set SSL_CERT_FILE to a file with your "
        "company's CA.",
    ),
    "the variable that won trusts others": Handshake(
        "here",
        {"REQUESTS_CA_BUNDLE": str(OTHER), "SSL_CERT_FILE": str(ROOT)},
        "acme could not be reached: certificate of 127.0.0.1: signed by an authority that is not trusted (unable to "
        f"get local issuer certificate; trust store: REQUESTS_CA_BUNDLE={OTHER}); add your company's CA to "
        "REQUESTS_CA_BUNDLE.",
    ),
    "another name": Handshake(
        "elsewhere",
        TRUSTED,
        "acme could not be reached: certificate of 127.0.0.1: it is for another name (IP address mismatch, certificate "
        "is not valid for '127.0.0.1'); check the host in the address.",
    ),
    "a bundle that is none": Handshake(
        "here",
        {"CURL_CA_BUNDLE": __file__},
        f"acme could not be reached (CURL_CA_BUNDLE={__file__} cannot be read: name a file of certificates in PEM).",
    ),
    "an empty folder": Handshake(
        "here",
        {"SSL_CERT_DIR": str(FOLDER)},
        "acme could not be reached: certificate of 127.0.0.1: signed by an authority that is not trusted (unable to "
        f"get local issuer certificate; trust store: SSL_CERT_DIR={FOLDER}); add your company's CA to SSL_CERT_DIR.",
    ),
}


@pytest.mark.parametrize("case", HANDSHAKES.values(), ids=HANDSHAKES)
def test_a_handshake_that_fails_says_what_and_why(case: Handshake, session_to: Opening) -> None:
    with ScriptedUpstream(server_context(case.certificate)) as up:
        assert told(up.base_url, case.environ, session_to) == case.text
        assert up.requests == []


def test_a_port_without_tls_is_told(session_to: Opening) -> None:
    with server_that(lambda one: one.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        assert told(f"https://127.0.0.1:{port}/v1", opened=session_to) == (
            "acme could not be reached: the TLS handshake failed: that port of 127.0.0.1 speaks no TLS; its address "
            "may have to begin with http://."
        )


def test_a_server_that_closes_inside_the_handshake_is_told() -> None:
    with server_that(lambda one: None) as port:
        assert told(f"https://127.0.0.1:{port}/v1") == (
            "acme could not be reached: the TLS handshake failed: 127.0.0.1 closed the connection inside it."
        )


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (10, "expired (certificate has expired); its owner must renew it"),
        (9, "not valid yet (certificate is not yet valid); check this machine's clock"),
        (18, "signed by an authority that is not trusted (self-signed certificate; trust store: certifi's list)"),
        (62, "it is for another name (Hostname mismatch); check the host in the address"),
        (23, "certificate revoked (trust store: certifi's list)"),
    ],
)
def test_what_openssl_says_of_a_certificate_is_told_in_our_words(code: int, words: str) -> None:
    reasons = {10: "certificate has expired", 9: "certificate is not yet valid", 18: "self-signed certificate"}
    fault = ssl.SSLCertVerificationError()
    fault.verify_code = code
    fault.verify_message = reasons.get(code, {62: "Hostname mismatch", 23: "certificate revoked"}.get(code, ""))
    assert handshake_fault(fault, "api.acme.invalid", TrustStore()).startswith(
        f"certificate of api.acme.invalid: {words}"
    )


# A proxy -----------------------------------------------------------------------------------------------------------

WAYS_ON = "name an http:// proxy, or add the host to NO_PROXY"
BEHIND = "https://api.acme.invalid/v1"


@contextmanager
def server_that(does: Callable[[socket.socket], object]) -> Iterator[int]:
    """A server that hears something, does something, and closes. Its port."""
    with open_listener() as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                does(connection)

        thread = in_thread(serve)
        yield server.getsockname()[1]
        thread.join(LONG)


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_dead_proxy_is_named_as_the_proxy(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    address = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv(name, f"http://user:secret@{address}")
    assert told(BEHIND) == f"acme could not be reached through the proxy {address} ({name}): Connection refused."


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (b"403 Forbidden", "it answered 403"),
        (
            b"407 secret",
            "it answered 407, so it wants a user and a password: name it as http://USER:PASSWORD@HOST:PORT",
        ),
    ],
)
def test_a_proxy_that_opens_no_tunnel_is_named(monkeypatch: pytest.MonkeyPatch, status: bytes, text: str) -> None:
    with server_that(lambda one: one.sendall(b"HTTP/1.1 " + status + b"\r\n\r\n")) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{port}")
        assert told(BEHIND) == f"acme could not be reached through the proxy 127.0.0.1:{port} (HTTPS_PROXY): {text}."


def test_a_certificate_behind_a_proxy_is_told_as_the_providers(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedUpstream(server_context()) as up, tunnel_to(up) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        message = told(BEHIND, TRUSTED)
    assert message.startswith("acme could not be reached: certificate of api.acme.invalid: it is for another name (")


@contextmanager
def tunnel_to(up: ScriptedUpstream) -> Iterator[int]:
    """A proxy that opens one tunnel, wherever it is asked to."""

    def both_ways(one: socket.socket) -> None:
        one.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with socket.create_connection(("127.0.0.1", int(up.url.rpartition(":")[2]))) as other:
            back = threading.Thread(target=carry, args=(other, one), daemon=True)
            back.start()
            carry(one, other)
            with suppress(OSError):  # the upstream may have gone first
                other.shutdown(socket.SHUT_RDWR)
            back.join(LONG)

    with server_that(both_ways) as port:
        yield port


def carry(one: socket.socket, other: socket.socket) -> None:
    try:
        while data := one.recv(65_536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        return


@pytest.mark.parametrize(
    ("value", "kind"),
    [("socks5://127.0.0.1:1", "SOCKS"), ("socks5h://u:secret@127.0.0.1:1", "SOCKS"), ("ftp://127.0.0.1:1", "ftp://")],
)
def test_a_kind_of_proxy_that_is_not_supported_is_told(monkeypatch: pytest.MonkeyPatch, value: str, kind: str) -> None:
    monkeypatch.setenv("ALL_PROXY", value)
    assert told(BEHIND) == (
        f"acme could not be reached ({kind} is not supported for the proxy 127.0.0.1:1 (ALL_PROXY): {WAYS_ON})."
    )


@pytest.mark.parametrize(
    "value", ["http://", "http://u:secret@:3128", "http://proxy:secret", "http://[secret", "proxy:0"]
)
def test_what_is_no_address_of_a_proxy_is_told(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    assert told(BEHIND) == (
        "acme could not be reached (HTTPS_PROXY is no address of a proxy: name it as http://HOST:PORT, or add the host "
        "to NO_PROXY)."
    )


def test_an_answer_through_a_tunnel_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedUpstream(server_context()) as up, tunnel_to(up) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        monkeypatch.setattr("gateway.upstream.proxied.proxies.is_this_machine", lambda host: False)
        up.plays(
            Json(200, {}),
        )
        assert answer_of(up.base_url) == b"{}"


def answer_of(url: str) -> bytes:
    """The answer to one call, after which its connection is let go."""
    with closing(UpstreamSession("acme", url, pool_size=1, connect_seconds=LONG, environ=TRUSTED)) as session:
        stream = session.post(post(url), LONG, unwatched)
        with closing(stream):
            return stream.read_all(100, iter([LONG, LONG]))


# check, the greeting, explain --------------------------------------------------------------------------------------

PROVIDERS = {"acme": BEHIND, "local": "http://localhost:11434/v1"}


def test_what_the_environment_decides_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:secret@proxy.invalid:3128/")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:3128")
    assert list(connection_notes(PROVIDERS, {"SSL_CERT_FILE": str(ROOT), "CURL_CA_BUNDLE": ""})) == [
        f"trust store: SSL_CERT_FILE={ROOT}",
        "acme is asked through the proxy proxy.invalid:3128 (HTTPS_PROXY)",
    ]
    assert list(connection_warnings(PROVIDERS, {"SSL_CERT_FILE": str(ROOT)})) == []
    assert proxies_of(PROVIDERS) == {"acme": "the proxy proxy.invalid:3128 (HTTPS_PROXY)"}


def test_without_a_variable_there_is_only_the_list() -> None:
    assert list(connection_notes(PROVIDERS, {})) == ["trust store: certifi's list"]
    assert list(connection_notes({"local": PROVIDERS["local"]}, {})) == []
    assert proxies_of(PROVIDERS) == {}


def test_what_will_fail_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://proxy.invalid:1080")
    assert list(connection_warnings(PROVIDERS, {"SSL_CERT_FILE": "/nowhere.pem"})) == [
        "SSL_CERT_FILE=/nowhere.pem cannot be read: name a file of certificates in PEM",
        f"acme cannot be asked: SOCKS is not supported for the proxy proxy.invalid:1080 (ALL_PROXY): {WAYS_ON}",
    ]
