"""No text of a caller or a provider becomes a header of its own, and no header of a provider is passed on by chance."""

import json
import re
import socket
from collections.abc import Iterator
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.wires.finish_words import breaks_off, folded
from tests.security.hostile import Scene, check_reply, refused, scene
from tests.support.running import chat
from tests.support.upstream_script import Head, Json, Sse, Step, json_answer, sse_events

OURS: Final = re.compile(
    r"content-(type|length)|date|server|via|vary|connection|transfer-encoding|cache-control|x-accel-buffering|allow"
    r"|x-request-id|x-content-type-options|cross-origin-resource-policy|x-should-retry|retry-after(-ms)?"
    r"|www-authenticate|x-gateway-(provider|model|attempts|queue-ms|dropped)|x-ratelimit-[a-z0-9-]+"
)
HOSTILE_HEADERS: Final = (
    ("Server", "evil"),
    ("Via", "1.1 evil"),
    ("Connection", "keep-alive, X-Secret"),
    ("Keep-Alive", "timeout=9999"),
    ("Upgrade", "h2c"),
    ("Trailer", "X-T"),
    ("Content-Language", "xx"),
    ("Location", "http://evil.example/"),
    ("Refresh", "0; url=http://evil.example/"),
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Credentials", "true"),
    ("Content-Security-Policy", "default-src *"),
    ("Strict-Transport-Security", "max-age=99999999"),
    ("Alt-Svc", 'h3="evil.example:443"'),
    ("Clear-Site-Data", '"*"'),
    ("X-Request-Id", "theirs"),
    ("X-Gateway-Provider", "theirs"),
    ("X-Content-Type-Options", "theirs"),
    ("openai-organization", "the-users-organization"),
    ("x-secret", "internal"),
)
texts = st.text(max_size=30)
latin = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=30)


@pytest.fixture(scope="module")
def one() -> Iterator[Scene]:
    with scene() as found:
        yield found


def exchange(one: Scene, request: bytes) -> tuple[list[tuple[str, str]], bytes]:
    """Header lines and body of the reply to raw bytes that end their connection."""
    port = int(one.gateway.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request.replace(b"PORT", str(port).encode()))
        reply = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, body = reply.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    assert re.fullmatch(rb"HTTP/1\.[01] \d{3} [A-Za-z -]+", status)
    fields = []
    for line in lines:
        found = re.fullmatch(rb"([A-Za-z0-9-]+): ([\x20-\x7e]*)", line)
        assert found, line
        assert OURS.fullmatch(found[1].decode().lower()), line
        fields.append((found[1].decode().lower(), found[2].decode()))
    assert [name for name, _ in fields].count("x-request-id") == 1
    return fields, body


def post(one: Scene, body: bytes, *headers: tuple[str, str], path: str = "/v1/chat/completions") -> list[str]:
    """The names of the reply's headers, all of which are ours."""
    lines = [f"{name}: {value}".encode("latin-1") for name, value in headers]
    head = [f"POST {path} HTTP/1.1".encode(), b"Host: 127.0.0.1:PORT", b"Connection: close", *lines]
    head += [b"Content-Type: application/json", b"Content-Length: %d" % len(body)]
    fields, _ = exchange(one, b"\r\n".join([*head, b"", body]))
    return [name for name, _ in fields]


@given(value=latin)
@example("a\tb")
@example("req-1\x00")
@example("x" * 129)
def test_a_request_id_is_repeated_as_it_is_or_not_at_all(one: Scene, value: str) -> None:
    line = f"GET /health HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nConnection: close\r\nx-request-id: {value}\r\n\r\n"
    fields, _ = exchange(one, line.encode("latin-1"))
    (told,) = [value for name, value in fields if name == "x-request-id"]
    assert told == value.strip(" \t") or re.fullmatch(r"req_[0-9a-f]{24}", told)
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,128}", told)


@given(name=texts, where=st.sampled_from(["", "openai/", "gemini/"]))
def test_no_model_name_becomes_a_header(one: Scene, name: str, where: str) -> None:
    check_reply(one.gateway.post(chat(where + name)))
    check_reply(one.gateway.post(chat(where + name, stream=True)))


@given(name=texts, value=st.one_of(texts, st.integers(-9, 9), st.none(), st.lists(texts)), part=texts)
def test_no_name_of_a_field_becomes_a_header(one: Scene, name: str, value: object, part: str) -> None:
    """The names of what Gemini is not told are in `x-gateway-dropped`."""
    content = [{"type": "text", "text": "hi", name: 1}, {"type": part, part: value}]
    body = {"model": "gm", "messages": [{"role": "user", "content": content, name: value}], name: value}
    check_reply(reply := one.gateway.post(body))
    assert re.fullmatch(r"[!-~]*", reply.headers.get("x-gateway-dropped", ""))


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("status", [200, 400, 429])
def test_no_header_of_a_provider_is_passed_on_but_how_to_pace_oneself(one: Scene, status: int, streamed: bool) -> None:
    paces = (("x-ratelimit-remaining-requests", "9"), ("X-RateLimit-Reset", "12ms"))
    headers = (*HOSTILE_HEADERS, *paces)
    answer: tuple[Step, ...] = (Json(status, {"error": {"message": "m"}}, headers),)
    if status == 200 and streamed:
        answer = (Head(200, headers), Sse((*sse_events("Hi."), "[DONE]")))
    elif status == 200:
        answer = (Json(200, json_answer("Hi.").value, headers),)
    one.openai.answers(lambda _: answer)
    reply = one.gateway.post(chat("oa", stream=streamed))
    assert reply.status_code == status
    for name, value in reply.headers.items():
        assert OURS.fullmatch(name.lower()), name
        assert "theirs" not in value and "evil" not in value
    passed = {name.lower(): value for name, value in reply.headers.items() if name.lower().startswith("x-ratelimit")}
    assert passed == ({name.lower(): value for name, value in paces} if status == 200 else {})


@given(headers=st.lists(st.tuples(st.sampled_from(["x-ratelimit-a", "x-ratelimit-b", "retry-after", "date"]), latin)))
def test_no_value_of_a_providers_header_breaks_a_reply(one: Scene, headers: list[tuple[str, str]]) -> None:
    one.openai.answers(lambda _: (Json(200, json_answer("Hi.").value, headers),))
    assert post(one, b'{"model": "oa", "messages": [{"role": "user", "content": "hi"}]}')
    one.openai.answers(lambda _: (Json(400, {"error": {"message": "m"}}, headers),))
    assert post(one, b'{"model": "oa", "messages": [{"role": "user", "content": "hi"}]}')


def test_a_provider_does_not_fill_a_reply_with_headers(one: Scene) -> None:
    """A client's own limit would make an error of a good answer."""
    many = [(f"x-ratelimit-{number}", "1") for number in range(90)]
    odd = [("x-ratelimit-" + "n" * 100, "1"), ("x-ratelimit-long", "1" * 5_000)]
    one.openai.answers(lambda _: (Json(200, json_answer("Hi.").value, [*odd, *many]),))
    reply = one.gateway.post(chat("oa"))
    passed = [name for name in map(str.lower, reply.headers) if name.startswith("x-ratelimit-")]
    assert reply.status_code == 200
    assert 10 <= len(passed) <= 32 and all(re.fullmatch("x-ratelimit-[0-9]+", name) for name in passed)


@given(error=st.fixed_dictionaries({name: texts | st.none() for name in ("message", "type", "param", "code")}))
@example({"message": "x\r\nSet-Cookie: a=b", "type": "t\r\n\r\n", "param": "p\n", "code": "c\r\nX: y"})
def test_no_word_of_a_providers_error_becomes_a_header(one: Scene, error: dict[str, str | None]) -> None:
    one.openai.answers(lambda _: (Json(400, {"error": error}),))
    refused(reply := one.gateway.post(chat("oa")))
    assert all(OURS.fullmatch(name.lower()) and value.isprintable() for name, value in reply.headers.items())


@given(word=texts.filter(lambda word: word and not breaks_off(folded(word))), streamed=st.booleans())
def test_no_word_of_a_providers_answer_becomes_a_header_or_an_event(one: Scene, word: str, streamed: bool) -> None:
    one.openai.answers(lambda request: _with_word(word, streamed=streamed))
    reply = one.gateway.post(chat("oa", stream=streamed))
    check_reply(reply)
    assert reply.status_code == 200


def _with_word(word: str, *, streamed: bool) -> tuple[Step, ...]:
    """An answer that has it in each of its texts, as Python's JSON writes it: with every control character escaped."""
    part = {"role": word, "content": word, "refusal": word, "reasoning_content": word}
    choice = {"index": 0, "message": part, "delta": part, "finish_reason": word or "stop", "native_finish_reason": word}
    answer = {"id": word, "model": word, "object": word, "system_fingerprint": word, "choices": [choice], word: word}
    whole = Json(200, {**answer, "choices": [choice]})
    if not streamed:
        return (whole,)
    return (Sse([json.dumps({**answer, "choices": [choice]}), "[DONE]"]),)
