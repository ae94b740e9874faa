"""The headers of a model call's reply that show what the gateway did."""

import re
from functools import lru_cache
from typing import Final

from gateway.core.errors import GatewayError
from gateway.core.records import login_name
from gateway.dispatch.call import Call
from gateway.dispatch.caller import Headers

CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
ESTIMATED_TOKENS: Final = ("x-gateway-tokens", "estimate")
"""The header of an answer whose token counts are an estimate, because its provider counts none."""
UNSAFE: Final = re.compile(r"[^!-$&-+\--<>-~]")
"""What is not printable ASCII, the blank, and what parts the entries of a list: comma, equals sign and percent."""


def error_code(error: GatewayError) -> str:
    """The code of an error in records. A provider's own code may be any text, and a prompt with it: then its type's."""
    return error.code if error.code and CODE.fullmatch(error.code) else type(error).code or type(error).type


def attempts_text(call: Call) -> str:
    """`openai@work/gpt-4=503,gemini/gemini-2.5-pro=200`; what would break the list is percent-encoded."""
    known, text = call.attempts_shown
    if known == len(call.attempts):
        return text
    entries = [
        f"{_header_safe(login_name(each.provider, each.account))}/{_header_safe(each.model)}"
        f"={_header_safe(each.outcome)}"
        for each in call.attempts
    ]
    text = ",".join(entries)
    call.attempts_shown = len(entries), text
    return text


def gateway_headers(call: Call) -> Headers:
    """The headers that show what happened: the queue, every attempt, who answered, what was dropped."""
    headers = [("x-gateway-queue-ms", str(round(call.queued * 1000)))]
    if call.attempts:
        headers.append(("x-gateway-attempts", attempts_text(call)))
    if call.target:
        headers.append(("x-gateway-provider", call.target.provider))
        if call.target.account:
            headers.append(("x-gateway-account", call.target.account))
        headers.append(("x-gateway-model", _header_safe(call.target.model)))
    if call.dropped:
        headers.append(("x-gateway-dropped", ",".join(call.dropped)))
    return tuple(headers)


@lru_cache(maxsize=256)
def _header_safe(text: str) -> str:
    if UNSAFE.search(text) is None:
        return text
    return UNSAFE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "replace")), text)
