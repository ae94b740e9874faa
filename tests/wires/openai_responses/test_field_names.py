"""What was left out is told in the names of this wire."""

import pytest

from tests.support.responses import callers


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("max_tokens", "max_output_tokens"),
        ("max_completion_tokens", "max_output_tokens"),
        ("reasoning_effort", "reasoning.effort"),
        ("response_format", "text.format"),
        ("response_format.json_schema.schema", "text.format.schema"),
        ("verbosity", "text.verbosity"),
        ("logprobs", "include.message.output_text.logprobs"),
        ("messages.name", "input.name"),
        ("messages.content.image_url.detail", "input.content.detail"),
        ("tools.function.parameters", "tools.parameters"),
        ("tools.file_search", "tools.file_search"),
        ("input.reasoning", "input.reasoning"),
        ("truncation", "truncation"),
        ("max_output_tokens", "max_output_tokens"),
    ],
)
def test_names(name: str, own: str) -> None:
    assert callers().field_name(name) == own
