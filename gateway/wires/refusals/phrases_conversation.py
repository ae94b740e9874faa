"""The phrases of a conversation that is too long and of a model that is missing.

A count that is over a limit of input, prompt, tokens or context is common to them, not a sentence. A limit of the
output is another thing: that a model cannot write so much (phrases_cannot.py).
"""

from typing import Final

from gateway.core.provider_failures import ContextTooLong, TargetModelMissing
from gateway.wires.refusals.rows import Phrase, said

CONVERSATION: Final[tuple[Phrase, ...]] = (
    *said(
        ContextTooLong,
        "https://github.com/chathub-dev/chathub/issues/126, 2023-03",
        (
            r"\b(max(imum)?|models?|total|available|configured|allowed|supported) context (length|window|size"
            r"|limit)\b(?! must)"
        ),
        r"maximum context",
        r"context[_ ](length|window|size|limit).{0,20}(exceed|is only|overflow|limit of \d|of only)",
        r"context overflow",
        unless=frozenset({429}),
    ),
    *said(
        ContextTooLong,
        "https://github.com/continuedev/continue/issues/6080, 2025-06",
        (
            r"(exceed\w*|longer than|greater than|larger than|too (large|long|big) for|beyond|fit (in|into)"
            r"|overflow\w*|outside)[^.]{0,60}context (length|window|size|limit)"
        ),
        r"\b(exceed\w*|over|fit)\b.{0,30}\bcontext\b(?! must|=)",
        unless=frozenset({429}),
    ),
    *said(
        ContextTooLong,
        "https://github.com/whoz-oss/coday/issues/26, 2025-03",
        (
            r"\b(prompt|inputs?|conversation|chat history|context|history|input (text|prompt|message|sequence)s?)"
            r"( is| are| was|) (too (long|large|many tokens)|(exceeds?|exceeded) max(imum)? length)"
        ),
        unless=frozenset({429}),
    ),
    *said(
        ContextTooLong,
        "https://github.com/earendil-works/pi/issues/4943, 2026-05",
        (
            r"\b(max(imum)?|allowed|model) (prompt|input|input token|input sequence|sequence|token|allowed input)"
            r" (length|limit|count|size)s?\b(?! must)"
        ),
        unless=frozenset({429}),
    ),
    *said(
        ContextTooLong,
        "https://github.com/langgenius/dify/issues/32221, 2026-02",
        (
            r"input (length|token count|tokens?)\b(?!.{0,60} characters)[^.]{0,40}"
            r"(exceed|should be \[|longer than|more than|greater than|over the)"
        ),
        r"input length \d+",
        r"range of input length",
        r"\b(prompt|input|inputs) ?\(?\d[\d,]* tokens\)?",
        unless=frozenset({429}),
    ),
    *said(
        ContextTooLong,
        "https://github.com/huggingface/text-generation-inference/blob/main/router/src/validation.rs, 2026",
        (
            r"\b(prompt|input|inputs|messages|conversation|request|requested|total|number of|text)"
            r"\b[^.]{0,50}\btokens?\b[^.]{0,60}(exceed|cannot exceed|greater than|longer than|more than|larger"
            r" than|over the|must be <=|too large|configured context)"
        ),
        unless=frozenset({429}),
    ),
    *said(
        ContextTooLong,
        "https://github.com/MoonshotAI/kimi-cli/issues/2011, 2026",
        r"exceed(s|ed|ing)? [^.]{0,40}\b(model|input|prompt|context)[^.]{0,20}tokens? (limit|count|size)",
        r"exceed\w* [^.]{0,30}(max(imum)?|limit)[^.]{0,20}\b(input|prompt|context|number of) ?tokens",
        r"exceed\w* (the )?limit of \d+( tokens)?$",
        unless=frozenset({429}),
    ),
    *said(
        ContextTooLong,
        "https://docs.cohere.com/reference/errors, 2026",
        (
            r"\btoo many (input |prompt |context )?tokens\b(?!.{0,80}(wait|per (minute|min|day|second)|retry"
            r"|later|generate))"
        ),
        r"\d+ tokens > \d+ max",
        r"max(imum)? size: \d+ tokens",
        r"reduce (the |your )?(length|size) of (the |your )?(messages|prompt|input|conversation)",
        unless=frozenset({429}),
    ),
    *said(
        ContextTooLong,
        "https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/237, 2025",
        r"tokens? to keep from the initial prompt",
        r"current length is \d+ while limit is \d+",
        r"max input (characters|tokens) is \d+",
        r"prompt (has|contains|of) \d[\d,]* tokens",
        unless=frozenset({429}),
    ),
    *said(
        ContextTooLong,
        "https://github.com/earendil-works/pi/issues/129, 2025-12",
        (
            r"\b(prompt|input|message|request|text|sequence|conversation|context)s?\b.{0,20} (is|are) "
            r"(longer|larger|greater|too long)\b(?!.{0,60}characters).{0,40}(token|maximum|context|model)"
        ),
        r"exceed\w* (the )?max\w* (allowed )?(input )?tokens\b",
        (
            r"\b(prompt|conversation|input|messages)\b.{0,20} exceeds? (the )?(models? )?(limit|maximum|\d+ tokens)"
            r"(?!.{0,40}character)"
        ),
        r"\d+ input tokens\b.{0,40}limit",
        r"\btoken limit (is |was )?(reached|exceeded)(?!.{0,40}per.?(minute|day))",
        r"(length|sum|total) of (the )?(prompt|input)\b.{0,40}(greater|larger|more than|exceed)",
        r"supports? (only )?(up to|at most|a maximum of) \d+ (input|prompt|context) tokens",
        r"message you (submitted|sent) (is|was) too long",
        r"(prompt|input) tokens? too (long|large|many)",
        r"too (long|large) for (the |this )?model\b",
        r"tokens in (the )?(request|prompt|input|message).{0,20}(more|greater|larger|over|exceed)",
        r"input token count is \d+",
        r"max(imum)?[ _]((total|input)[ _])?tokens exceeded",
        r"exceed\w* n_ctx",
        r"request (is )?too large: \d+ tokens",
        r"inputs? must have (less|fewer) than \d+ tokens",
        unless=frozenset({429}),
    ),
    *said(
        TargetModelMissing,
        "https://github.com/RooCodeInc/Roo-Code/issues/439, 2025",
        (
            r"\b(model|deployment|engine)s?\b\S*( (?!output|response|produced|generated|returned|called|tried|requires"
            r"|expects|that|must|with)\S+){0,5}?,? ((does|do|did) ?(not|nt|n.t) exist|not exist|(is |was |were "
            r"|be |)not (be )?found|no longer (available|supported|served|exists)|(has been |was |is |are |been |)"
            r"(decommissioned|retired|discontinued|deprecated|shut ?down|sunset|removed|deleted)|(has )?reached"
            r" (its )?end.of.life|is not (a )?(valid|known|recogni[sz]ed)|is (unknown|invalid|disabled)|not"
            r" recogni[sz]ed)\b"
        ),
        unless=frozenset({429, 503, 529}),
    ),
    *said(
        TargetModelMissing,
        "https://github.com/continuedev/continue/issues/10322, 2026-02",
        (
            r"(not a (valid|known|recogni[sz]ed|supported)|unknown|no such|invalid|unsupported|unrecogni[sz]ed"
            r"|non.?existent)"
            r" model(?!_)( (id|name|identifier|specified|requested|selected|provided))?(?= ?$|[ ]?[:.,;(]|"
            r" (?!output|response|param|input|config|kwargs|type|value|message|option)\S)"
        ),
        unless=frozenset({429}),
    ),
    *said(
        TargetModelMissing,
        "https://github.com/tashfeenahmed/freellmapi/pull/1143, 2026-09",
        r"no models? (was |were |is |are )?(found|loaded|available|named|called|matching)",
        r"model (identifier|id|name) (is|was) (invalid|not valid|incorrect|wrong|unknown)",
        r"no (allowed )?(endpoints?|providers?)( are| is|) (found|available|configured) for",
        r"try pulling it",
        unless=frozenset({429}),
    ),
    *said(
        TargetModelMissing,
        "https://docs.together.ai/docs/error-codes, 2026",
        (
            r"\b(not|\w*nt|no|without) (have |has )?(access|permission|authori[sz]ed)\b.{0,40}\b(the |this |that"
            r" )?(requested )?model\b"
        ),
        r"unable to access (the )?model",
        (
            r"\bmodel( \S+)? is not (supported|available|enabled|accessible)(?! (with|for|in|when|to|on|by this)"
            r"\b|.{0,30}(current|moment|temporar))"
        ),
        r"(?<!temporarily )(?<!currently )not (available|supported) (by|for) any provider",
        r"model is not supported (when using|by any)",
        unless=frozenset({429, 503, 529}),
    ),
    *said(
        TargetModelMissing,
        "https://platform.moonshot.cn/docs/api/chat, 2026",
        (
            r"(could ?nt|could not|can ?not|cant|unable to|not) (find|found|locate)( the| a| any)?"
            r"( requested| specified)? model\b"
        ),
        r"no model (named|with)\b",
        r"model_not_(found|exist)",
        r"model id \S+( \S+){0,4} isnt supported",
        r"not found:? (the )?model\b",
        r"\bmodel not supported\b(?! (for|with|by))",
        r"\bmodels?\b.{0,60}not in (the )?(list|set) of",
        r"\bmodel( \S+)? isnt (available|supported|found)",
        (
            r"\bmodel( (?!currently|temporarily)\S+){0,2}( is)? not (available|hosted|deployed|served|accessible)\b"
            r"(?!.{0,40}(moment|later|temporar)| (with|when)\b| for (tool|image|vision|function))"
        ),
        unless=frozenset({429, 503, 529}),
    ),
)
