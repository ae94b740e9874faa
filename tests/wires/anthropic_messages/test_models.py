"""The list of models in Anthropic's shape, and its pages."""

from typing import Any

import pytest

from gateway.core.errors import InvalidRequest
from gateway.wires.anthropic_messages.inbound.models import page
from tests.validators import anthropic_answers as validate

NAMES = ("a", "b", "c", "d")


def listed(**query: str) -> Any:
    found = page(NAMES, 1_800_000_000, query)
    assert validate.of_models(found) == []
    return found


def test_a_model_has_what_clients_read() -> None:
    assert listed()["data"][0] == {
        "type": "model",
        "id": "a",
        "display_name": "a",
        "created_at": "2027-01-15T08:00:00Z",
        "lifecycle": "active",
    }


@pytest.mark.parametrize(
    ("query", "shown", "more"),
    [
        ({}, "abcd", False),
        ({"limit": "2"}, "ab", True),
        ({"limit": "2", "after_id": "b"}, "cd", False),
        ({"limit": "1", "after_id": "b"}, "c", True),
        ({"limit": "2", "before_id": "d"}, "bc", True),
        ({"before_id": "c"}, "ab", False),
        ({"after_id": "d"}, "", False),
        ({"after_id": "unknown"}, "abcd", False),
    ],
)
def test_a_page_is_next_to_the_model_that_is_named(query: dict[str, str], shown: str, more: bool) -> None:
    found = listed(**query)
    assert "".join(model["id"] for model in found["data"]) == shown
    assert (found["has_more"], found["first_id"], found["last_id"]) == (more, shown[:1] or None, shown[-1:] or None)


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "many", "٣", "9" * 5000])
def test_a_limit_that_is_no_number_of_models_is_refused(limit: str) -> None:
    with pytest.raises(InvalidRequest):
        listed(limit=limit)
