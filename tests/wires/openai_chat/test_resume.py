"""The request that asks a model to continue a broken answer."""

import json

import pytest

from gateway.core.rendered import Ask
from gateway.core.text_end import anchor
from gateway.wires.continuation import TAIL
from gateway.wires.openai_chat.inbound import OpenAIChatCallers
from gateway.wires.openai_chat.outbound import OpenAIChatProvider
from tests.support.continuations import continued

INBOUND, OUTBOUND = OpenAIChatCallers(), OpenAIChatProvider()
QUESTION = {"role": "user", "content": "Why?"}
OPTIONS = {"stream": True, "temperature": 0.5}
ASKED = {"model": "best", **OPTIONS, "messages": [QUESTION]}
CODE = "Run it:\n```python\nd = {'n': {0}}\nprint(f'{d} <begin>')\n"
PROSE = "Water boils at a lower temperature on a high mountain, because the air is thinner there.\n\n"


@pytest.mark.parametrize(
    "so_far", [PROSE, CODE, PROSE * 2 + CODE, "Water boils "], ids=["prose", "code", "long", "short"]
)
def test_it_quotes_the_end_and_asks_to_begin_with_the_anchor(so_far: str) -> None:
    chat = INBOUND.parse_request(json.dumps(ASKED).encode())
    sent = json.loads(OUTBOUND.render_request(INBOUND.resume_request(chat, so_far), "m", Ask(usage=False)).body)
    question, said, request = sent.pop("messages")
    assert question == QUESTION
    assert said == {"role": "assistant", "content": so_far}
    assert request["role"] == "user"
    assert f"<tail>{so_far[-TAIL:]}</tail>" in request["content"]
    assert f"<begin>{anchor(so_far)}</begin>" in request["content"]
    assert continued(so_far + "the rest", so_far, request["content"]) == anchor(so_far) + "the rest"
    assert sent == {"model": "m", **OPTIONS}


def test_the_callers_request_stays_as_it_was() -> None:
    chat = INBOUND.parse_request(json.dumps(ASKED).encode())
    INBOUND.resume_request(chat, PROSE)
    assert json.loads(OUTBOUND.render_request(chat, "best", Ask(usage=False)).body) == ASKED
