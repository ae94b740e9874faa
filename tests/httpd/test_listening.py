"""What may be listened on: this machine's loopback addresses, on a port that is ours alone."""

import socket
from contextlib import closing

import pytest

from gateway.httpd.listening import BindError, bind

LIMIT = 20.0  # seconds; only a hang takes so long


def has_ipv6() -> bool:
    try:
        bind("::1", 0)[0].close()
    except BindError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")


@pytest.mark.parametrize(
    "host",
    [
        "0.0.0.0",
        "::",
        "",
        "192.168.1.10",
        "8.8.8.8",
        "fe80::1",
        "::ffff:127.0.0.1",
        "[::]",
        "127.1",
        "2130706433",
        "no-such-host.invalid",
        "localhost.localdomain",
        "*",
        "bad\nname",
    ],
)
def test_only_loopback_addresses_are_bound(host: str) -> None:
    with pytest.raises(BindError, match="not a loopback address") as caught:
        bind(host, 0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST"])
def test_loopback_is_bound_on_a_free_port(host: str) -> None:
    sockets = bind(host, 0)
    assert len({each.getsockname()[1] for each in sockets}) == 1
    assert sockets[0].getsockname()[1] > 0
    for each in sockets:
        each.close()


@pytest.mark.parametrize("host", ["0.0.0.0", pytest.param("::", marks=needs_ipv6)])
def test_every_address_is_bound_where_that_is_said(host: str) -> None:
    (only,) = bind(host, 0, exposed=True)
    with only:
        assert only.getsockname()[0] == host
        near = "127.0.0.1" if host == "0.0.0.0" else "::1"
        socket.create_connection((near, only.getsockname()[1]), timeout=LIMIT).close()


def test_a_name_is_no_address_where_any_may_be_bound() -> None:
    with pytest.raises(BindError, match="cannot be listened on"):
        bind("no-such-host.invalid", 0, exposed=True)


@needs_ipv6
def test_localhost_is_bound_on_every_family_it_resolves_to() -> None:
    sockets = bind("localhost", 0, resolve_localhost=lambda: ["::1", "127.0.0.1"])
    assert [each.getsockname()[0] for each in sockets] == ["::1", "127.0.0.1"]
    assert len({each.getsockname()[1] for each in sockets}) == 1
    for each in sockets:
        each.close()


@needs_ipv6
@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_the_ipv6_loopback_is_bound(host: str) -> None:
    (only,) = bind(host, 0)
    assert only.getsockname()[0] == "::1"
    only.close()


def test_localhost_that_points_elsewhere_is_refused() -> None:
    with pytest.raises(BindError, match=r"192\.168\.1\.10"):
        bind("localhost", 0, resolve_localhost=lambda: ["127.0.0.1", "192.168.1.10"])


def test_localhost_that_does_not_resolve_is_refused() -> None:
    def fails() -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    with pytest.raises(BindError, match="does not resolve"):
        bind("localhost", 0, resolve_localhost=fails)
    with pytest.raises(BindError, match="no loopback address"):
        bind("localhost", 0, resolve_localhost=list)


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_that_does_not_exist_is_refused(port: int) -> None:
    with pytest.raises(BindError, match="--port"):
        bind("127.0.0.1", port)


def test_a_port_in_use_is_named_with_a_way_out() -> None:
    with closing(bind("127.0.0.1", 0)[0]) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BindError, match=rf"127\.0\.0\.1:{port} is in use.*--port"):
            bind("127.0.0.1", port)


@needs_ipv6
@pytest.mark.parametrize(("taken", "wanted"), [("127.0.0.1", "::1"), ("::1", "127.0.0.1")])
def test_a_port_that_is_served_on_the_other_family_is_refused(taken: str, wanted: str) -> None:
    family = socket.AF_INET6 if ":" in taken else socket.AF_INET
    with socket.socket(family) as other:
        other.bind((taken, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(BindError, match=f"{port} is in use"):
            bind(wanted, port)
    again = bind(wanted, port)  # nothing of the refused attempt is left
    again[0].close()


def test_a_bound_port_is_free_again_after_its_connections() -> None:
    (first,) = bind("127.0.0.1", 0)
    address = first.getsockname()
    with socket.create_connection(address, timeout=LIMIT) as client:
        server_side, _ = first.accept()
        server_side.close()  # this side goes into TIME_WAIT
        assert client.recv(1) == b""
    first.close()
    (second,) = bind("127.0.0.1", address[1])
    second.close()
