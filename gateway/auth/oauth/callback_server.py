"""The web server of a browser login: it serves one path on 127.0.0.1, until the callback has come.

It knows HTTP and nothing of OAuth: it passes the query on and shows one of four pages. The pages are constants, so they
can repeat nothing from the address. Any program and any web page on this machine can connect. The server therefore
checks the Host (DNS rebinding), accepts GET only, and limits the time, the size and the number of connections.

Source: RFC 8252 sections 7.3 and 8.3.
"""

import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from types import TracebackType
from typing import Any, Final, Literal
from urllib.parse import urlsplit

ADDRESS: Final = "127.0.0.1"
HANDLER_SECONDS: Final = 10.0
MAX_CONNECTIONS: Final = 32
"""Browsers open a few; more are refused."""
POLL_SECONDS: Final = 0.05

Page = Literal["received", "refused", "unknown", "over"]
OnRedirect = Callable[[str], tuple[Page, Callable[[], None]]]
"""Takes the query; returns the page to show, and a function to call when the page has been written."""

_PAGES: Final[dict[Page, tuple[int, str, str]]] = {
    "received": (200, "Answer received", "You can close this page. The result is shown where you started the login."),
    "refused": (200, "Not logged in", "The server refused. The reason is shown where you started the login."),
    "unknown": (400, "Not an answer to this login", "The login is still waiting. Use the address that it has shown."),
    "over": (410, "This login is over", "You can close this page."),
}
_HTML: Final = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>LLM Gateway</title></head>'
    "<body><h1>{title}</h1><p>{text}</p></body></html>"
)
_HEADERS: Final = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("Connection", "close"),
)


class CallbackServer:
    """Listens from its construction until `close`, which ends all its connections and threads.

    Args:
        host: the host in the redirect address; `localhost` too is served on 127.0.0.1.
        port: 0 for a free port.
        path: the only path that is served.

    Raises:
        OSError: the port cannot be listened on.
    """

    def __init__(self, host: str, port: int, path: str) -> None:
        self._server = _Server(port, path)
        self.port: int = self._server.server_address[1]
        self.redirect_uri = f"http://{host}:{self.port}{path}"
        self._thread: threading.Thread | None = None

    def start(self, on_redirect: OnRedirect) -> None:
        """Start to serve requests."""
        self._server.on_redirect = on_redirect
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_SECONDS,), name="login-callback", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening. Idempotent."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join(HANDLER_SECONDS)
            self._thread = None
        self._server.server_close()

    def __enter__(self) -> "CallbackServer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Server(ThreadingTCPServer):
    """One thread a connection; server_close ends all of them. (HTTPServer would ask the DNS for our name.)"""

    daemon_threads = False  # server_close joins only threads that are no daemons
    allow_reuse_address = sys.platform != "win32"  # on Windows another program could take over the port
    request_queue_size = MAX_CONNECTIONS

    def __init__(self, port: int, path: str) -> None:
        self.path = path
        self.on_redirect: OnRedirect | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__((ADDRESS, port), _Handler)
        port = self.server_address[1]
        self.hosts = {f"{name}:{port}" for name in (ADDRESS, "localhost")}
        if port == 80:
            self.hosts |= {ADDRESS, "localhost"}

    def server_bind(self) -> None:
        if sys.platform == "win32":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        super().server_bind()

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ANN401 - socketserver's
        with self._lock:
            room = len(self._open) < MAX_CONNECTIONS
            if room:
                self._open.add(request)
            return room

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """A browser that disconnects is no error, and a traceback might show the query."""

    def server_close(self) -> None:
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits for a request
        super().server_close()


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = HANDLER_SECONDS
    server_version = "LLM-Gateway"
    sys_version = ""

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        hosts = self.headers.get_all("host", [])
        if len(hosts) != 1 or hosts[0].strip().lower() not in self.server.hosts:
            return self._show(421, "Wrong host", "")
        if address.path != self.server.path or self.server.on_redirect is None:
            return self._show(404, "Not found", "")
        page, after_write = self.server.on_redirect(address.query)
        try:
            self._show(*_PAGES[page])
        finally:
            after_write()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """The library's own page quotes the request."""
        self._show(code, "Not understood", "")

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the query contains the code."""

    def _show(self, status: int, title: str, text: str) -> None:
        body = _HTML.format(title=title, text=text).encode()
        self.send_response(status)
        for name, value in (*_HEADERS, ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
