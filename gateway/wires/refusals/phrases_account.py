"""The phrases of keys, credit, failed generations and rates, and of places that a provider does not serve."""

from typing import Final

from gateway.core.provider_failures import (
    CredentialRefused,
    GenerationFailed,
    QuotaExhausted,
    RateLimited,
    Unavailable,
)
from gateway.wires.refusals.rows import Phrase, said

_BUSY: Final = frozenset({408, 429, 502, 503, 504, 529})
_NOT_DAILY: Final = frozenset({400, 404, 405, 413, 415, 422, 500, 503})

ACCOUNT: Final[tuple[Phrase, ...]] = (
    *said(
        CredentialRefused,
        "https://github.com/BerriAI/litellm/issues/23640, 2026-03",
        (
            r"\b(api|access|secret|subscription|auth\w*|bearer|x-api)[ _-]?(key|token|credential|header)"
            r"s?\b.{0,40}\b(invalid|not valid|incorrect|expired|not found|revoked|disabled|missing|wrong"
            r"|malformed|not recogni[sz]ed|does not exist|deleted|inactive|not set|required|not provided|blocked"
            r"|leaked)\b"
        ),
        unless=_BUSY,
    ),
    *said(
        CredentialRefused,
        "https://github.com/openai/codex/issues/1352, 2025-06",
        (
            r"\b(invalid|incorrect|wrong|expired|missing|no|unknown|bad|revoked|disabled|malformed"
            r"|unrecogni[sz]ed)( \w+)? ?(api|access|auth\w*|bearer|subscription|x-api|security|oauth)[ _-]?(key"
            r"|token|credential|header)s?\b"
        ),
        r"(invalid|no|missing|bad|expired|unable to find|could not \w+)( \w+)? ?credentials\b",
        (
            r"(did ?nt|did not|must|please|need to) provide( an?| your| the)? (valid )?"
            r"(api|access|auth\w*)[ _-]?(key|token)"
        ),
        r"could not resolve authentication",
        r"\binvalid_api_key\b",
        r"\bnot authorized\b",
        r"\b(invalid|wrong) key$",
        r"signature (verification failed|does not match|mismatch)",
        r"\b(jwt|session) (is |has )?(expired|invalid)",
        r"^invalid token( \(request id|$)",
        r"\bkey (is )?not valid$",
        r"missing( \w+){0,2} (authentication|bearer|authorization)\b|missing bearer",
        r"invalid (username|user name|login)( or password)?",
        unless=_BUSY,
    ),
    *said(
        CredentialRefused,
        "https://api-docs.deepseek.com/quick_start/error_codes, 2026",
        r"\bauthenti?cation (fail|error|required|was unsuccessful|is required|invalid)",
        r"authentication fails",
        r"\b(unauthori[sz]ed|unauthenticated)\b",
        r"not authenticated",
        r"invalid authenti?cation",
        (
            r"(security|access|auth\w*|jwt|id|bearer) token (included in the request )?(is |has |was |)(invalid"
            r"|expired|not valid)"
        ),
        r"token (has |is |)expired",
        r"permission[ _]denied",
        unless=_BUSY,
    ),
    *said(
        QuotaExhausted,
        "https://github.com/continuedev/continue/issues/9853, 2026-01",
        r"insufficient[ _.-]?(\w+ )?(quota|balance|credit|fund|money|account balance)",
        r"credit balance",
        r"\b(account|wallet|token) balance\b.{0,30}(low|insufficient|negative|zero|not enough|exhaust)",
        r"not enough (credit|balance|fund|quota|money)",
        r"nt have (any |enough )?credits|not have (any |enough )?credits",
        r"\b(no|zero|out of|run out of|ran out of) (\w+ )?(balance|funds|money)\b",
        r"\btrial (has |is |period )*(ended|expired|over)\b",
        r"subscription (is )?required|requires? (an? )?(active |paid )?subscription",
        r"non.?payment",
        r"\b(plan|subscription) (has |is )?(expired|ended|inactive)",
        r"\bkey (spend |credit |usage )?limit (exceeded|reached)",
        r"balance (is )?(too low|insufficient|not enough|exhausted)",
    ),
    *said(
        QuotaExhausted,
        "https://openrouter.ai/docs/api-reference/errors, 2026",
        (
            r"\b(out of|ran out of|run out of|no( more| remaining)?|exhausted|used( up)?( all)?|depleted|exceeded"
            r"|requires? more|purchase( more)?|add( more)?|buy( more)?|need more)( \w+){0,4} credits?\b"
        ),
        r"\bcredits?\b.{0,30}(exhausted|depleted|used up|exceeded|expired|ran out|too low|required|remaining)",
    ),
    *said(
        QuotaExhausted,
        "https://platform.openai.com/docs/guides/error-codes, 2026",
        (
            r"\bbilling\b.{0,30}(hard limit|limit|not active|inactive|disabled|required|details|issue|problem|not"
            r" enabled|to be enabled)"
        ),
        r"(enable|activate|set up|check)\w*.{0,30}\bbilling",
        r"payment (is )?(required|overdue|failed|method)",
        r"past due",
        r"\bunpaid\b",
        r"\boverdue\b",
        r"\barrear",
        r"top.?up\b",
        r"\brecharge\b",
    ),
    *said(
        QuotaExhausted,
        "https://docs.fireworks.ai/guides/quotas_usage/rate-limits, 2026",
        r"\baccount\b.{0,60}\b(suspended|in debt|not in good standing|frozen)",
        r"\bsuspended\b.{0,60}(spend|invoice|bill|payment|balance|account)",
        r"\b(spend\w*|usage|budget|monthly|weekly)\b.{0,12}(cap|limit|budget)\b.{0,60}(reach|exceed|exhaust|hit)",
        r"(exceed|reach|hit)\w*.{0,30}(budget|spend\w*|monthly|usage) ?(cap|limit|quota|budget)?\b(?! per min)",
    ),
    *said(
        QuotaExhausted,
        "https://help.aliyun.com/zh/model-studio/error-code, 2026",
        r"exceeded (your|the) (current )?quota",
        r"\bquota\b.{0,20}(exhausted|exceeded|used up|insufficient|not enough|depleted|reached)",
        r"(exceeded|exhausted|no|out of|over)( \w+){0,2} quota\b",
        r"free (tier|trial|quota|allocated quota)\b.{0,40}(exhausted|expired|ended|used|exceeded)",
        unless=frozenset({503}),
        without=r"(per.?minute|per.?second|\b[rt]pm\b)",
    ),
    *said(
        QuotaExhausted,
        "https://openrouter.ai/docs/api-reference/limits, 2026",
        (
            r"(limit|quota|requests?|usage|tokens?|models?)\b.{0,60}(per.?(day|week|month)|\bdaily\b|\bweekly\b"
            r"|\bmonthly\b|\b[rt]pd\b)"
        ),
        r"\b(daily|weekly|monthly|5.?hour|per.?day)\b.{0,40}(limit|quota|usage|cap|allowance)",
        unless=_NOT_DAILY,
    ),
    *said(
        GenerationFailed,
        "https://github.com/ollama/ollama/issues/12064, 2025-08",
        r"failed[ _]generation",
        (
            r"failed to (call a function|generate (valid )?json|validate json|parse (the )?(tool call(?! arg)"
            r"|function call(?! arg)|model.?s? (output|response)|generated))"
        ),
        r"error parsing (the )?(tool|function) call",
        r"(tool|function) call (could not be parsed|validation failed|parsing failed)",
        r"malformed (function|tool) call",
        unless=_BUSY,
    ),
    *said(
        GenerationFailed,
        "https://github.com/scriptit-fr/GenAIApp/pull/101, 2026-08",
        (
            r"\bmodel( has)? (generated|produced|returned|output|wrote|emitted).{0,40}(invalid|malformed|unpars"
            r"|not be parsed|incomplete|unexpected|empty|nothing|no content)"
        ),
        r"model (did not|didnt|failed to) (call|output|generate|produce|return)",
        r"generated (json|output|tool call).{0,40}(does not match|invalid|not be parsed|not valid)",
        r"during generation",
        r"failed to parse input at pos",
        r"(invalid|malformed) (tool|function) call (generated|produced|returned)",
        r"(could not|cannot|unable to|failed to) parse (the )?models? (response|output)",
        r"\bmodels? (response|output)\b.{0,20}(not be parsed|not valid|invalid|malformed|unpars)",
        r"generation failed",
        unless=_BUSY,
    ),
    *said(
        RateLimited,
        "https://github.com/LLM-Red-Team/kimi-cc/issues/41, 2025-08",
        r"\brate.?limit(ed|ing)?\b(?!.{0,20}\bmust\b)",
        r"too many (requests|concurrent|tokens, please wait)",
        r"throttl(ed|ing)",
        r"slow down",
        r"reduce (the |your )?(request )?(frequency|rate)\b",
        r"toomanyrequests",
        r"\brate (is )?(too (high|fast)|increased too)",
        r"\b(requests?|sending|calling).{0,20} too (quickly|fast|frequently|often)",
        r"reached (max|the max\w*) (request|concurren|rpm|tpm)",
        r"concurren(cy|t).{0,30}(limit|exceed|too many|reached)",
        r"(requests?|tokens) per (second|minute|min)\b",
        r"\b(rpm|tpm|qps|rps)\b.{0,20}(limit|exceed|reached)",
        r"(limit|exceed|reach)\w*.{0,30}\b(rpm|tpm|qps|rps)\b",
        r"request limit (reached|exceeded)",
        r"resource.{0,10}exhausted",
    ),
    *said(
        Unavailable,
        "https://ai.google.dev/gemini-api/docs/available-regions, 2026",
        r"(location|country|region|territory)\b.{0,20}\b(is |are )?not (supported|available|allowed)",
        r"not (available|supported) in your (country|region|location)",
        unless=frozenset({401, 402, 429}),
    ),
)
