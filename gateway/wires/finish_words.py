"""What the words by which providers end an answer have in common: their spelling, and those that say that it broke off.

The words of a wire are a closed list in that wire's folder. A word that says that the answer broke off is known by its
stem, because every server has its own, and one that is not recognized would show half an answer as a whole one. A word
that is in neither passes as a stop beside the provider's own word, with a warning, because a new word for the regular
end must not fail every call. This module knows no field of any wire.
"""

import logging
import re
from typing import Final

NO_FINISH: Final = frozenset({"", "null", "none", "nil", "undefined", "not_finished", "unspecified"})
"""Folded values that stand for "no finish yet". "null": Qwen (help.aliyun.com/zh/model-studio/qwen-api-reference,
2026-11); not_finished: watsonx (cloud.ibm.com/apidocs/watsonx-ai, 2026-11)."""

_STEMS: Final = (
    "error",  # OpenRouter, Mistral, Cohere, TGI: openrouter.ai/docs/api/reference/overview, 2026-11
    "network",  # Z.ai "network_error": docs.z.ai/api-reference/llm/chat-completion, 2026-11
    "abort",  # vLLM, SGLang: docs.vllm.ai, RequestStatus.FINISHED_ABORTED, 2026-11
    "cancel",  # watsonx, Cohere "USER_CANCEL": docs.cohere.com/reference/chat, 2026-11
    "timeout",
    "timed_out",
    "time_out",
    "time_limit",  # watsonx; xAI "REASON_TIME_LIMIT": docs.x.ai, 2026-11
    "deadline",
    "insufficient",  # DeepSeek "insufficient_system_resource": api-docs.deepseek.com, 2026-11
    "resource",
    "overload",
    "unavailable",
    "capacity",
    "fail",
    "exception",
    "crash",
    "panic",
    "oom",
    "out_of_memory",
    "interrupt",
    "disconnect",
    "connection",
    "terminated",
    "killed",
    "preempt",
    "evict",
    "shutdown",
    "unload",  # LM Studio "modelUnloaded", Ollama "unload": lmstudio.ai/docs/typescript/api-reference, 2026-11
    "user_stop",  # LM Studio "userStopped"
    "incomplete",
    "unfinished",
    "broken",
    "malformed",  # Bedrock "malformed_model_output": docs.aws.amazon.com/bedrock, Converse, 2026-11
    "invalid",
    "unexpected",
    "truncated_by",
    "lost",
)
"""Parts of folded words that say that the answer broke off. A word of a wire's closed list comes before them."""
BROKEN: Final = frozenset({"other", "load", "failed", "dropped", "reset", "stalled", "expired", "throttled", "skipped"})
"""Folded words that say so as a whole. "other": Google; "load": Ollama's answer without a prompt."""

_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_BETWEEN: Final = re.compile(r"[\s.:-]+")
_PREFIX: Final = re.compile(r"^(?:(?:finish|stop|done|end)_?reason_+|reason_+)")
SHOWN: Final = 60
"""Characters of an unknown word that are shown."""

logger = logging.getLogger(__name__)


def folded(word: str) -> str:
    """A word as lists have it: lower case with underscores, without the name of its enumeration.

    `contentFilter`, `FinishReason.CONTENT_FILTER` and `content-filter` are all `content_filter`.
    """
    short = word[: 4 * SHOWN].strip()
    if not short.isupper():
        short = _CAMEL.sub("_", short)
    return _PREFIX.sub("", _BETWEEN.sub("_", short).lower()).strip("_")


def breaks_off(word: str) -> bool:
    """Whether a folded word says that the answer broke off."""
    return word in BROKEN or any(stem in word for stem in _STEMS)


def warn_unknown(word: str) -> str:
    """Log that an answer ended with an unknown word. Returns the word as it is shown to the caller."""
    shown = word[:SHOWN]
    logger.warning("a provider ended an answer with a finish reason that is not known: %s; it counts as a stop", shown)
    return shown
