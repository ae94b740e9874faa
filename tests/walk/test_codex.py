"""Codex itself, against a gateway whose provider is scripted: each of its three ways to declare tools, on each wire.

`pytest -m slow tests/walk/test_codex.py` installs it from npm, and skips where that cannot be. The names of models
choose the way: Codex knows some, and declares its tools for them in another form (0.171, 2026-11).
"""

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pytest

from gateway.server.codex_models import INSTRUCTIONS
from tests.support import gemini_answers as gemini
from tests.support import npm, responses_answers
from tests.support.running import Running, alias, provider, running
from tests.support.upstream_script import Cut, Done, Json, ScriptedUpstream, Sse, Status, Step, sse_answer, sse_events

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="its commands here are for a POSIX shell"),
]

PACKAGE = "@openai/codex@0.171.0"
SECONDS = 90
UNKNOWN, KNOWN, CODE = "my-best-model", "gpt-5.5", "gpt-5.6-sol"
"""Models by which Codex declares: functions and a namespace; a custom tool beside them; JavaScript, in the input."""
USAGE = {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10}
PATCH = "*** Begin Patch\n*** Add File: made.txt\n+hello\n*** End Patch\n"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
Wire: TypeAlias = Literal["chat", "gemini", "responses"]


def chat_calls(name: str, arguments: dict[str, object], _: str) -> Sequence[Step]:
    called = {
        "index": 0,
        "id": "call_1",
        "type": "function",
        "function": {"name": name, "arguments": json.dumps(arguments)},
    }
    heads = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    deltas: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": {"role": "assistant", "tool_calls": [called]}, "finish_reason": None}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
        {"choices": [], "usage": USAGE},
    ]
    return (Sse([json.dumps({**heads, **each}) for each in deltas]), Done())


def gemini_calls(name: str, arguments: dict[str, object], _: str) -> Sequence[Step]:
    return gemini.stream(gemini.said(gemini.call(name, arguments)))


def responses_calls(name: str, arguments: dict[str, object], kind: str) -> Sequence[Step]:
    """As OpenAI's server would: in the caller's own names, and a custom tool's text bare."""
    space, _, short = name.rpartition("__")
    more = {"namespace": space} if space else {}
    if kind == "custom":
        item = {"type": "custom_tool_call", "name": short, "input": arguments["input"], **more}
    else:
        item = {"type": "function_call", "name": short, "arguments": json.dumps(arguments), **more}
    return responses_answers.stream({**item, "id": "fc_1", "call_id": "call_1", "status": "completed"})


CALLS: dict[Wire, Callable[[str, dict[str, object], str], Sequence[Step]]] = {
    "chat": chat_calls,
    "gemini": gemini_calls,
    "responses": responses_calls,
}


def says(wire: Wire, text: str) -> Sequence[Step]:
    match wire:
        case "chat":
            return sse_answer(text, usage=USAGE)
        case "gemini":
            return gemini.stream(gemini.said(gemini.text(text)))
        case "responses":
            return responses_answers.stream(responses_answers.message(text))


class Codex:
    """Codex in a folder of its own, with a gateway in front of one scripted provider."""

    def __init__(self, program: Path, folder: Path, gateway: Running, up: ScriptedUpstream) -> None:
        self._program = program
        self._home = folder / "home"
        self._gateway = gateway
        self.folder = folder / "work"
        self.up = up
        for each in (self._home, self.folder):
            each.mkdir()

    def run(
        self, model: str, *words: str, settings: str = "", name: str = "gateway", more: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """`codex exec WORDS`, with the configuration that docs/responses.md advises. `name`: of the provider.
        `more`: settings of it."""
        (self._home / "config.toml").write_text(
            f'model = "{model}"\nmodel_provider = "gateway"\n{settings}\n'
            f'[model_providers.gateway]\nname = "{name}"\nbase_url = "{self._gateway.url}/v1"\n'
            f'wire_api = "responses"\n{more}\n'
        )
        environ = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_PROXY"))}
        return subprocess.run(
            [self._program, "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", *words],
            cwd=self.folder,
            env={**environ, "CODEX_HOME": str(self._home), "HOME": str(self._home), "GATEWAY": "k"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    @property
    def url(self) -> str:
        """Of the gateway."""
        return self._gateway.url

    def told(self, number: int = -1) -> str:
        """A request that the provider got."""
        return json.dumps(self.up.requests[number].json())


@pytest.fixture(scope="module")
def program(pytestconfig: pytest.Config) -> Path:
    assert pytestconfig.cache is not None
    return npm.installed(pytestconfig.cache.mkdir("npm"), PACKAGE) / ".bin" / "codex"


@pytest.fixture
def make(program: Path, tmp_path: Path, up: ScriptedUpstream) -> Iterator[Callable[[Wire], Codex]]:
    """A Codex whose provider speaks a wire."""
    started = []

    def made(wire: Wire) -> Codex:
        providers: dict[Wire, tuple[str, dict[str, object]]] = {
            "chat": ("a/m", provider(up.base_url)),
            "responses": ("a/m", provider(up.base_url, api="responses")),
            "gemini": (
                "a/gemini-3-pro-preview",
                {"type": "gemini", "apiKey": "k", "apiEndpoint": f"{up.url}/v1beta"},
            ),
        }
        target, settings = providers[wire]
        aliases = [alias(name, target) for name in (UNKNOWN, KNOWN, CODE)]
        context = running({"providers": {"a": settings}, "modelAliases": aliases})
        started.append(context)
        return Codex(program, tmp_path, context.__enter__(), up)

    yield made
    for context in started:
        context.__exit__(None, None, None)


@pytest.mark.parametrize("wire", ["chat", "gemini", "responses"])
class TestOnEachWire:
    def test_it_shows_an_answer(self, make: Callable[[Wire], Codex], wire: Wire) -> None:
        codex = make(wire)
        codex.up.plays(*says(wire, "Hello from the provider."))
        done = codex.run(UNKNOWN, "hi")
        assert (done.returncode, done.stdout.strip()) == (0, "Hello from the provider."), done.stderr

    def test_it_runs_a_command(self, make: Callable[[Wire], Codex], wire: Wire) -> None:
        codex = make(wire)
        codex.up.plays(
            *CALLS[wire]("exec_command", {"cmd": "echo marker-$((6*7)) > made.txt; cat made.txt"}, "function")
        )
        codex.up.plays(*says(wire, "Made."))
        done = codex.run(UNKNOWN, "make a file")
        assert (done.returncode, done.stdout.strip()) == (0, "Made."), done.stderr
        assert (codex.folder / "made.txt").read_text() == "marker-42\n"
        assert "marker-42" in codex.told()

    @pytest.mark.parametrize(
        ("model", "tool", "text"),
        [
            (KNOWN, "apply_patch", PATCH),
            (CODE, "functions__exec", f"const r = await tools.apply_patch({json.dumps(PATCH)}); text('done');"),
        ],
    )
    def test_it_edits_a_file(self, make: Callable[[Wire], Codex], wire: Wire, model: str, tool: str, text: str) -> None:
        codex = make(wire)
        codex.up.plays(*CALLS[wire](tool, {"input": text}, "custom"))
        codex.up.plays(*says(wire, "Edited."))
        done = codex.run(model, "edit a file")
        assert (done.returncode, done.stdout.strip()) == (0, "Edited."), done.stderr
        assert (codex.folder / "made.txt").read_text() == "hello\n"

    def test_it_views_an_image(self, make: Callable[[Wire], Codex], wire: Wire) -> None:
        codex = make(wire)
        (codex.folder / "a.png").write_bytes(base64.b64decode(PNG))
        codex.up.plays(*CALLS[wire]("view_image", {"path": str(codex.folder / "a.png")}, "function"))
        codex.up.plays(*says(wire, "A pixel."))
        done = codex.run(UNKNOWN, "look at a.png")
        assert (done.returncode, done.stdout.strip()) == (0, "A pixel."), done.stderr
        assert re.search(r"[A-Za-z0-9+/]{60}", codex.told()), "the provider got no image"

    def test_it_resumes_a_session(self, make: Callable[[Wire], Codex], wire: Wire) -> None:
        codex = make(wire)
        codex.up.plays(*says(wire, "Noted."))
        codex.up.plays(*says(wire, "It was plum."))
        assert codex.run(UNKNOWN, "remember plum").returncode == 0
        done = codex.run(UNKNOWN, "resume", "--last", "what was it?")
        assert (done.returncode, done.stdout.strip()) == (0, "It was plum."), done.stderr
        assert "remember plum" in codex.told()
        assert "Noted." in codex.told()


class TestTrouble:
    def test_it_asks_again_after_a_stream_that_broke_and_shows_its_text_once(
        self, make: Callable[[Wire], Codex]
    ) -> None:
        codex = make("chat")
        codex.up.plays(Sse(sse_events("Half of an answer", usage=USAGE)[:3]), Cut())
        codex.up.plays(*says("chat", "The whole answer."))
        done = codex.run(UNKNOWN, "hi")
        assert (done.returncode, done.stdout.strip()) == (0, "The whole answer."), done.stderr
        assert "Half" not in done.stdout

    def test_it_shows_a_limit_in_the_providers_words(self, make: Callable[[Wire], Codex]) -> None:
        codex = make("chat")
        told = {"error": {"message": "You are out of credit, see your plan.", "code": "insufficient_quota"}}
        codex.up.answers(lambda request: (Json(429, told),))
        done = codex.run(UNKNOWN, "hi")
        assert done.returncode != 0
        assert len(codex.up.requests) == 1
        assert re.search("out of credit|quota", done.stderr + done.stdout, re.IGNORECASE)

    def test_it_shows_a_refused_request_at_once(self, make: Callable[[Wire], Codex]) -> None:
        codex = make("chat")
        told = {"error": {"message": "This model cannot see.", "type": "invalid_request_error"}}
        codex.up.answers(lambda request: (Json(400, told),))
        done = codex.run(UNKNOWN, "hi")
        assert done.returncode != 0
        assert "This model cannot see." in done.stderr + done.stdout

    def test_it_survives_an_outage(self, make: Callable[[Wire], Codex]) -> None:
        codex = make("chat")
        for _ in range(3):
            codex.up.plays(Status(503))
        codex.up.plays(*says("chat", "Back again."))
        done = codex.run(UNKNOWN, "hi")
        assert (done.returncode, done.stdout.strip()) == (0, "Back again."), done.stderr

    def test_it_shows_an_unknown_name_at_once(self, make: Callable[[Wire], Codex]) -> None:
        codex = make("chat")
        done = codex.run("no-such-model", "hi")
        assert done.returncode != 0
        assert "no-such-model" in done.stderr + done.stdout
        assert codex.up.requests == []

    def test_it_learns_models_from_the_gateway(self, make: Callable[[Wire], Codex]) -> None:
        codex = make("chat")
        codex.up.plays(*says("chat", "Hello."))
        more = f'env_key = "GATEWAY"\nmodel_catalog_url = "{codex.url}/v1/models"'
        done = codex.run(UNKNOWN, "hi", more=more)
        assert (done.returncode, done.stdout.strip()) == (0, "Hello."), done.stderr
        assert "Model metadata" not in done.stderr
        assert INSTRUCTIONS in codex.told()

    @pytest.mark.parametrize("name", ["gateway", "OpenAI"])
    def test_it_compacts_a_long_conversation(self, make: Callable[[Wire], Codex], name: str) -> None:
        """With a prompt of its own, or, where its provider is named OpenAI, by the trigger of this API."""
        codex = make("chat")
        full = {"prompt_tokens": 150_000, "completion_tokens": 5, "total_tokens": 150_005}
        command: dict[str, object] = {"cmd": "echo one"}
        first = chat_calls("exec_command", command, "function")[0]
        assert isinstance(first, Sse)
        counted = json.dumps({"id": "c", "object": "chat.completion.chunk", "choices": [], "usage": full})
        codex.up.plays(Sse([*first.events[:-1], counted]), Done())
        codex.up.plays(*says("chat", "The summary: one was echoed."))
        codex.up.plays(*says("chat", "Done after the summary."))
        settings = "model_auto_compact_token_limit = 100000\nmodel_context_window = 200000"
        done = codex.run(UNKNOWN, "echo one", settings=settings, name=name)
        assert (done.returncode, done.stdout.strip()) == (0, "Done after the summary."), done.stderr
        assert "The summary: one was echoed." in codex.told()
        assert ("Summary of the conversation so far: " in codex.told()) == (name == "OpenAI")
