"""Events of a provider's stream, with its faults as failures of the provider."""

from gateway.core.provider_failures import InvalidAnswer
from gateway.core.sse import Event, SseDecoder, SseTooLarge


def feed(events: SseDecoder, data: bytes) -> list[Event]:
    """The events that `data` completes.

    Args:
        events: of the stream; it cannot be used after a failure.
        data: as it came from the provider.

    Raises:
        InvalidAnswer: an event is larger than the decoder's limit.
    """
    try:
        return events.feed(data)
    except SseTooLarge as fault:
        raise InvalidAnswer(f"The provider's stream has an event that is too large: {fault}") from None
