"""Two gateways behind nginx with TLS, by the lines of docs/deployment.md: whole answers, streams, and who is let in."""

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from tests.support.edge import until
from tests.support.ports import free_port
from tests.support.running import chat, provider, running
from tests.support.served import ROOT
from tests.support.tls import FOLDER
from tests.support.upstream_script import Done, ScriptedUpstream, Sse, WaitFor, json_answer, sse_events

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed"),
]

KEY = "lgw_0123456789abcdef"
NAME = "llm.example"
LINES = re.compile(r"^```nginx\n(.*?)^```$", re.MULTILINE | re.DOTALL)
AROUND = """
daemon off; pid {folder}/pid; error_log stderr;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
{lines}
}}
"""


def lines_for(ports: list[int], port: int) -> str:
    """The page's lines with the addresses and the certificate of this test; nothing else of them is changed."""
    found = LINES.findall((ROOT / "docs" / "deployment.md").read_text(encoding="utf-8"))
    assert len(found) == 1
    text: str = found[0]
    for shown, here in (
        ("10.0.0.11:8080", f"127.0.0.1:{ports[0]}"),
        ("10.0.0.12:8080", f"127.0.0.1:{ports[1]}"),
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("/etc/ssl/llm.example.pem", str(FOLDER / "here.pem")),
        ("/etc/ssl/llm.example.key", str(FOLDER / "here.pem")),
    ):
        assert text.count(shown) == 1, shown
        text = text.replace(shown, here)
    return text


class Proxied:
    """The gateways by the proxy's address."""

    def __init__(self, upstream: ScriptedUpstream, port: int) -> None:
        self.upstream = upstream
        self._url = f"https://127.0.0.1:{port}"
        self._session = requests.Session()
        self._session.trust_env = False

    def post(self, body: object, *, name: str = NAME, stream: bool = False) -> requests.Response:
        headers = {"host": name, "authorization": f"Bearer {KEY}"}
        return self._session.post(
            f"{self._url}/v1/chat/completions",
            json=body,
            headers=headers,
            stream=stream,
            timeout=30,
            verify=str(FOLDER / "root.pem"),
        )

    def answers(self) -> bool:
        try:
            return self.post(chat("model")).status_code == 200
        except requests.ConnectionError:
            return False


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[Proxied]:
    with ExitStack() as closing:
        upstream = closing.enter_context(ScriptedUpstream())
        upstream.answers(lambda request: [json_answer("ok")])
        ports = []
        for name in ("one", "two"):
            config = {
                "gateway": {"exposed": True, "apiKeys": [KEY], "allowedHosts": [NAME]},
                "providers": {name: provider(upstream.url, apiKey="k")},
                "modelAliases": [{"alias": "model", "providers": [{"provider": name, "model": "m"}]}],
            }
            gateway = closing.enter_context(running(config, alone=False))
            ports.append(gateway.gateway.port)
        port = free_port()
        settings = tmp_path / "nginx.conf"
        settings.write_text(AROUND.format(folder=tmp_path, lines=lines_for(ports, port)), encoding="utf-8")
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(["nginx", "-p", str(tmp_path), "-c", str(settings)], stderr=log)
        try:
            found = Proxied(upstream, port)
            until(found.answers)
            yield found
        finally:
            process.terminate()
            process.wait(30)


def test_both_gateways_answer(proxied: Proxied) -> None:
    answers = [proxied.post(chat("model")) for _ in range(6)]
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.headers["x-gateway-provider"] for answer in answers} == {"one", "two"}


def test_a_stream_comes_piece_by_piece(proxied: Proxied) -> None:
    events, rest = sse_events("one two three"), threading.Event()
    proxied.upstream.plays(Sse(events[:2]), WaitFor(rest), Sse(events[2:]), Done())
    with proxied.post(chat("model", stream=True), stream=True) as answer:
        lines = answer.iter_lines()
        first = next(line for line in lines if b'"content"' in line)
        assert not rest.is_set(), first
        rest.set()
        assert b"data: [DONE]" in list(lines)


def test_a_name_that_is_not_allowed_is_refused(proxied: Proxied) -> None:
    answer = proxied.post(chat("model"), name="other.example")
    assert (answer.status_code, answer.json()["error"]["code"]) == (421, "host_not_allowed")
