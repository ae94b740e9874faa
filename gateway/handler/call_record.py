"""The record of a call, from what the call knows at its end. This is the one place where records of calls are made."""

from gateway.core.answer import Usage
from gateway.core.errors import GatewayError
from gateway.core.records import UNKNOWN, CallRecord
from gateway.dispatch.call import Call
from gateway.handler.reply_headers import attempts_text, error_code


def record_of(call: Call, status: int, error: GatewayError | None) -> CallRecord:
    """The record of a call that is over.

    Args:
        call: the call.
        status: of its reply.
        error: what it ended with, if it failed.
    """
    provider, account, model = _last(call)
    input, cached, cache_write, output, reasoning = _tokens(call.usage)
    return CallRecord(  # by place: of more than 13 keywords Python would make a dictionary
        call.came,
        call.request_id,
        call.model,
        call.alias,
        provider,
        model,
        call.endpoint,
        status,
        error_code(error) if error else None,
        call.streamed,
        round(call.queued * 1000),
        None if call.first_content is None else round(call.first_content * 1000),
        round(call.age() * 1000),
        attempts_text(call),
        tuple(call.attempts),
        call.target is not None,
        input,
        cached,
        cache_write,
        output,
        reasoning,
        dropped=call.dropped,
        skipped_events=call.skipped_events,
        mended=call.mended,
        learned=call.learned,
        client=call.client.name,
        account=account,
    )


def refusal_of(  # noqa: PLR0913 - what is known of it, by place
    request_id: str, endpoint: str, at: float, status: int, error: GatewayError, *, client: str = ""
) -> CallRecord:
    """The record of a call that was refused before its body was looked at.

    Args:
        request_id: of the call.
        endpoint: the route that it came by.
        at: wall seconds.
        status: of its reply.
        error: why.
        client: the name of the client that asked.
    """
    code = error_code(error)
    return CallRecord(at, request_id, "", UNKNOWN, "", "", endpoint, status, code, False, 0, None, 0, client=client)


def _tokens(usage: Usage | None) -> tuple[int | None, int | None, int | None, int | None, int | None]:
    """Input, cached, cache_write, output and reasoning."""
    if usage is None:
        return None, None, None, None, None
    return usage.prompt, usage.cached, usage.cache_write, usage.completion, usage.reasoning


def _last(call: Call) -> tuple[str, str, str]:
    """The provider, the account and the model that answered; if none did, those that were asked last."""
    if call.target is not None:
        return call.target.provider, call.target.account, call.target.model
    if not call.attempts:
        return "", "", ""
    last = call.attempts[-1]
    return last.provider, last.account, UNKNOWN if call.invented else last.model
