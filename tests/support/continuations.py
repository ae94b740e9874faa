"""What a model says where it is asked to continue a broken answer."""

import re
from collections.abc import Mapping, Sequence

from tests.support.upstream_script import Request


def continued(text: str, so_far: str, asked: str) -> str:
    """A model that does as asked: it begins with the characters that the last message names, and goes on from there.

    Args:
        text: the whole answer.
        so_far: the assistant's message.
        asked: the user's message after it.
    """
    begin = re.search(".*\n<begin>(.*)</begin>", asked, re.DOTALL)
    assert begin is not None, f"not asked to begin with anything: {asked}"
    assert text.startswith(so_far) and so_far.endswith(begin[1])
    return begin[1] + text[len(so_far) :]


def answer_to(text: str, request: Request) -> str:
    """The same model, in OpenAI's wire: the whole text where it is not asked to continue."""
    messages: Sequence[Mapping[str, str]] = request.json()["messages"]
    if not is_continuation(request):
        return text
    assert [message["role"] for message in messages[-2:]] == ["assistant", "user"]
    return continued(text, messages[-2]["content"], messages[-1]["content"])


def is_continuation(request: Request) -> bool:
    """Whether the request asks to continue an answer."""
    return any(message["role"] == "assistant" for message in request.json()["messages"])
