"""The phrases of what only this model or server cannot do, and of a server that is at fault; the last rows of English.

What one model cannot do, another may: a parameter, tools, images, that many output tokens. What is wrong for every
model (a role that nobody has, a schema that is none) is not here.
"""

from typing import Final

from gateway.core.provider_failures import Unavailable, UnsupportedByModel
from gateway.wires.refusals.rows import Phrase, said

_NO_FAULT_OF_SERVER: Final = frozenset({401, 402, 403, 404, 429})
_ELSEWHERE: Final = frozenset({401, 402, 408, 429, 502, 503, 504, 529})
_BY_SERVER: Final = _ELSEWHERE | frozenset({403, 500})

CANNOT: Final[tuple[Phrase, ...]] = (
    *said(
        UnsupportedByModel,
        "https://github.com/NVIDIA/garak/issues/748, 2024-06",
        (
            r"\b(unsupported|unknown|unrecogni[sz]ed|unexpected) (request )?(keyword )?(parameter|argument|field"
            r"|property|key)s?\b"
        ),
        r"unknown name( \S+)? at\b",
        r"(extra|additional) (input|field|propert)\w*( are| is|) not (permitted|allowed)",
        (
            r"(parameter|property|argument|field)s?:?( \S+)? (is|are) (unsupported|not (supported|recogni[sz]ed"
            r"|permitted|allowed))"
        ),
        unless=_ELSEWHERE,
    ),
    *said(
        UnsupportedByModel,
        "https://github.com/ollama/ollama/issues/6027, 2024-07",
        r"\b(is|are|was) (currently )?not (currently )?(supported|enabled)\b",
        r"\b(is|are) unsupported\b",
        r"\b(does|do)( ?not|nt|n.t) (currently )?support\b",
        r"\bnot supported (by|with|for|in|on|when)\b",
        r"\bcan ?not (be )?(support|process|handle|accept|read)\w* (image|audio|video|tool|file|pdf)s?",
        r"unsupported (value|feature|modality|mime|media|image|file|tool|content type|response_format|audio|input)",
        unless=_BY_SERVER,
        without=r"\brole\b(?!.*\b(this|the|that) (model|deployment|endpoint))",
    ),
    *said(
        UnsupportedByModel,
        "https://ai.google.dev/gemini-api/docs/troubleshooting, 2026",
        (
            r"\b(system|developer|assistant|tool|function) (role|message|instruction|prompt)s?( is| are|) not"
            r" (supported|enabled|allowed|permitted)"
        ),
        unless=_BY_SERVER,
    ),
    *said(
        UnsupportedByModel,
        "https://github.com/dnakov/anon-kode/issues/2, 2025-03",
        r"no (endpoints?|providers?)( were| was|) (found|available) that (support|can|accept|match)",
        r"(is|are) only (supported|available) (by|for|with|on|in)",
        r"\bonly supports?\b",
        r"only works? (in|with|on)",
        r"\bat most 0 ",
        r"not a (multimodal|multi-modal|vision|chat|tool)\b",
        r"(text.?only|non.?vision) model",
        (
            r"\b(model|endpoint|deployment|provider|server)s?\b.{0,30}\b(can ?not|cant|(does|do) ?(not|nt)|unable to)"
            r" (\w+ )?(process|accept|handle|use|call|have|take|read|see|perform)\b"
            r".{0,30}(image|audio|video|vision|tool|function|file|pdf|document|stream|system|json)"
        ),
        r"(is|are) supported only\b",
        r"not (allowed|available|permitted|enabled) (for|with|on|in|by) (this|the) (model|endpoint|deployment)",
        r"\b(this|the) model requires\b",
        r"only \S+ is (allowed|supported) (for|by|with) (this|the) model",
        r"stream must be true|only streaming (is )?(supported|allowed)",
        r"model is text.?only",
        r"\bnot multi.?modal",
        r"only one (candidate|completion|choice)",
        r"cannot be combined",
        r"cannot both be",
        unless=_BY_SERVER,
    ),
    *said(
        UnsupportedByModel,
        "https://github.com/vllm-project/vllm/blob/main/vllm/entrypoints/openai/serving_chat.py, 2026",
        (
            r"\b(tool|image|vision|audio|video|function|json schema|json mode|file|streaming|pdf|reasoning|thinking)s?"
            r"( inputs?| calls?| calling| use| types?)? (is |are )?(unsupported|not (supported|available|allowed))\b"
        ),
        r"enable_thinking must be|thinking budget \d+ is invalid",
        r"unknown variant (image_url|image|input_image|input_audio|audio|file|video_url|input_file|developer)\b",
        r"requires? --\w",
        r"enable-auto-tool-choice",
        r"(use|set) max_completion_tokens instead",
        r"(image|audio|video|vision|tool|function|multi.?modal)\w*( input| calling| use)?s? (is|are) not available",
        unless=_ELSEWHERE,
    ),
    *said(
        UnsupportedByModel,
        "https://github.com/musistudio/claude-code-router/issues/644, 2025",
        (
            r"(max_(completion_|output_|new_)?tokens|maxoutputtokens|num_predict)"
            r"\b.{0,60}(too (large|high|big)|valid range|must be (<=|less than|at most|smaller)|should be (<="
            r"|less than|\[|between)|> ?\d+|exceed\w*|cannot be (greater|more|larger)|at most \d+|larger than"
            r"|greater than (\d|the model)|between \d+ and \d)"
        ),
        r"range of (max_(completion_|output_|new_)?tokens|maxoutputtokens|num_predict)",
        r"max\w* (allowed )?number of output tokens",
        r"max\w* output tokens\b.{0,30} is \d+",
        r"exceed\w* .{0,20}\bmax_(completion_|output_|new_)?tokens",
        r"supports? at most \d+ (completion|output) tokens",
        unless=_ELSEWHERE,
    ),
    *said(
        UnsupportedByModel,
        "https://github.com/tmc/langchaingo/issues/1355, 2025-08",
        (
            r"(temperature|top_p|top_k|reasoning.?effort|thinking.?\w*|verbosity|frequency_penalty|presence_penalty)\b"
            r".{0,40}(must be one of|only the default|must be (set to )?(1|default)\b|is deprecated for)"
        ),
        (
            r"\btemperature\b.{0,40}(<=|less than or equal to|between 0(\.0)? and|[\[(]0(\.0)?, ?|0(\.0)?\.\.)"
            r" ?1(\.0*)?(?![\d.]*\d)"
        ),
        r"only the default \(",
        unless=_ELSEWHERE,
    ),
    *said(
        UnsupportedByModel,
        "https://github.com/anomalyco/opencode/issues/24083, 2026",
        r"thought.?signature",
        r"reasoning_content\b.{0,80}(must be passed|is missing|missing in|required)",
        r"expected thinking or redacted_thinking",
        r"signature in thinking",
        unless=_ELSEWHERE,
    ),
    *said(
        UnsupportedByModel,
        "https://github.com/Upsonic/Upsonic/issues/176, 2024-06",
        r"\btools?\b.{0,30}(array too long|maximum number|maximum length|exceeds)",
        r"too many (tools|functions)\b",
        r"max\w* (number of )?(tools|functions)\b(?! must)",
        unless=_ELSEWHERE,
    ),
    *said(
        UnsupportedByModel,
        "https://docs.claude.com/en/api/errors, 2026",
        r"\b(payload|request|body|entity|content)\b( \w+)? (is )?too large",
        r"request (size )?exceeds the (max\w*|limit|allowed)",
        r"exceeds the maximum (request|body|payload)",
        r"request_too_large",
        unless=_ELSEWHERE,
    ),
)

AT_FAULT: Final[tuple[Phrase, ...]] = (
    *said(
        Unavailable,
        "https://github.com/MoonshotAI/Kimi-K2/issues/127, 2026-05",
        r"\bproviders?( is| are| were|) (temporarily |currently |)(unavailable|down)\b",
        r"^server error|server (had|has) an error|error while processing your request",
        r"(system|server) overload|\bunder maintenance|\bwarming up",
        r"\boverloaded\b",
        r"(at|over|no|out of|insufficient|lack of|exceed\w*) capacity",
        r"capacity (is |was |has been |)(exceeded|constrain|reached|unavailable)",
        r"no instances? (available|could)",
        unless=_NO_FAULT_OF_SERVER,
    ),
    *said(
        Unavailable,
        "https://github.com/vllm-project/vllm/issues/5901, 2024-06",
        (
            r"(temporarily|currently|service|server|backend|upstream|model|engine)( is| are| was|) (temporarily "
            r"|currently |)(unavailable|down|busy|not ready|loading|dead|unhealthy|unloaded)"
        ),
        r"(engine|worker|server|process)\w* (died|crashed|dead|has crashed)",
        r"model (has )?(crashed|unloaded)",
        r"no (healthy|available) (upstream|deployment|channel|instance|worker|backend|server|target)",
        unless=_NO_FAULT_OF_SERVER,
    ),
    *said(
        Unavailable,
        "https://github.com/genkit-ai/genkit/issues/6259, 2026",
        r"internal (server |service |)error",
        r"(bad|invalid) gateway",
        r"gateway time.?out",
        r"upstream.{0,30}(error|time.?d? ?out|timeout|fail|reset|disconnect)",
        r"idle timeout",
        r"(request|operation|connection|call) timed? ?out",
        r"connection (error|refused|reset|closed)",
        r"try again later",
        r"please retry shortly",
        r"unexpected (server )?error (occurred|has occurred)",
        unless=_NO_FAULT_OF_SERVER,
    ),
)
