"""What the engine takes of waitress: public names, in one place each, and nothing that it overrides.

Who upgrades waitress runs this first.
"""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import waitress
from waitress.adjustments import Adjustments
from waitress.buffers import OverflowableBuffer
from waitress.channel import ClientDisconnected
from waitress.server import TcpWSGIServer
from waitress.utilities import build_http_date

GATEWAY = Path(__file__).parent.parent.parent / "gateway"
USED = {
    "waitress.adjustments.Adjustments",
    "waitress.buffers.OverflowableBuffer",
    "waitress.channel.ClientDisconnected",
    "waitress.server.TcpWSGIServer",
    "waitress.utilities.build_http_date",
}


def imported() -> Iterator[tuple[str, str]]:
    """Every name of waitress that the gateway imports, and where."""
    for path in sorted(GATEWAY.rglob("*.py")):
        text = path.read_text("utf-8")
        for node in ast.walk(ast.parse(text)) if "waitress" in text else ():
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("waitress"):
                for each in node.names:
                    yield f"{node.module}.{each.name}", path.parent.name
            if isinstance(node, ast.Import):
                assert not any(each.name.startswith("waitress") for each in node.names), path


def test_these_names_are_used_by_the_engine_and_no_others() -> None:
    assert {name for name, _ in imported()} == USED
    assert {folder for _, folder in imported()} == {"httpd"}


def test_nothing_of_waitress_is_subclassed() -> None:
    names = {name.rpartition(".")[2] for name in USED}
    for path in (GATEWAY / "httpd").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                assert not any(isinstance(base, ast.Name) and base.id in names for base in node.bases), node.name


def test_they_take_what_they_are_given() -> None:
    assert set(inspect.signature(TcpWSGIServer.__init__).parameters) >= {
        *("application", "map", "_start", "_sock", "dispatcher", "adj", "sockinfo", "bind_socket")
    }
    settings = Adjustments(backlog=7, log_socket_errors=False, clear_untrusted_proxy_headers=False)
    assert (settings.backlog, settings.log_socket_errors) == (7, False)
    for name in ("accept_connections", "accept", "set_socket_options", "close"):
        assert callable(getattr(TcpWSGIServer, name))


def test_a_buffer_spills_gives_skips_and_ends() -> None:
    buffer = OverflowableBuffer(10_000)
    buffer.append(b"a" * 8_000)
    buffer.append(b"b" * 8_000)  # beyond its limit: a file, of which nothing is lost
    assert (len(buffer), buffer.get(4)) == (16_000, b"aaaa")
    buffer.skip(8_000, True)
    assert (len(buffer), buffer.get(10_000), buffer.getfile().read()) == (8_000, b"b" * 8_000, b"b" * 8_000)
    buffer.close()


def test_the_rest_is_what_it_is_called() -> None:
    assert issubclass(ClientDisconnected, Exception)
    assert build_http_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT"  # RFC 9110 section 5.6.7
    assert waitress.serve is not None  # the application runs on it too: tests/walk/test_plain_waitress.py
