"""An OpenAI request in our words, for a provider that speaks another wire."""

from gateway.core.chat import Prompt
from gateway.core.jsontext import JsonObject


def read(fields: JsonObject) -> Prompt:
    """The request in our words.

    Raises:
        InvalidRequest: naming the field in `param`.
    """
    raise NotImplementedError
