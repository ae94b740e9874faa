"""The table of translations for Messages callers: golden requests to every target, golden answers back to them.

The rows are files in golden/messages_table, made as those of test_golden_table, which says how they are written anew.
"""

import json
import re
from collections.abc import Iterable

import pytest

from gateway.core.errors import GatewayError
from gateway.core.rendered import Ask, Rendered
from gateway.core.strict_json import dumps
from gateway.wires.anthropic_messages.inbound import AnthropicMessagesCallers
from gateway.wires.base import Naming, OutboundWire
from gateway.wires.gemini import Gemini
from gateway.wires.openai_chat.outbound import OpenAIChatProvider
from gateway.wires.reasoning_memory import ReasoningMemory
from tests.support.cases import each_case
from tests.support.gemini_transcripts import read_all
from tests.validators import anthropic_answers as validate
from tests.wires.test_golden_table import ANSWERS, GOLDEN, NOW, TARGETS, check, gemini_requests, pretty

CALLERS = AnthropicMessagesCallers()
NAMING = Naming("alias", usage=True)
TABLE = GOLDEN / "messages_table"
REQUESTS = {path.stem: path for path in sorted((GOLDEN / "anthropic" / "requests").glob("*.json"))}
ASKED = CALLERS.parse_request(
    dumps(
        {
            "model": "alias",
            "max_tokens": 9,
            "thinking": {"type": "adaptive"},
            "messages": [{"role": "user", "content": "Hi"}],
        }
    )
)
GENERATED = ((r"\b(msg_)[0-9a-f]{24}\b", r"\1GENERATED"), (r"(gw1\.)[0-9a-f]{32}", r"\1GENERATED"))


def check_row(name: str, found: str) -> None:
    """The row as it stands in the table."""
    for pattern, shown in GENERATED:
        found = re.sub(pattern, shown, found)
    check(name, found, TABLE)


@each_case("target", TARGETS)
@each_case("name", REQUESTS)
def test_a_request_becomes_this(name: str, target: str) -> None:
    make, model = TARGETS[target]
    row = f"requests/{name}.{target}.json"
    try:
        rendered = make().render_request(CALLERS.parse_request(REQUESTS[name].read_bytes()), model, Ask(usage=True))
    except GatewayError as refused:
        check_row(row, pretty({"refused": f"{type(refused).__name__}: {refused.message}"}))
        return
    body = json.loads(rendered.body)
    if target.startswith("gemini"):
        gemini_requests().validate(body)
    dropped = [CALLERS.field_name(field) for field in rendered.dropped]
    check_row(row, pretty({"body": body, "dropped": dropped}))


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_of_openai_reads_so(name: str) -> None:
    row = f"answers/{name}.openai.json"
    check_row(row, whole(OpenAIChatProvider(), ANSWERS[name].read_bytes(), Rendered(b"", neutral=True)))


@pytest.mark.parametrize("name", read_all("answers"))
def test_an_answer_of_gemini_reads_so(name: str) -> None:
    row = read_all("answers")[name]
    check_row(f"answers/{name}.gemini.json", whole(Gemini(ReasoningMemory()), row.sent.encode(), row.asked))


@each_case("name", read_all("streams"))
def test_a_stream_of_gemini_reads_so(name: str) -> None:
    row = read_all("streams")[name]
    streamed = stream(Gemini(ReasoningMemory()), (one.data for one in row.events), row.asked)
    check_row(f"streams/{name}.gemini.txt", streamed)


def whole(wire: OutboundWire, body: bytes, asked: Rendered) -> str:
    """What the caller gets of a whole answer, or of the failure in its place."""
    try:
        shown = CALLERS.render_response(wire.parse_response(body, NOW, asked), ASKED, NAMING)
    except GatewayError as failure:
        return pretty({"failure": type(failure).__name__, **json.loads(CALLERS.render_error(failure))})
    message = json.loads(shown)
    assert validate.of_message(message) == []
    return pretty(message)


def stream(wire: OutboundWire, events: Iterable[bytes], asked: Rendered) -> str:
    """What the caller gets of a stream: its events, a line each."""
    decoder, encoder = wire.decoder(NOW, asked), CALLERS.encoder(ASKED, NAMING)
    chunks = [chunk for event in events for chunk in decoder.feed(b"data: " + event + b"\r\n\r\n")]
    chunks += decoder.close()
    out = b"".join(encoder.encode(chunk) for chunk in chunks)
    if decoder.fault:
        out += encoder.error(decoder.fault)
    elif decoder.done:
        out += encoder.end()
    if decoder.fault or decoder.done:
        assert validate.of_stream(out, complete=decoder.fault is None) == []
    return "".join(f"{json.dumps(event, ensure_ascii=False)}\n" for _, event in validate.events_of(out))


def test_every_row_is_of_a_fixture() -> None:
    rows = {path.name.split(".")[0] for path in TABLE.glob("*/*")}
    assert rows == {*REQUESTS, *ANSWERS, *read_all("answers"), *read_all("streams")}
