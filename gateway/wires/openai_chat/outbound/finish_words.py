"""The words by which servers of this wire end an answer: a closed list, as data.

OpenAI has five (https://platform.openai.com/docs/api-reference/chat/object, 2026-11). Servers that call themselves
compatible pass on the words of the model's own API.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from gateway.core.strict_json import JsonValue
from gateway.wires.finish_words import NO_FINISH, breaks_off, folded

_WORDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (
            "stop",
            "eos",  # Together, llama.cpp: docs.together.ai/reference/chat-completions, 2026-11
            "eos_token",  # TGI, watsonx: huggingface.co/docs/text-generation-inference, 2026-11
            "eos_found",  # LM Studio "eosFound": lmstudio.ai/docs/typescript/api-reference, 2026-11
            "stop_string_found",
            "end",
            "end_turn",  # Anthropic, Bedrock, xAI: docs.claude.com/en/api/messages, 2026-11
            "pause_turn",
            "stop_sequence",
            "stop_word",
            "word",  # llama.cpp `stop_type`: github.com/ggml-org/llama.cpp, tools/server/README.md, 2026-11
            "complete",  # Cohere: docs.cohere.com/reference/chat, 2026-11
            "completed",
            "endoftext",  # AI21: docs.ai21.com, 2026-11
            "end_of_text",
            "normal",  # Baidu: cloud.baidu.com/doc/qianfan, 2026-11
            "finished",
            "finish",
            "done",
        ),
        "stop",
    ),
    **dict.fromkeys(
        (
            "length",
            "limit",  # llama.cpp `stop_type`
            "max_tokens",  # Anthropic, Cohere, Google
            "max_output_tokens",
            "max_completion_tokens",
            "max_new_tokens",
            "max_length",
            "max_len",  # xAI "REASON_MAX_LEN": docs.x.ai, 2026-11
            "max_context",
            "max_output",
            "max_predicted_tokens_reached",  # LM Studio
            "context_length_reached",  # LM Studio
            "context_length_exceeded",
            "model_length",  # Mistral: docs.mistral.ai/api, 2026-11
            "model_context_window_exceeded",  # Anthropic, Bedrock, Z.ai: docs.z.ai/api-reference, 2026-11
            "token_limit",  # watsonx
            "error_limit",  # Cohere: the context is full
        ),
        "length",
    ),
    **dict.fromkeys(
        (
            "tool_calls",
            "tool_call",  # Cohere
            "tool_use",  # Anthropic, Bedrock
            "tool",
            "calls",
            "function_calls",
        ),
        "tool_calls",
    ),
    **dict.fromkeys(("function_call", "function"), "function_call"),
    **dict.fromkeys(
        (
            "content_filter",
            "content_filtered",  # Bedrock: docs.aws.amazon.com/bedrock/latest/APIReference, Converse, 2026-11
            "guardrail_intervened",  # Bedrock
            "safety",  # Google: ai.google.dev/api/generate-content#FinishReason, 2026-11
            "recitation",
            "language",
            "blocklist",
            "prohibited_content",
            "spii",
            "image_safety",
            "sensitive",  # Z.ai, MiniMax: docs.z.ai/api-reference/llm/chat-completion, 2026-11
            "refusal",  # Anthropic
            "content_policy_violation",
            "moderation",
            "blocked",
            "error_toxic",  # Cohere
        ),
        "content_filter",
    ),
}
"""OpenAI's word for each folded word."""


class FinishWord(Struct, frozen=True):
    """What a server's finish reason means.

    Attributes:
        reason: OpenAI's word; None where the answer goes on. "stop" for an unknown word.
        broken: the word says that the answer broke off.
        known: the word is in one of the lists.
    """

    reason: str | None
    broken: bool = False
    known: bool = True


GOES_ON: Final = FinishWord(None)
_BROKEN: Final = FinishWord(None, broken=True)
_UNKNOWN: Final = FinishWord("stop", known=False)
_KNOWN: Final[Mapping[str, FinishWord]] = {word: FinishWord(reason) for word, reason in _WORDS.items()}


def read_finish(value: JsonValue) -> FinishWord:
    """The meaning of a `finish_reason`, in any case and spelling."""
    if not isinstance(value, str):
        return GOES_ON
    found = _KNOWN.get(value)
    if found is not None:
        return found
    word = folded(value)
    if word in NO_FINISH:
        return GOES_ON
    return _KNOWN.get(word) or (_BROKEN if breaks_off(word) else _UNKNOWN)
