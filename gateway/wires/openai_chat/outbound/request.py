"""Renders a chat request for a provider: the source, with the provider's own name for the model.

Source: https://platform.openai.com/docs/api-reference/chat/create.
"""

from gateway.core.rendered import Ask, Rendered
from gateway.core.request import ChatRequest
from gateway.core.strict_json import dumps
from gateway.wires.openai_chat.outbound import history


def render(chat: ChatRequest, model: str, ask: Ask, *, strict_history: bool = False) -> Rendered:
    """The body for a provider.

    Args:
        chat: stays unchanged, because the next candidate gets it too.
        model: the provider's name for the model.
        ask: how this try is made. It asks a stream for token counts even where the caller did not, because the log
            needs them. The encoder then keeps them from the caller.
        strict_history: the provider refuses message fields that OpenAI's API does not have.
    """
    fields = {**chat.source.body, "model": model}
    dropped: tuple[str, ...] = ()
    if strict_history:
        fields["messages"], dropped = history.clean(fields.get("messages"))
    if chat.stream and ask.usage and not chat.wants_usage:
        options = fields.get("stream_options")
        fields["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
    return Rendered(dumps(fields), dropped=dropped, choices=chat.choices)
