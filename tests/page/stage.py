"""A stage for the page: its files under its policy, and the gateway's JSON as a test sets it. No gateway runs, so each
state of one can be shown."""

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from tests.support.ports import free_port

ROOT: Final = Path(__file__).parents[2]
FILES: Final = ROOT / "gateway/server/page"
EXAMPLES: Final = ROOT / "tests/server"
TYPES: Final = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css"}
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
Json = dict[str, Any]


def example(name: str) -> Json:
    """One of the gateway's own examples of its JSON."""
    read: Json = json.loads((EXAMPLES / f"{name}_example.json").read_text(encoding="utf-8"))
    return read


class Stage:
    """The server. What it answers may be changed while it runs.

    Attributes:
        status, calls: what the two addresses answer; None answers 503 in the gateway's form.
        key: the one that is asked for; None asks for none.
        login: what the addresses of a login answer.
        down: connections are closed without an answer.
        asked: requests so far, as (method, path, body).
    """

    def __init__(self) -> None:
        self.status: Json | None = example("status")
        self.calls: Json | None = example("calls")
        self.key: str | None = None
        self.login: Json = {}
        self.down = False
        self.asked: list[tuple[str, str, Json | None]] = []
        stage = self

        class Handler(_Handler):
            owner = stage

        self._server = ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, path: str, headers: Mapping[str, str]) -> tuple[int, Json]:
        """The JSON of an address."""
        if self.key is not None and headers.get("authorization") != f"Bearer {self.key}":
            return 401, _error("A key is needed.", "invalid_api_key")
        known = {"/gateway/status.json": self.status, "/gateway/calls.json": self.calls}
        if path.startswith("/gateway/log"):
            return 200, self.login
        found = known.get(path)
        return (200, found) if found is not None else (503, _error("The gateway is shutting down.", "draining"))

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _error(message: str, code: str) -> Json:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}


class _Handler(BaseHTTPRequestHandler):
    owner: Stage

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is logged."""

    def _answer(self, body: Json | None) -> None:
        path = self.path.partition("?")[0]
        if self.owner.down:
            self.close_connection = True
            return
        file = FILES / ("page.html" if path == "/" else path.rpartition("/")[2])
        if (path == "/" or path.startswith("/gateway/page/")) and file.suffix in TYPES and file.is_file():
            self._send(200, TYPES[file.suffix], file.read_bytes())
            return
        self.owner.asked.append((self.command, path, body))
        status, answer = self.owner.answer(path, {name.lower(): value for name, value in self.headers.items()})
        self._send(status, "application/json", json.dumps(answer).encode())

    def _send(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        for name, value in (
            ("content-type", content_type),
            ("content-length", str(len(body))),
            ("content-security-policy", POLICY),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
