"""Anthropic's TypeScript client against a gateway whose provider is a scripted chat server. Slow: it starts node."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.messages import WEATHER, calls, chunk
from tests.support.npm import installed
from tests.support.running import Running, alias, provider, running
from tests.support.upstream_script import Cut, Done, ScriptedUpstream, Sse, Status, json_answer, sse_answer, sse_events

PACKAGE, VERSION = "@anthropic-ai/sdk", "1.14.0"
RUN_SECONDS = 60
pytestmark = pytest.mark.slow

SCRIPT = """
import Anthropic from '@anthropic-ai/sdk';
const client = new Anthropic({ baseURL: process.argv[2], apiKey: 'none', maxRetries: 0 });
const asked = { model: 'claude-x', max_tokens: 50, messages: [{ role: 'user', content: 'Hello' }] };
const tools = JSON.parse(process.argv[3]);
const found = {};
const failed = (fault) => {
  const type = fault.error?.error?.type;
  return { name: fault.constructor.name, status: fault.status, type, id: !!fault.requestID };
};
found.whole = await client.messages.create(asked);
found.streamed = await client.messages.stream(asked).finalMessage();
found.called = await client.messages.stream({ ...asked, tools }).finalMessage();
found.broken = await client.messages.stream(asked).finalMessage().catch(failed);
found.overloaded = await client.messages.create(asked).catch(failed);
found.unknown = await client.messages.create({ ...asked, model: 'unknown' }).catch(failed);
found.tokens = await client.messages.countTokens({ model: 'claude-x', messages: asked.messages });
found.models = [];
for await (const model of client.models.list({ limit: 1 })) found.models.push(model.id);
console.log(JSON.stringify(found));
"""


def run(gateway: Running, folder: Path) -> Any:
    """What the client has found."""
    script = folder / "client.mjs"
    script.write_text(SCRIPT, "utf-8")
    command = [shutil.which("node") or "node", str(script), gateway.url, json.dumps([WEATHER])]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=RUN_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_reads_what_the_gateway_answers(up: ScriptedUpstream, pytestconfig: pytest.Config) -> None:
    assert pytestconfig.cache is not None
    modules = installed(pytestconfig.cache.mkdir("npm"), f"{PACKAGE}@{VERSION}")
    up.plays(json_answer("Hi."))
    up.plays(*sse_answer("one two"))
    begun = [calls(index, "", "get_weather") for index in (0, 1)]
    pieces = [calls(0, '{"city":'), calls(1, '{"city":'), calls(0, '"Seoul"}'), calls(1, '"Oslo"}')]
    up.plays(Sse([*begun, *pieces, chunk({}, "tool_calls")]), Done())
    up.plays(Sse(sse_events("one two three")[:3]), Cut())
    up.answers(lambda _: [Status(529)])
    config = {
        "providers": {"o": provider(up.base_url)},
        "modelAliases": [alias("claude-*", "o/m"), alias("best", "o/m")],
    }
    with running(config) as gateway:
        found = run(gateway, modules.parent)
    assert found["whole"]["content"] == [{"type": "text", "text": "Hi."}]
    assert (found["streamed"]["content"][0]["text"], found["streamed"]["stop_reason"]) == ("one two", "end_turn")
    assert [block["input"] for block in found["called"]["content"]] == [{"city": "Seoul"}, {"city": "Oslo"}]
    assert found["broken"]["type"] == "api_error"
    overloaded = {"name": "OverloadedError", "status": 529, "type": "overloaded_error", "id": True}
    assert found["overloaded"] == overloaded
    assert found["unknown"] == {"name": "NotFoundError", "status": 404, "type": "not_found_error", "id": True}
    assert found["tokens"]["input_tokens"] > 0
    assert found["models"] == ["best"]
