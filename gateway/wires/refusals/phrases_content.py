"""The phrases that no code hides: a refusal of the content, and a request that no waiting makes fit.

A refusal of the content is never carried to another provider, whatever status and code stand beside it.
"""

from typing import Final

from gateway.core.provider_failures import ContentRefused, ContextTooLong
from gateway.wires.refusals.rows import Phrase, said

_DENIED: Final = frozenset({401, 402})

BEFORE_CODES: Final[tuple[Phrase, ...]] = (
    *said(
        ContentRefused,
        "https://learn.microsoft.com/azure/ai-foundry/openai/concepts/content-filter, 2026",
        (
            r"content.?(filter|policy|policies|management|moderation|safety|security|exists risk)"
            r"(?!.{0,40}\b(must|should)\b)"
        ),
        unless=_DENIED,
    ),
    *said(
        ContentRefused,
        "https://github.com/QwenLM/qwen-code/issues/3145, 2026-04",
        r"(inappropriate|unsafe|harmful|prohibited|disallowed|objectionable|restricted|illegal) content",
        r"responsible ai",
        r"\bnsfw\b",
        r"high.?risk",
        r"datainspection",
        unless=_DENIED,
    ),
    *said(
        ContentRefused,
        "https://platform.openai.com/docs/guides/safety-best-practices, 2026",
        r"(our|the|a) safety (system|filter|polic|check|guideline|reason)",
        r"for safety reasons",
        r"guardrail.{0,20}(block|interven|reject|trigger)",
        r"(block|reject|flag|refus|declin|filter)\w*.{0,40}\b(safety|guardrail)",
        unless=_DENIED,
    ),
    *said(
        ContentRefused,
        "https://openrouter.ai/docs/api-reference/errors, 2026",
        r"(flag|requir|block|fail|reject|refus)\w*.{0,60}\bmoderation",
        r"\bmoderation.{0,40}(flag|block|fail|reject|refus|polic|error)",
        unless=_DENIED,
    ),
    *said(
        ContentRefused,
        "https://github.com/openai/codex/issues/7250, 2026-09",
        (
            r"\b(input|prompt|content|output|response|completion|message|text|image|answer)s?( was| were| is| has"
            r" been| have been|) (potentially |likely |automatically )?(flagged|blocked|filtered|moderated)\b"
        ),
        r"\bwas flagged (as|for|by)",
        unless=_DENIED,
    ),
    *said(
        ContentRefused,
        "https://github.com/UKGovernmentBEIS/inspect_ai/pull/2267, 2025-08",
        r"violat\w+ .{0,60}\b(usage|content|safety|acceptable.use|community) ?(polic|guideline|standard|rule|terms)",
        r"violat\w+ (our|openais|googles|the providers?) (\w+ )?polic",
        r"content (that|which) is not allowed",
        r"(usage|acceptable use|community) (polic\w+|guidelines?) violation",
        unless=_DENIED,
    ),
    *said(
        ContentRefused,
        "https://platform.minimax.io/docs/api-reference/errorcode, 2026",
        r"(input|output|content|prompt|text|image|contains?|message)\w*( \w+){0,3}(?<!case)[ -_]sensitive",
        r"sensitive (word|content|information|topic)",
        unless=_DENIED,
    ),
    *said(
        ContextTooLong,
        "https://github.com/cline/cline/issues/4971, 2025-07",
        r"request (is )?too large.{0,160}(per (minute|min)|\b[tr]pm\b).{0,60}limit:? \d+.{0,20}requested:? \d+",
        r"request too large for \S.{0,160}\b(per (minute|min)|tpm)\b",
    ),
    *said(
        ContentRefused,
        "https://docs.bigmodel.cn/cn/api/api-code, 2026",
        r"(?<!大小写)敏感(?!参数)",
        r"内容.{0,10}(违规|违法|不合规|不当|不合法|风险)",
        r"(违规|违法|不当|不安全|有害|不良).{0,8}(内容|信息)",
        r"内容安全",
        r"违禁词",
        r"内容审[核查]",
        r"审[核查](不|未)通过",
        r"未通过.{0,8}审[核查]",
        r"安全(审[核查]|策略|检测)",
    ),
)
