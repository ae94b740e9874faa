"""What of a provider's words is read and passed on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wires.failure_classes import MESSAGE_SHOWN, shortened


@pytest.mark.parametrize("before", [0, 1, MESSAGE_SHOWN - 9, MESSAGE_SHOWN - 8, MESSAGE_SHOWN - 7, MESSAGE_SHOWN])
def test_a_message_is_never_cut_within_a_word(before: int) -> None:
    """Half of a secret is not known for one, and so it would not be masked."""
    said = shortened("x" * (before - 1) + " " * bool(before) + "a-secret" + " y" * MESSAGE_SHOWN)
    assert len(said) <= MESSAGE_SHOWN
    assert not any("a-secret"[:length] in said for length in range(2, 8)) or "a-secret" in said


@given(st.text(st.sampled_from("ab \n\u2003"), max_size=60).map(lambda text: text * 100))
def test_what_is_passed_on_is_the_beginning(message: str) -> None:
    said = shortened(message)
    assert message.startswith(said) and len(said) <= MESSAGE_SHOWN
    assert said == message if len(message) <= MESSAGE_SHOWN else message[len(said) :][:1].isspace() or not said
