"""The table of translations: every golden request to every target, and every golden answer back to the caller.

A row is a file in golden/table. `GOLDEN=write pytest tests/wires/test_golden_table.py` writes them anew; what changed
is then read in the diff, by a person. Ids that the gateway makes up are shown as GENERATED.
"""

import difflib
import json
import os
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import jsonschema
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gateway.core.errors import GatewayError
from gateway.core.rendered import Ask, Rendered
from gateway.core.strict_json import JsonValue, dumps
from gateway.wires.anthropic_messages.outbound import AnthropicMessagesProvider
from gateway.wires.base import Naming, OutboundWire
from gateway.wires.gemini import Gemini
from gateway.wires.openai_chat.inbound import OpenAIChatCallers
from gateway.wires.openai_chat.outbound import OpenAIChatProvider
from gateway.wires.openai_chat.outbound.dialect import Dialect
from gateway.wires.reasoning_memory import ReasoningMemory
from tests.support.anthropic_answers import events as anthropic_events
from tests.support.anthropic_server import vendor_fault
from tests.support.cases import each_case
from tests.support.chats import ASKED
from tests.support.gemini_transcripts import TOOLS, read_all

GOLDEN = Path(__file__).parents[1] / "golden"
TABLE = GOLDEN / "table"
SCHEMAS = Path(__file__).parents[1] / "schemas"
REQUESTS = {path.stem: path for path in sorted((GOLDEN / "openai" / "requests").glob("*.json"))}
ANSWERS = {path.stem: path for path in sorted((GOLDEN / "openai" / "answers").glob("*.json"))}
CLAUDES = {path.stem: path for path in sorted((GOLDEN / "anthropic" / "answers").glob("*.json"))}
TARGETS: dict[str, tuple[Callable[[], OutboundWire], str]] = {
    "openai": (lambda: OpenAIChatProvider(Dialect("strict")), "gpt-5"),
    "gemini-2.5": (lambda: Gemini(ReasoningMemory()), "gemini-2.5-flash"),
    "gemini-3": (lambda: Gemini(ReasoningMemory()), "gemini-3-pro-preview"),
    "anthropic-4.5": (lambda: AnthropicMessagesProvider(ReasoningMemory()), "claude-sonnet-4-5"),
    "anthropic-5.5": (lambda: AnthropicMessagesProvider(ReasoningMemory()), "claude-opus-5-5"),
}
NOW = 1_800_000_000
CUSTOM = '"type":"custom"'
"""The client's types of a stream know no custom tools, though OpenAI has them."""


def check(name: str, found: str, table: Path = TABLE) -> None:
    """The row as it stands in the table."""
    path = table / name
    found = re.sub(r"\b(call_|chatcmpl-)[0-9a-f]{24}\b", r"\1GENERATED", found)
    if os.environ.get("GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(found.encode())
    known = path.read_bytes().decode()
    difference = "\n".join(difflib.unified_diff(known.splitlines(), found.splitlines(), "table", "found", lineterm=""))
    assert not difference, difference


@cache
def gemini_requests() -> jsonschema.Draft202012Validator:
    defs = json.loads((SCHEMAS / "gemini.json").read_text("utf-8"))["$defs"]
    return jsonschema.Draft202012Validator({"$ref": "#/$defs/GenerateContentRequest", "$defs": defs})


def pretty(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


@each_case("target", TARGETS)
@each_case("name", REQUESTS)
def test_a_request_becomes_this(name: str, target: str) -> None:
    make, model = TARGETS[target]
    try:
        rendered = make().render_request(
            OpenAIChatCallers().parse_request(REQUESTS[name].read_bytes()), model, Ask(usage=True)
        )
    except GatewayError as refused:
        check(f"requests/{name}.{target}.json", pretty({"refused": f"{type(refused).__name__}: {refused.message}"}))
        return
    body = json.loads(rendered.body)
    if target.startswith("gemini"):
        gemini_requests().validate(body)
    elif target.startswith("anthropic"):
        assert vendor_fault(body, new=target == "anthropic-5.5") is None
    check(f"requests/{name}.{target}.json", pretty({"body": body, "dropped": rendered.dropped}))


def whole(wire: OutboundWire, body: bytes, asked: Rendered) -> str:
    """What the caller gets of a whole answer, or of the failure in its place."""
    caller = OpenAIChatCallers()
    try:
        shown = caller.render_response(wire.parse_response(body, NOW, asked), ASKED, Naming("alias", usage=True))
    except GatewayError as failure:
        return pretty({"failure": type(failure).__name__, **json.loads(caller.render_error(failure))})
    ChatCompletion.model_validate(json.loads(shown))
    return pretty(json.loads(shown))


def streamed(wire: OutboundWire, events: list[bytes], asked: Rendered) -> str:
    """What the caller gets of a stream: its events, a line each."""
    decoder, encoder = wire.decoder(NOW, asked), OpenAIChatCallers().encoder(ASKED, Naming("alias", usage=True))
    out = b""
    for event in events:
        for chunk in decoder.feed(b"data: " + event + b"\r\n\r\n"):
            out += encoder.encode(chunk)
    for chunk in decoder.close():
        out += encoder.encode(chunk)
    if decoder.fault:
        out += encoder.error(decoder.fault)
    elif decoder.done:
        out += encoder.end()
    lines = [line.removeprefix("data: ") for line in out.decode().split("\n") if line]
    for line in lines:
        if line != "[DONE]" and CUSTOM not in line and "error" not in json.loads(line):
            ChatCompletionChunk.model_validate(json.loads(line))
    return "\n".join([*lines, ""])


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_of_openai_reads_so(name: str) -> None:
    check(
        f"answers/{name}.openai.json",
        whole(OpenAIChatProvider(), ANSWERS[name].read_bytes(), Rendered(b"", forced_tool="forced" in name)),
    )


@pytest.mark.parametrize("name", read_all("answers"))
def test_an_answer_of_gemini_reads_so(name: str) -> None:
    row = read_all("answers")[name]
    check(f"answers/{name}.gemini.json", whole(Gemini(ReasoningMemory()), row.sent.encode(), row.asked))


@each_case("name", read_all("streams"))
def test_a_stream_of_gemini_reads_so(name: str) -> None:
    row = read_all("streams")[name]
    wire = Gemini(ReasoningMemory())
    check(f"streams/{name}.gemini.txt", streamed(wire, [one.data for one in row.events], row.asked))


@each_case("name", read_all("streams"))
def test_the_events_of_a_stream_in_one_answer_read_so(name: str) -> None:
    """Whole: Google sends the same events as an array, where nobody asks for server-sent ones."""
    row = read_all("streams")[name]
    bodies: list[JsonValue] = row.bodies
    check(f"answers/{name}.stream.gemini.json", whole(Gemini(ReasoningMemory()), dumps(bodies), row.asked))


CLAUDE = Rendered(b"", tools=TOOLS, neutral=True)


@pytest.mark.parametrize("name", CLAUDES)
def test_an_answer_of_anthropic_reads_so(name: str) -> None:
    wire = AnthropicMessagesProvider(ReasoningMemory())
    check(f"answers/{name}.anthropic.json", whole(wire, CLAUDES[name].read_bytes(), CLAUDE))


@pytest.mark.parametrize("name", CLAUDES)
def test_a_stream_of_anthropic_reads_so(name: str) -> None:
    answer = json.loads(CLAUDES[name].read_bytes())
    sent = anthropic_events(answer) if answer["type"] == "message" else [answer]
    wire = AnthropicMessagesProvider(ReasoningMemory())
    check(f"streams/{name}.anthropic.txt", streamed(wire, [dumps(each) for each in sent], CLAUDE))


def test_every_row_is_of_a_fixture() -> None:
    rows = {path.name.split(".")[0] for path in TABLE.glob("*/*")}
    assert rows == {*REQUESTS, *ANSWERS, *CLAUDES, *read_all("answers"), *read_all("streams")}
