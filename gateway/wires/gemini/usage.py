"""Token counts of an answer: Google's five into OpenAI's four.

Source: https://ai.google.dev/api/generate-content#UsageMetadata.
"""

from gateway.core.answer import Usage
from gateway.core.strict_json import JsonValue
from gateway.wires.untrusted_fields import count


def read_usage(metadata: JsonValue) -> Usage | None:
    """The counts so far, or None where there are none: every event of a stream repeats them, grown.

    Google counts thoughts beside the candidates and some servers that speak its wire count them among them; which it
    is can be told from the total alone. Tokens out of the cache are among the prompt's in both.
    """
    if not isinstance(metadata, dict) or not metadata:
        return None
    prompt = count(metadata.get("promptTokenCount")) + count(metadata.get("toolUsePromptTokenCount"))
    candidates = count(metadata.get("candidatesTokenCount"))
    thoughts = count(metadata.get("thoughtsTokenCount"))
    inclusive = count(metadata.get("totalTokenCount")) == prompt + candidates
    completion = candidates if inclusive else candidates + thoughts
    return Usage(
        prompt=prompt,
        completion=completion,
        cached=min(count(metadata.get("cachedContentTokenCount")), prompt),
        reasoning=min(thoughts, completion),
    )
