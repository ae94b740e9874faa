"""docs/providers.md lists every vendor that is known by name, with what its row in the code says."""

import re
from pathlib import Path
from typing import Final

from gateway.providers.vendors import VENDORS

PAGE: Final = Path(__file__).parent.parent / "docs/providers.md"
WIRES: Final = {"openai_chat": "OpenAI chat", "gemini": "Gemini", "anthropic_messages": "Anthropic Messages"}


def test_the_table_is_that_of_the_code() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("## Known by name")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (?:`(\w+)`|-) \| `(\S+)` \| (.+) \|$", section, re.MULTILINE)
    assert rows == [
        (
            name,
            vendor.key_env or "",
            vendor.endpoint,
            WIRES[vendor.wire]
            + (", or Responses (`api: responses`)" if vendor.responses else "")
            + (", or OpenAI chat (`api: openai`)" if vendor.compatible else ""),
        )
        for name, vendor in VENDORS.items()
        if name != "demo"
    ]
