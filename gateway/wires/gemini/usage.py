"""Reads the token counts of an answer: Google's five counts into the neutral form's four.

Source: https://ai.google.dev/api/generate-content#UsageMetadata.
"""

from gateway.core.answer import Usage
from gateway.core.strict_json import JsonValue
from gateway.wires.untrusted_fields import count, text


def read_usage(metadata: JsonValue) -> Usage | None:
    """The counts so far; None where there are none. Each event of a stream repeats and increases them.

    Google counts thoughts beside the candidates, and some servers of its wire include them there. Only the total shows
    which of the two it is. Cached tokens are included in the prompt's count by both.
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
        service_tier=text(metadata.get("serviceTier")).removeprefix("SERVICE_TIER_").lower() or None,
    )
