"""Secrets and prompts as canaries: a gateway that runs as a process is driven through all that can go wrong, and none
is found in what it prints, answers, is called by or hands to a program; secrets on the disk are the user's alone.
"""

import json
import re
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
import requests

from gateway.wires.openai_chat.inbound import OpenAIChatCallers
from tests.observe.test_logs import logging_to
from tests.security.hostile import healthy_gemini
from tests.support.auth_server import AuthServer, Raw
from tests.support.running import alias, chat, provider, running
from tests.support.served import HANG, Served, serving
from tests.support.upstream_script import (
    Body,
    Cut,
    Head,
    Headers,
    Json,
    Request,
    Reset,
    ScriptedUpstream,
    Sse,
    Status,
    Step,
    json_answer,
    sse_answer,
    sse_events,
)  # fmt: skip

SECRETS = {
    "api key": "canary-key/31415926+535=8979",
    "plain key": "canary_plain_key_2718281828",
    "gemini key": "canary-google-1618033988",
    "gateway key": "canary-gateway-1414213562",
    "client secret": "canary-client/1732050807+568",
    "refresh token": "canary-refresh-2236067977",
    "access token": "canary-access-2645751311",
    "printed token": "canary-printed-3162277660",
    "shown key": "canary-shown-3316624790",
}
PROMPT = "canary prompt 3605551275"
SAID = "canary answer 3872983346"
DIGITS = re.compile(r"\d{8,}")
POSIX = sys.platform != "win32"
FORGED = "x\r\n12:00:00 ERROR   forged\x1b[31m\u2028forged"
LINE = {"pretty": re.compile(r"\d\d:\d\d:\d\d (DEBUG|INFO|WARNING|ERROR) .*|    .*"), "json": re.compile(r"\{.*\}")}


def found_in(text: str, *, prompts: bool) -> list[str]:
    """The names of what must not be there, by the digits in it: however it is written, those stay."""
    canaries = {**SECRETS, **({"prompt": PROMPT, "answer": SAID} if prompts else {})}
    return [name for name, canary in canaries.items() if DIGITS.findall(canary)[0] in text]


def echo(request: Request) -> dict[str, Any]:
    """An error that repeats all that the request said, everywhere."""
    shown = " ".join(f"{name}: {value}" for name, value in request.headers.items())
    key = request.headers.get("x-goog-api-key") or request.headers.get("authorization", "").removeprefix("Bearer ")
    said = f"{request.path} {shown} {request.body.decode()}"
    return {"error": {"message": f"{key} {said}", "type": key, "param": f"p {key}", "code": key, "status": key}}


def faults(request: Request) -> Iterator[Sequence[Step]]:
    """All that can be wrong with an answer, with the request repeated in it."""
    told = json.dumps(echo(request)).encode()
    key = {"x-echo": request.headers.get("authorization", "none"), "x-request-id": echo(request)["error"]["code"]}
    yield from ((Json(status, echo(request), key),) for status in (401, 403, 400, 404, 413, 422, 429, 500, 503, 529))
    yield from ((Status(status, key, b"<p>" + told),) for status in (401, 400, 500, 200))
    yield (Json(200, echo(request), key),)
    yield (Status(302, {"location": f"http://127.0.0.1:1/{key['x-request-id']}"}, told),)
    yield (Reset(),)
    yield (Head(200, key), Body(told[:40]), Cut())
    yield (Sse([told.decode()]),)
    yield (Sse(["not json " + told.decode()]),)
    yield (Sse([*sse_events(SAID)[:2], told.decode()]),)
    yield (Sse(sse_events(SAID)[:2]), Cut())
    yield (Status(200, {"content-encoding": "gzip"}, told),)


class Driven:
    """A process, and what it has answered."""

    def __init__(self, served: Served) -> None:
        self.process = served.process
        self.replies: list[str] = []
        self._said = served.said
        self._url = f"http://127.0.0.1:{served.port}"

    def ask(self, alias: str, *, key: str = "gateway key", **fields: object) -> requests.Response:
        headers = {"authorization": f"Bearer {SECRETS[key]}"}
        body = {**chat(alias, PROMPT), **fields}
        reply = requests.post(f"{self._url}/v1/chat/completions", json=body, headers=headers, timeout=HANG)
        self.replies.append(f"{reply.status_code} {reply.headers} {reply.text}")
        return reply

    def stop(self) -> str:
        """What it has said by its end."""
        self.process.terminate()
        assert self.process.stdout is not None
        return self._said + self.process.stdout.read()


@contextmanager
def driven(config: dict[str, Any], folder: Path) -> Iterator[Driven]:
    (folder / "gateway.yaml").write_text(json.dumps(config))
    with serving("-c", "gateway.yaml", cwd=folder, log=folder / "log.txt") as served:
        yield Driven(served)


class World:
    """Two providers, an authorization server and a program, all of which repeat what they hear."""

    def __init__(self, closing: ExitStack, folder: Path) -> None:
        self.up = closing.enter_context(ScriptedUpstream())
        self.google = closing.enter_context(ScriptedUpstream())
        self.login = closing.enter_context(AuthServer(client_secret=SECRETS["client secret"]))
        self.google.answers(healthy_gemini)
        self.folder = folder
        self.seen = folder / "seen.json"
        program = folder / "print_token.py"
        program.write_text(
            "import json, os, pathlib, sys\n"
            f"pathlib.Path({str(self.seen)!r}).write_text(json.dumps([sys.argv, dict(os.environ)]))\n"
            f"print({SECRETS['printed token']!r})\n"
        )
        self.program = [sys.executable, str(program)]

    def config(self, form: str) -> dict[str, Any]:
        url, login = self.up.base_url, self.login.url
        oauth = {"clientId": "client-1", "clientSecret": SECRETS["client secret"], "tokenEndpoint": f"{login}/token"}
        return {
            "gateway": {"apiKeys": [SECRETS["gateway key"]], "drainSeconds": 1},
            "auth": {"tokenStorePath": "store/tokens.json"},
            "logging": {"level": "debug", "format": form},
            "providers": {
                "a": provider(url, apiKey=SECRETS["api key"]),
                "plain": provider(url, apiKey=SECRETS["plain key"]),
                "g": {"type": "gemini", "apiKey": SECRETS["gemini key"], "apiEndpoint": f"{self.google.url}/v1beta"},
                "o": provider(url, **oauth),
                "c": provider(url, command=self.program),
            },
            "modelAliases": [alias("best", "a/m"), alias("both", "plain/m", "a/m")],
        }

    def logged_in(self) -> None:
        """A login whose token has run out, and whose renewal brings the canaries."""
        (self.folder / "store").mkdir()
        old = {"accessToken": "canary-access-old-1234", "refreshToken": SECRETS["refresh token"], "expiresAt": 1}
        (self.folder / "store" / "tokens.json").write_text(json.dumps({"version": 1, "credentials": {"o": old}}))
        new = {"access_token": SECRETS["access token"], "refresh_token": SECRETS["refresh token"], "expires_in": 3600}
        said = {**new, "error_description": SECRETS["client secret"]}
        self.login.next_token_answers = [Raw(200, {"Content-Type": "application/json"}, json.dumps(said).encode())]

    def refuses_logins(self) -> None:
        told = " ".join(secret for name, secret in SECRETS.items() if name != "shown key")  # which nobody there knows
        refusal = json.dumps({"error": "invalid_grant", "error_description": told}).encode()
        self.login.next_token_answers = [Raw(400, {"Content-Type": "application/json"}, refusal)] * 50


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with ExitStack() as closing:
        yield World(closing, tmp_path)


def drive(gateway: Driven, world: World) -> None:
    """Through successes, all faults, and all credentials."""
    world.up.answers(lambda request: sse_answer(SAID) if b'"stream":true' in request.body else (json_answer(SAID),))
    for model in ("best", "plain/m", "g/gemini-2.5-pro", "o/m", "c/m"):
        assert gateway.ask(model).status_code == 200, model
        assert gateway.ask(model, stream=True).status_code == 200, model
    for number in range(30):
        if not play(world, number):
            break
        for streamed in (False, True):
            gateway.ask("both", stream=streamed)
            gateway.ask("g/gemini-2.5-pro", stream=streamed)
    world.up.answers(lambda request: (Json(401, echo(request)),))
    world.refuses_logins()
    for model in ("o/m", "c/m", "o/m", "best"):
        gateway.ask(model)
    for odd in ({"model": "nobody"}, {"messages": PROMPT}, {"temperature": PROMPT}, {"api_key": SECRETS["shown key"]}):
        gateway.ask("best", **odd)
    assert gateway.ask("best", key="shown key").status_code == 401


def play(world: World, number: int) -> bool:
    """Let both providers answer with a fault; False where there is none of that number."""

    def one(request: Request) -> Sequence[Step]:
        return list(faults(request))[number]

    nothing = Request("POST", "/", Headers(()), b"", 0)
    if number >= len(list(faults(nothing))):
        return False
    world.up.answers(one)
    world.google.answers(one)
    return True


@pytest.mark.parametrize("form", ["pretty", "json"])
def test_no_canary_is_found_whatever_goes_wrong(world: World, form: str) -> None:
    world.logged_in()
    with driven(world.config(form), world.folder) as gateway:
        drive(gateway, world)
        if sys.platform == "linux":
            for name in ("cmdline", "environ"):
                told = Path(f"/proc/{gateway.process.pid}/{name}").read_text()
                assert found_in(told, prompts=True) == [], name
        said = gateway.stop()
    logged = (world.folder / "log.txt").read_text()
    printed = said + logged
    assert found_in(printed, prompts=True) == []
    assert "Traceback" not in printed and "fault of the gateway" not in printed
    assert [reply[:300] for reply in gateway.replies if found_in(reply, prompts=False)] == []
    lines = logged.splitlines()
    assert len(lines) > 100 and all(LINE[form].fullmatch(line) for line in lines)
    assert found_in(world.seen.read_text(), prompts=True) == [], "the program's arguments and environment"


@pytest.mark.skipif(not POSIX, reason="the mode says nothing there; the profile folder's access list protects the file")
def test_tokens_on_the_disk_can_be_read_by_the_user_alone(world: World) -> None:
    world.logged_in()
    world.up.answers(lambda _: (json_answer(SAID),))
    with driven(world.config("pretty"), world.folder) as gateway:
        assert gateway.ask("o/m").status_code == 200
    store = world.folder / "store"
    assert {file.name for file in store.iterdir()} >= {"tokens.json", "tokens.json.bak"}
    for file in store.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name
    files = [file for file in world.folder.rglob("*") if file.is_file()]
    holders = {file.relative_to(world.folder).as_posix() for file in files if _holds(file)}
    assert holders == {"gateway.yaml", "print_token.py", "store/tokens.json", "store/tokens.json.bak"}


def _holds(file: Path) -> bool:
    return bool(found_in(file.read_text(errors="replace"), prompts=True))


@pytest.mark.parametrize("form", ["pretty", "json"])
def test_nobody_writes_a_line_of_the_log(form: Literal["pretty", "json"]) -> None:
    with ScriptedUpstream() as up:
        config = {"providers": {"a": provider(up.base_url)}, "modelAliases": [alias("best", "a/m")]}
        hostile = {"error": {"message": FORGED, "code": FORGED, "type": FORGED}}
        up.answers(lambda _: (Json(400, hostile, {"x-request-id": "a\x1b[31mb"}),))
        with logging_to(form) as log, running(config) as gateway:
            asked = [
                gateway.post(chat(f"a/{FORGED}")),
                gateway.post(chat("a/\u202eforged\u0007")),
                gateway.post(chat("best"), headers={"user-agent": "forged\u00a0\u00ad", "x-request-id": "a b"}),
                gateway.post(chat("best"), path="/v1/%0d%0aforged%1b[31m"),
                gateway.get("/v1/models/%0d%0a12:00:00%20ERROR%20forged%E2%80%A8"),
                gateway.get("/%1b%5b31m%00"),
            ]
    lines = log.getvalue().splitlines()
    assert len(lines) >= len(asked) and all(LINE[form].fullmatch(line) for line in lines)
    assert all(line.isprintable() for line in lines)
    assert not any(line.startswith("12:00:00 ERROR   forged") for line in lines)


def test_a_fault_of_ours_tells_the_caller_an_id_and_the_log_no_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """What crashes stumbles over a prompt and a key, and says so."""

    def crash(*_: object, **__: object) -> bytes:
        raise KeyError(f"{PROMPT} {SECRETS['api key']}")

    monkeypatch.setattr(OpenAIChatCallers, "render_response", crash)
    monkeypatch.setattr(OpenAIChatCallers, "encoder", crash)
    with ScriptedUpstream() as up:
        providers = {"a": provider(up.base_url, apiKey=SECRETS["api key"])}
        config = {"providers": providers, "modelAliases": [alias("best", "a/m")]}
        with logging_to("pretty") as log, running(config) as gateway:
            for streamed in (False, True):
                asked = {"x-request-id": f"id-{streamed}"}
                reply = gateway.post(chat("best", PROMPT, stream=streamed), headers=asked)
                (error,) = reply.json().values()
                assert (reply.status_code, error["code"], error["type"]) == (500, "internal_error", "server_error")
                assert reply.headers["x-request-id"] == f"id-{streamed}"
                assert found_in(f"{reply.text} {reply.headers}", prompts=True) == []
                assert not re.search(r"KeyError|Traceback|\.py", reply.text)
    written = log.getvalue()
    assert "id-False" in written and "id-True" in written and "KeyError" in written
    assert found_in(written, prompts=True) == []
