"""A page of another origin, in a real browser: whatever it tries on any route, it reads nothing and nothing happens."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.own_rows import own_rows
from gateway.server.routes import ENDPOINTS
from tests.page.browser import Browser
from tests.page.test_real_gateway import with_a_login
from tests.support.auth_server import AuthServer
from tests.support.ports import free_port
from tests.support.running import Running

pytestmark = pytest.mark.slow
BODIES: Final = {
    "/v1/chat/completions": '{"model": "m", "messages": [{"role": "user", "content": "Hello"}]}',
    "/gateway/login": '{"provider": "acme"}',
    "/gateway/logout": '{"provider": "acme"}',
}
TRIES: Final = """
const [url, body, done] = arguments;
const read = [];
const ways = [
  ["get", {}], ["get without CORS", {mode: "no-cors"}],
  ["post", {method: "POST", body, headers: {"content-type": "application/json"}}],
  ["post with a token", {method: "POST", body, headers: {"content-type": "application/json", "x-gateway-token": "x"}}],
  ["post as text", {method: "POST", body, mode: "no-cors", headers: {"content-type": "text/plain"}}],
  ["post without a type", {method: "POST", body: new Blob([body]), mode: "no-cors"}],
];
const tried = ways.map(async ([name, options]) => {
  try {
    const answer = await fetch(url, options);
    const text = await answer.text();
    if (answer.type !== "opaque" || text) read.push(name);
  } catch { /* as it should be */ }
});
// All of it has an end: what is refused fires `error`, and a frame loads the refusal.
const loaded = (made) => new Promise((end) => {
  made.onload = made.onerror = () => end(made);
  document.body.append(made);
});
const embed = (tag, fields) => loaded(Object.assign(document.createElement(tag), fields));
tried.push(embed("img", {src: url}).then((made) => { if (made.naturalWidth) read.push("image"); }));
tried.push(embed("script", {src: url}));
tried.push(embed("iframe", {src: url}).then((made) => { if (made.contentDocument) read.push("frame"); }));
for (const enctype of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
  const name = `to-${enctype}`;
  const target = Object.assign(document.createElement("iframe"), {name});
  document.body.append(target);
  const form = Object.assign(document.createElement("form"), {action: url, method: "post", enctype, target: name});
  form.append(Object.assign(document.createElement("input"), {name: body, value: ""}));
  document.body.append(form);
  tried.push(new Promise((end) => { target.onload = end; form.submit(); }));
}
Promise.all(tried).then(() => { document.body.replaceChildren(); done(read); });
"""


class Elsewhere:
    """A web page on another port."""

    def __init__(self) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("content-type", "text/html")
                self.end_headers()
                self.wfile.write(b"<!doctype html><link rel=icon href='data:,'><body><main id=state data-state=lost>")

            def log_message(self, format: str, *args: object) -> None:
                """Nothing is logged."""

        self._server = ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def elsewhere(browser: Browser) -> Iterator[Browser]:
    """The browser on such a page."""
    made = Elsewhere()
    browser.open(made.url)
    yield browser
    made.close()


def paths(gateway: Running) -> list[str]:
    """Every route that the gateway has, with something in the place of what is variable."""
    made = gateway.gateway
    own = own_rows(made.runtime, lambda: made.assembly, made.reloader, made.url)
    return [path.partition("<")[0] for row in (*ENDPOINTS, *own) for path in row.paths]


def outcome(server: AuthServer, gateway: Running) -> tuple[Any, ...]:
    """What an effect would change: what the login's server has seen, the generation, what is needed."""
    status = gateway.get("/gateway/status.json").json()
    return server.requests, status["configuration"]["generation"], status["needs"], status["runningCalls"]


def test_what_may_be_read_would_be_seen(elsewhere: Browser) -> None:
    read = elsewhere.driver.execute_async_script(TRIES, elsewhere.driver.current_url, "{}")
    assert {"get", "frame"} <= set(read)


def test_another_origin_reads_nothing_and_changes_nothing(tmp_path: Path, elsewhere: Browser) -> None:
    with with_a_login(tmp_path) as (server, gateway):
        before = outcome(server, gateway)
        for path in sorted(set(paths(gateway))):
            body = BODIES.get(path, "{}")
            assert elsewhere.driver.execute_async_script(TRIES, gateway.url + path, body) == [], path
        assert outcome(server, gateway) == before
        assert server.requests == []
        refused = gateway.get("/gateway/calls.json").json()["calls"]
        assert {each["error"] for each in refused} == {"origin_not_allowed"}  # the calls that were tried
