"""Claude Code in print mode against a gateway whose provider is a scripted chat server or Gemini.

It is the program that people run, so what it does is what counts: whether it answers, runs its tools, and goes on after
a fault. Slow, because each test starts it anew.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support import messages_events as own
from tests.support.gemini_answers import call as gemini_call
from tests.support.gemini_answers import said, stream, text
from tests.support.messages import calls, chunk
from tests.support.npm import installed
from tests.support.running import Running, alias, provider, running
from tests.support.upstream_script import (
    Cut,
    Done,
    Json,
    Request,
    ScriptedUpstream,
    Sse,
    Status,
    Step,
    json_answer,
    sse_answer,
    sse_events,
)

PACKAGE, VERSION = "@anthropic-ai/claude-code", "2.1.332"
RUN_SECONDS = 120
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154"
    "789c6360f8cf000002020101e2213bc40000000049454e44ae426082"
)
TOO_LONG = "This model's maximum context length is 1000 tokens. However, your messages resulted in 2000 tokens."
pytestmark = pytest.mark.slow

Answer = Callable[[Any], Sequence[Step]]


@pytest.fixture(scope="session")
def program(pytestconfig: pytest.Config) -> Sequence[str]:
    """The command that starts it."""
    assert pytestconfig.cache is not None
    modules = installed(pytestconfig.cache.mkdir("npm"), f"{PACKAGE}@{VERSION}")
    return [shutil.which("node") or "node", str(modules / PACKAGE / "cli-wrapper.cjs")]


class ClaudeCode:
    """Claude Code at a gateway, in a folder of its own.

    Args:
        program: the command that starts it.
        gateway: answers it.
        folder: is its home and its project.
    """

    def __init__(self, program: Sequence[str], gateway: Running, folder: Path) -> None:
        self._program = program
        self._url = gateway.url
        self.project = folder / "project"
        self.project.mkdir()
        self._home = folder / "home"
        self._home.mkdir()

    def run(self, prompt: str, *more: str, **env: str) -> dict[str, Any]:
        """What it reports at the end of a session."""
        command = [*self._program, "-p", prompt, "--output-format", "json", *more]
        done = subprocess.run(
            command,
            cwd=self.project,
            env=self._environment(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=RUN_SECONDS,
            check=False,
        )
        assert done.stdout, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANTHROPIC_", "CLAUDE"))}
        return {
            **kept,
            "HOME": str(self._home),
            "USERPROFILE": str(self._home),
            "ANTHROPIC_BASE_URL": self._url,
            "ANTHROPIC_AUTH_TOKEN": "none",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            **more,
        }


@pytest.fixture
def claude(up: ScriptedUpstream, program: Sequence[str], tmp_path: Path) -> Iterator[ClaudeCode]:
    """It, at a gateway whose alias `claude-*` is the chat server `up`."""
    config = {"providers": {"o": provider(up.base_url, apiKey="k")}, "modelAliases": [alias("claude-*", "o/gpt-x")]}
    with running(config) as gateway:
        yield ClaudeCode(program, gateway, tmp_path)


def plays(up: ScriptedUpstream, *answers: Answer) -> list[Any]:
    """Have the server answer so, one after the other; the last one answers all that is asked later. The list gets the
    bodies of the requests."""
    bodies: list[Any] = []

    def respond(request: Request) -> Sequence[Step]:
        bodies.append(request.json())
        return answers[min(len(bodies), len(answers)) - 1](bodies[-1])

    up.answers(respond)
    return bodies


def says(words: str) -> Answer:
    return lambda body: sse_answer(words) if body.get("stream") else [json_answer(words)]


def uses(*tools: tuple[str, Mapping[str, object]]) -> Answer:
    """Calls of tools, whose pieces interleave."""
    texts = [json.dumps(arguments) for _, arguments in tools]
    begun = [calls(index, "", name) for index, (name, _) in enumerate(tools)]
    first = [calls(index, each[:3]) for index, each in enumerate(texts)]
    rest = [calls(index, each[3:]) for index, each in enumerate(texts)]
    return lambda _: [Sse([chunk({"content": "I see. "}), *begun, *first, *rest, chunk({}, "tool_calls")]), Done()]


def bash(command: str) -> tuple[str, Mapping[str, object]]:
    return "Bash", {"command": command, "description": "A command"}


def results(body: Any) -> list[str]:
    """What the tools of a request's conversation have said."""
    return [message["content"] for message in body["messages"] if message["role"] == "tool"]


# What it does with its tools -----------------------------------------------------------------------------------------


def test_it_answers_and_runs_commands_side_by_side(up: ScriptedUpstream, claude: ClaudeCode) -> None:
    commands = uses(bash("echo one-$((20+1))"), bash("echo two-$((20+2))"))
    bodies = plays(up, commands, says("Both are done."))
    report = claude.run("Go on.", "--allowedTools", "Bash")
    assert (report["result"], report["is_error"]) == ("Both are done.", False)
    assert [each.strip() for each in results(bodies[-1])] == ["one-21", "two-22"]


def test_it_writes_and_edits_a_file(up: ScriptedUpstream, claude: ClaudeCode) -> None:
    path = str(claude.project / "notes.txt")
    edit = {"file_path": path, "old_string": "one", "new_string": "two"}
    plays(up, uses(("Write", {"file_path": path, "content": "one\n"})), uses(("Edit", edit)), says("Done."))
    assert claude.run("Go on.", "--allowedTools", "Write", "Edit")["result"] == "Done."
    assert Path(path).read_text("utf-8") == "two\n"


def test_it_shows_an_image_to_the_model(up: ScriptedUpstream, claude: ClaudeCode) -> None:
    path = claude.project / "dot.png"
    path.write_bytes(PNG)
    bodies = plays(up, uses(("Read", {"file_path": str(path)})), says("A dot."))
    assert claude.run("Look at it.", "--allowedTools", "Read")["result"] == "A dot."
    shown = [part for message in bodies[-1]["messages"] for part in message["content"] if isinstance(part, dict)]
    assert [part["image_url"]["url"][:22] for part in shown if part["type"] == "image_url"] == [
        "data:image/png;base64,"
    ]


def test_it_loads_a_deferred_tool(up: ScriptedUpstream, claude: ClaudeCode) -> None:
    search = uses(("ToolSearch", {"query": "select:NotebookEdit", "max_results": 1}))
    bodies = plays(up, search, says("Found."))
    assert claude.run("Look for it.")["result"] == "Found."
    names = [{tool["function"]["name"] for tool in body["tools"]} for body in (bodies[0], bodies[-1])]
    assert "NotebookEdit" in names[1] - names[0]
    assert "Tool NotebookEdit is now available." in results(bodies[-1])[0]


def test_it_delegates(up: ScriptedUpstream, claude: ClaudeCode) -> None:
    task = {"description": "A task", "prompt": "Say SUB-TASK.", "subagent_type": "general-purpose"}

    def answer(body: Any) -> Sequence[Step]:
        asked = json.dumps(body["messages"])
        if "Say SUB-TASK." in asked and '"Agent"' not in asked:
            return says("SUB-ANSWER")(body)
        if results(body):
            return says("It is delegated.")(body)
        return uses(("Agent", task))(body)

    bodies = plays(up, answer)
    assert claude.run("Delegate it.")["result"] == "It is delegated."
    assert any("Say SUB-TASK." in json.dumps(body["messages"][1:2]) for body in bodies)


def test_it_works_with_gemini(program: Sequence[str], tmp_path: Path) -> None:
    with ScriptedUpstream() as google:
        asked = gemini_call("Bash", bash("echo from-$((40+2))")[1])
        google.plays(*stream(said(text("Hm.", thought=True), text("I look."), asked)))
        google.plays(*stream(said(text("It is done."))))
        gemini = {"type": "gemini", "apiKey": "AIza-0123456789", "apiEndpoint": f"{google.url}/v1beta"}
        aliases = [alias("claude-*", "gemini/gemini-3-pro-preview")]
        with running({"providers": {"gemini": gemini}, "modelAliases": aliases}) as gateway:
            report = ClaudeCode(program, gateway, tmp_path).run("Go on.", "--allowedTools", "Bash")
        assert report["result"] == "It is done."
        answered = google.requests[-1].json()["contents"][-1]["parts"][0]["functionResponse"]["response"]
        assert answered["result"].strip() == "from-42"


# What it does after a fault ------------------------------------------------------------------------------------------


def test_it_asks_again_where_a_stream_breaks(up: ScriptedUpstream, claude: ClaudeCode) -> None:
    broken: Answer = lambda _: [Sse(sse_events("one two three")[:3]), Cut()]  # noqa: E731 - one of a list of answers
    bodies = plays(up, broken, says("Whole."))
    assert claude.run("Go on.")["result"] == "Whole."
    assert len(bodies) == 2


def test_it_waits_where_providers_are_overloaded(up: ScriptedUpstream, claude: ClaudeCode) -> None:
    overloaded: Answer = lambda _: [Status(529)]  # noqa: E731 - one of a list of answers
    plays(up, overloaded, overloaded, overloaded, says("Now."))
    assert claude.run("Go on.")["result"] == "Now."


def test_it_says_at_once_that_a_wait_is_long(up: ScriptedUpstream, claude: ClaudeCode) -> None:
    limited = Json(429, {"error": {"message": "Daily limit.", "code": "rate_limit_exceeded"}}, {"retry-after": "7200"})
    bodies = plays(up, lambda _: [limited])
    report = claude.run("Go on.")
    assert report["is_error"] and "2 h" in report["result"]
    assert len(bodies) <= 2


def test_it_says_that_a_provider_refused_its_key(up: ScriptedUpstream, claude: ClaudeCode) -> None:
    bodies = plays(up, lambda _: [Json(401, {"error": {"message": "Incorrect API key"}})])
    report = claude.run("Go on.")
    assert report["is_error"]
    assert len(bodies) == 1, "it would ask again and again after 401"


def test_it_shortens_a_conversation_that_is_too_long(up: ScriptedUpstream, claude: ClaudeCode) -> None:
    plays(up, says("A first answer, to have something to shorten."))
    claude.run("Tell me something long.")
    too_long: Answer = lambda _: [  # noqa: E731 - one of a list of answers
        Json(400, {"error": {"message": TOO_LONG, "code": "context_length_exceeded"}})
    ]
    bodies = plays(up, too_long, says("<summary>It was said.</summary>"), says("And on."))
    report = claude.run("Go on.", "--continue")
    assert report["result"] == "And on."
    assert len(bodies) == 3
    assert "It was said." in json.dumps(bodies[-1]["messages"])


def test_it_works_with_anthropic_itself(program: Sequence[str], tmp_path: Path) -> None:
    """What passes as it came: its request, and the thinking that comes back signed."""
    with ScriptedUpstream() as server:
        asked = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}}
        typed = {"type": "input_json_delta", "partial_json": json.dumps(bash("echo from-$((40+2))")[1])}
        thought = own.THOUGHT + own.block(1, asked, typed)
        server.plays(*own.plays(own.begun() + thought + own.end("tool_use")))
        server.plays(*own.plays(own.begun() + own.words(0, "It is ", "done.") + own.end()))
        anthropic = {"type": "anthropic", "apiKey": "sk-ant-0123456789", "apiEndpoint": server.url}
        aliases = [alias("claude-*", "anthropic/claude-*")]
        with running({"providers": {"anthropic": anthropic}, "modelAliases": aliases}) as gateway:
            report = ClaudeCode(program, gateway, tmp_path).run("Go on.", "--allowedTools", "Bash")
    assert report["result"] == "It is done."
    first, second = server.requests
    assert (first.json()["model"][:7], "claude-code-20250219" in first.headers["anthropic-beta"]) == ("claude-", True)
    (back,) = [message for message in second.json()["messages"] if message["role"] == "assistant"]
    assert {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"} in back["content"]
