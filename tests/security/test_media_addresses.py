"""Where an image is said to be, nobody looks: nothing is fetched, and no address is passed on that is not the net's."""

import base64
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wires.data_urls import MAX_DATA
from tests.security.hostile import Scene, check_reply, refused, scene
from tests.support.ports import open_listener

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(range(256))).decode()
ELSEWHERE = (
    "file:///etc/passwd",
    "FILE:///etc/passwd",
    "  file:///etc/passwd",
    "file:/etc/passwd",
    "ftp://127.0.0.1/a.png",
    "gopher://127.0.0.1:25/_HELO",
    "dict://127.0.0.1:11211/stat",
    "ldap://127.0.0.1/x",
    "jar:https://a/b.jar!/c.png",
    "javascript:alert(1)",
    "blob:https://a/b",
    "unix:///var/run/docker.sock",
    "/etc/passwd",
    "..\\..\\windows\\win.ini",
    "\\\\host\\share\\a.png",
    "C:\\a.png",
    "//169.254.169.254/latest/meta-data",
    "https:",
    "https://",
    "http:///a.png",
    "https:/a.png",
    "http://a b/c.png",
    "ht\ntp://a/b.png",
    "view-source:http://a/",
    "127.0.0.1",
    "",
)
BROKEN = (
    "data:image/png;base64",
    "data:image/png;base64,",
    "data:image/png;base64,not base64!",
    "data:image/png;base64,\x00",
    "data:image/png;base64,ÄÄ",
    "data:image/png;base64,%00",
    "data:,",
    "DATA:image/png;base64,!",
)
INTERNAL = (
    "http://127.0.0.1:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://017700000001:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://127.1:{port}/",
    "http://localhost:{port}/",
    "http://[::1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://user:word@127.0.0.1:{port}/",
    "http://evil.example@127.0.0.1:{port}/",
    "https://127.0.0.1:{port}/a.png",
    "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://metadata.google.internal/computeMetadata/v1/",
)


class Trap:
    """A listening socket on both loopback addresses, as far as there are two, that counts who comes."""

    def __init__(self) -> None:
        self.came = 0
        self._sockets = [open_listener()]
        self.port = self._sockets[0].getsockname()[1]
        with suppress(OSError):
            self._sockets.append(socket.create_server(("::1", self.port), family=socket.AF_INET6))
        self._threads = [threading.Thread(target=self._accept, args=(each,), daemon=True) for each in self._sockets]
        for thread in self._threads:
            thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            connection, _ = listener.accept()
            with connection:
                if connection.recv(3) == b"end":
                    return
                self.came += 1

    def close(self) -> None:
        """End it. Who has come before has been counted then."""
        for listener in self._sockets:
            with socket.create_connection(listener.getsockname()[:2]) as last:
                last.sendall(b"end")
        for thread in self._threads:
            thread.join()
        for listener in self._sockets:
            listener.close()


@pytest.fixture(scope="module")
def one() -> Iterator[Scene]:
    with scene() as found:
        yield found


def picture(url: str, kind: str = "image_url", *, bare: bool = False) -> list[Any]:
    """A message's content with that address in it."""
    return [{"type": "text", "text": "what is it?"}, {"type": kind, kind: url if bare else {"url": url}}]


def ask(model: str, content: object, role: str = "user") -> dict[str, object]:
    more = {"tool_call_id": "c"} if role == "tool" else {}
    return {"model": model, "messages": [{"role": role, "content": content, **more}]}


@pytest.mark.parametrize("model", ["oa", "gm"])
@pytest.mark.parametrize("url", [*ELSEWHERE, *BROKEN])
def test_what_is_no_address_on_the_net_and_no_data_is_refused_where_it_stands(one: Scene, url: str, model: str) -> None:
    one.forget()
    error = refused(reply := one.gateway.post(ask(model, picture(url))))
    assert (reply.status_code, error["param"]) == (400, "messages[0].content[1].image_url.url")
    assert one.openai.requests == one.gemini.requests == []


@pytest.mark.parametrize("kind", ["image_url", "video_url", "audio_url"])
@pytest.mark.parametrize("bare", [True, False])
@pytest.mark.parametrize("role", ["system", "user", "assistant", "tool"])
def test_it_is_refused_in_every_message_and_every_kind_of_part(one: Scene, kind: str, bare: bool, role: str) -> None:
    one.forget()
    error = refused(one.gateway.post(ask("oa", picture("file:///etc/passwd", kind, bare=bare), role)))
    assert error["param"] == f"messages[0].content[1].{kind}" + ("" if bare else ".url")
    assert one.openai.requests == []


@pytest.mark.parametrize("model", ["oa", "gm"])
def test_an_address_on_the_net_is_passed_on_and_nobody_goes_there(one: Scene, model: str) -> None:
    """Whether a provider follows it is the provider's decision, in the provider's net."""
    trap = Trap()
    try:
        for place in INTERNAL:
            one.forget()
            url = place.format(port=trap.port)
            reply = one.gateway.post(ask(model, picture(url)))
            assert reply.status_code == 200
            (sent,) = [*one.openai.requests, *one.gemini.requests]
            assert url in json.dumps(sent.json())
    finally:
        trap.close()
    assert trap.came == 0


def test_data_passes_exactly_as_it_came_between_two_ends_of_one_wire(one: Scene) -> None:
    for url in (
        f"data:image/png;base64,{PNG}",
        f"data:;base64,{PNG.rstrip('=')}",
        f"data:image/svg+xml;charset=utf-8;BASE64,{PNG.replace('+', '-').replace('/', '_')}",
        f"data:image/png;base64,{PNG[:76]}\r\n{PNG[76:]}",
        f"data:image/png;base64,{PNG.replace('+', '%2B')}",
        "data:image/svg+xml,%3Csvg/%3E",
    ):
        one.forget()
        assert one.gateway.post(ask("oa", picture(url))).status_code == 200
        assert one.openai.requests[0].json()["messages"][0]["content"] == picture(url)


@pytest.mark.parametrize("model", [pytest.param("oa", marks=pytest.mark.slow), "gm"])  # who is asked is no matter
def test_an_image_has_at_most_20_mb(one: Scene, model: str) -> None:
    one.forget()
    most = "A" * (MAX_DATA // 3 * 4)
    assert one.gateway.post(ask(model, picture(f"data:image/png;base64,{most}"))).status_code == 200
    error = refused(reply := one.gateway.post(ask(model, picture(f"data:image/png;base64,{most}{'A' * 8}"))))
    assert (reply.status_code, error["param"]) == (400, "messages[0].content[1].image_url.url")
    assert "20 MB" in error["message"] and len(error["message"]) < 200
    assert len([*one.openai.requests, *one.gemini.requests]) == 1


@given(
    url=st.tuples(
        st.sampled_from(["data:", "data:image/png;base64,", "http://", "https://", "file:", ""]),
        st.text(st.characters()),
    ).map("".join),
    model=st.sampled_from(["oa", "gm"]),
)
def test_no_address_of_an_image_brings_the_gateway_down(one: Scene, url: str, model: str) -> None:
    check_reply(one.gateway.post(ask(model, picture(url))))
