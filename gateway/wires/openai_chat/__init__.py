"""OpenAI chat completions, both halves.

Source: https://platform.openai.com/docs/api-reference/chat. Between a caller and a provider that both speak it the
JSON passes as it came; only what known servers get wrong and known clients break on is repaired.
"""

from typing import Final

WIRE: Final = "openai_chat"
ANSWER_OBJECT: Final = "chat.completion"
CHUNK_OBJECT: Final = "chat.completion.chunk"
