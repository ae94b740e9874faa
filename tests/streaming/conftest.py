"""What the tests of streams share."""

import pytest

from gateway.streaming.relay import Relay


@pytest.fixture
def carried(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The streams that were added to relays."""
    added: list[object] = []
    add = Relay.add

    def counted(self: Relay, *stream: object) -> None:
        added.append(stream)
        add(self, *stream)  # type: ignore[arg-type]

    monkeypatch.setattr(Relay, "add", counted)
    return added
