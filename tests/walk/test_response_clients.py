"""The clients of the Responses API that are no part of the test tools: openai-node, AI SDK, and openai-agents.

`pytest -m slow tests/walk/test_response_clients.py` installs them from npm and PyPI, and skips where that cannot be.
Each program asks in two steps with a tool, with its client's defaults, and prints what it has got as JSON.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support import gemini_answers as gemini
from tests.support import npm, pypi, responses_answers
from tests.support.running import Running, alias, provider, running
from tests.support.upstream_script import Cut, Done, Json, ScriptedUpstream, Sse, Status, Step, sse_answer, sse_events

pytestmark = pytest.mark.slow

NODE_PACKAGES = ("openai@6.49.0", "ai@6.0.326", "@ai-sdk/openai@3.0.141", "zod@4.6.7")
AGENTS = "openai-agents==0.24.0"
SECONDS = 60
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}

OPENAI_NODE = """
import OpenAI from 'openai';
const [base, streamed] = [process.argv[2], process.argv[3] === 'true'];
const client = new OpenAI({ baseURL: base, apiKey: 'none', maxRetries: 0 });
const tools = [{ type: 'function', name: 'get_weather', strict: false,
  parameters: { type: 'object', properties: { city: { type: 'string' } } } }];
async function ask(fields) {
  if (!streamed) return await client.responses.create(fields);
  const stream = client.responses.stream(fields);
  for await (const event of stream) {}
  return await stream.finalResponse();
}
const first = await ask({ model: 'best', input: 'Weather in Seoul?', tools });
const call = first.output.find((item) => item.type === 'function_call');
const output = [{ type: 'function_call_output', call_id: call.call_id, output: 'rain' }];
const second = await ask({ model: 'best', input: output, tools, previous_response_id: first.id });
console.log(JSON.stringify({ arguments: call.arguments, text: second.output_text, status: second.status }));
"""
OPENAI_NODE_BROKEN = """
import OpenAI from 'openai';
const client = new OpenAI({ baseURL: process.argv[2], apiKey: 'none', maxRetries: 0 });
const stream = client.responses.stream({ model: 'best', input: 'Hi' });
for await (const event of stream) {}
const last = await stream.finalResponse();
console.log(JSON.stringify({ status: last.status, code: last.error.code }));
"""
AI_SDK = """
import { createOpenAI } from '@ai-sdk/openai';
import { generateText, streamText, stepCountIs, tool } from 'ai';
import { z } from 'zod';
const [base, streamed] = [process.argv[2], process.argv[3] === 'true'];
const openai = createOpenAI({ baseURL: base, apiKey: 'none' });
const asked = {
  model: openai('best'), prompt: 'Weather in Seoul?', stopWhen: stepCountIs(3), maxRetries: 0,
  tools: { get_weather: tool({
    inputSchema: z.object({ city: z.string() }), execute: async ({ city }) => 'rain in ' + city }) },
};
const onError = ({ error }) => { throw error; };
const result = streamed ? streamText({ ...asked, onError }) : await generateText(asked);
if (streamed) await result.consumeStream();
const steps = await result.steps;
console.log(JSON.stringify({ text: await result.text, steps: steps.length, finish: await result.finishReason }));
"""
AGENT = """
import asyncio, json, sys
from agents import Agent, Runner, function_tool, set_default_openai_client, set_tracing_disabled
from openai import AsyncOpenAI
set_tracing_disabled(True)
set_default_openai_client(AsyncOpenAI(base_url=sys.argv[1], api_key="none", max_retries=0))

@function_tool
def get_weather(city: str) -> str:
    return "rain in " + city

async def main(streamed):
    agent = Agent(name="Weather", instructions="Be short.", model="best", tools=[get_weather])
    if streamed:
        result = Runner.run_streamed(agent, "Weather in Seoul?", auto_previous_response_id=True)
        async for _ in result.stream_events():
            pass
    else:
        result = await Runner.run(agent, "Weather in Seoul?", auto_previous_response_id=True)
    print(json.dumps({"text": result.final_output}))

asyncio.run(main(sys.argv[2] == "true"))
"""


def chat(streamed: bool) -> Iterator[Sequence[Step]]:
    called = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Seoul"}'}}
    head: dict[str, Any] = {"id": "c", "created": 1, "model": "m"}
    thought = "I had better look."
    if streamed:
        deltas: list[dict[str, Any]] = [
            {"role": "assistant", "reasoning_content": thought},
            {"content": "Let me see."},
            {"tool_calls": [{"index": 0, **called}]},
        ]
        chunks: list[dict[str, Any]] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
        chunks.append({"index": 0, "delta": {}, "finish_reason": "tool_calls"})
        events: list[dict[str, Any]] = [{**head, "choices": [each]} for each in chunks]
        events.append({**head, "choices": [], "usage": USAGE})
        yield (Sse([json.dumps({"object": "chat.completion.chunk", **event}) for event in events]), Done())
        yield sse_answer("It rains.", usage=USAGE)
        return
    said = {"role": "assistant", "content": "Let me see.", "reasoning_content": thought}
    for message, finish in (
        ({**said, "tool_calls": [called]}, "tool_calls"),
        ({"role": "assistant", "content": "It rains."}, "stop"),
    ):
        choice = {"index": 0, "message": message, "finish_reason": finish}
        yield (Json(200, {"object": "chat.completion", **head, "choices": [choice], "usage": USAGE}),)


def google(streamed: bool) -> Iterator[Sequence[Step]]:
    thought = gemini.text("I had better look.", thought=True)
    for said in (
        gemini.said(thought, gemini.text("Let me see."), gemini.call("get_weather", {"city": "Seoul"})),
        gemini.said(gemini.text("It rains.")),
    ):
        yield gemini.stream(said) if streamed else (Json(200, said),)


def openai(streamed: bool) -> Iterator[Sequence[Step]]:
    play = responses_answers.stream if streamed else lambda *items, **more: (responses_answers.whole(*items, **more),)
    yield play(
        responses_answers.reasoning("I had better look."),
        responses_answers.message("Let me see."),
        responses_answers.call("get_weather", '{"city":"Seoul"}'),
    )
    yield play(responses_answers.message("It rains.", "msg_2"), id="resp_provider_2")


ANSWERS = {"chat": chat, "gemini": google, "responses": openai}


@pytest.fixture(params=["chat", "gemini", "responses"])
def wire(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def gateway(up: ScriptedUpstream, wire: str) -> Iterator[Running]:
    """`best` is a provider of the wire."""
    settings: dict[str, dict[str, object]] = {
        "chat": provider(up.base_url),
        "responses": provider(up.base_url, api="responses"),
        "gemini": {"type": "gemini", "apiKey": "k", "apiEndpoint": f"{up.url}/v1beta"},
    }
    model = "gemini-3-pro-preview" if wire == "gemini" else "m"
    with running({"providers": {"a": settings[wire]}, "modelAliases": [alias("best", f"a/{model}")]}) as served:
        yield served


@pytest.fixture(scope="module")
def node(pytestconfig: pytest.Config) -> Path:
    assert pytestconfig.cache is not None
    return npm.installed(pytestconfig.cache.mkdir("npm"), *NODE_PACKAGES).parent


@pytest.fixture(scope="module")
def agents(pytestconfig: pytest.Config) -> Path:
    assert pytestconfig.cache is not None
    return pypi.installed(pytestconfig.cache.mkdir("pypi"), AGENTS)


def printed(command: Sequence[str], folder: Path, **environ: str) -> dict[str, Any]:
    """What the program prints."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_PROXY"))}
    done = subprocess.run(
        command, cwd=folder, env={**kept, **environ}, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def run_node(folder: Path, program: str, *arguments: str) -> dict[str, Any]:
    (folder / "program.mjs").write_text(program)
    return printed([shutil.which("node") or "node", "program.mjs", *arguments], folder)


@pytest.mark.parametrize("streamed", [False, True])
class TestTwoSteps:
    def test_openai_node(self, node: Path, gateway: Running, up: ScriptedUpstream, wire: str, streamed: bool) -> None:
        for answer in ANSWERS[wire](streamed):
            up.plays(*answer)
        found = run_node(node, OPENAI_NODE, f"{gateway.url}/v1", str(streamed).lower())
        assert json.loads(found["arguments"]) == {"city": "Seoul"}
        assert (found["text"], found["status"]) == ("It rains.", "completed")

    def test_ai_sdk(self, node: Path, gateway: Running, up: ScriptedUpstream, wire: str, streamed: bool) -> None:
        """Its second step names the reasoning and the text of the first by references."""
        for answer in ANSWERS[wire](streamed):
            up.plays(*answer)
        found = run_node(node, AI_SDK, f"{gateway.url}/v1", str(streamed).lower())
        assert found == {"text": "It rains.", "steps": 2, "finish": "stop"}
        told = json.dumps(up.requests[-1].json())
        assert "rain in Seoul" in told
        assert "item_reference" not in told
        assert "Let me see." in told

    def test_openai_agents(
        self, agents: Path, gateway: Running, up: ScriptedUpstream, wire: str, streamed: bool, tmp_path: Path
    ) -> None:
        """Its second step names the answer before."""
        for answer in ANSWERS[wire](streamed):
            up.plays(*answer)
        program = tmp_path / "program.py"
        program.write_text(AGENT)
        command = [sys.executable, str(program), f"{gateway.url}/v1", str(streamed).lower()]
        assert printed(command, tmp_path, PYTHONPATH=str(agents)) == {"text": "It rains."}


@pytest.mark.parametrize("wire", ["chat"])
def test_openai_node_sees_a_stream_that_broke(node: Path, gateway: Running, up: ScriptedUpstream, wire: str) -> None:
    up.plays(Sse(sse_events("one two three")[:3]), Cut())
    up.answers(lambda request: (Status(503),))
    found = run_node(node, OPENAI_NODE_BROKEN, f"{gateway.url}/v1")
    assert found == {"status": "failed", "code": "server_error"}
