"""A plain request, for tests of answers to which the request does not matter."""

from typing import Final

from gateway.core.request import ChatRequest
from gateway.core.source import RequestContext
from gateway.core.strict_json import dumps
from gateway.wires.openai_chat.inbound import OpenAIChatCallers

NO_CONTEXT: Final = RequestContext()
ASKED: Final[ChatRequest] = OpenAIChatCallers().parse_request(
    dumps({"model": "alias", "messages": [{"role": "user", "content": "Hi"}]})
)
