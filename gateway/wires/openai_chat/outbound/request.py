"""A chat request for a provider: passed on as it came, with the provider's own name for the model."""

from gateway.core.request import ChatRequest, Rendered
from gateway.core.strict_json import dumps
from gateway.wires.openai_chat.outbound import history


def render(chat: ChatRequest, model: str, *, ask_usage: bool, strict_history: bool = False) -> Rendered:
    """The body for a provider: what came, with its own name for the model.

    Args:
        chat: stays as it is, because the next candidate gets it too.
        model: the provider's name for it.
        ask_usage: a stream is asked for token counts even where the caller did not (the encoder keeps them from the
            caller then): without them the log could not tell what a stream has used.
        strict_history: the provider refuses messages that have more than OpenAI's API knows.
    """
    fields = {**chat.source.body, "model": model}
    dropped: tuple[str, ...] = ()
    if strict_history:
        fields["messages"], dropped = history.clean(fields.get("messages"))
    if chat.stream and ask_usage and not chat.wants_usage:
        options = fields.get("stream_options")
        fields["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
    return Rendered(dumps(fields), dropped, chat.choices)
