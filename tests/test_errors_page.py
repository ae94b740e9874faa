"""docs/errors.md has every code that a caller can get, with its status on each API, and none that does not exist."""

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final, TypeAlias

from gateway.core import errors, provider_failures
from gateway.core.errors import GatewayError
from gateway.wires.anthropic_messages.inbound import errors as messages
from gateway.wires.openai_responses.inbound import errors as responses

ROOT: Final = Path(__file__).parent.parent
CHAT, RESPONSES, MESSAGES = range(3)
ELSEWHERE: Final = "-"
ON_ONE_API: Final = {
    "websocket_not_supported": RESPONSES,
    "response_not_found": RESPONSES,
    "previous_response_not_found": RESPONSES,
    "item_not_found": RESPONSES,
    "thread_unsupported_request": MESSAGES,
    "invalid_configuration": CHAT,
}
"""Codes of errors that only requests of one API can meet."""
ON_NONE: Final = {"caller_left"}
"""Nobody is there to read it: it stands in the log."""
ROW: Final = re.compile(r"^\| `(\w+)` \| ([\d-]+) \| ([\d-]+) \| (-|\d+ `\w+`) \| (.+) \| (.+) \|$", re.MULTILINE)

Row: TypeAlias = tuple[str, str, str, str]


def test_the_page_has_every_code_and_no_other() -> None:
    shown = {row[:4] for row in _rows()}
    built = {_row(error) for error in _errors()}
    assert {"missing": sorted(built - shown), "invented": sorted(shown - built)} == {"missing": [], "invented": []}


def test_a_row_is_never_written_twice() -> None:
    rows = _rows()
    assert len(rows) == len(set(rows)) == len([line for line in _page().splitlines() if line.startswith("| `")])


def test_codes_are_found_where_they_are_raised() -> None:
    """The search below finds the codes that no class has; without them the comparison would say nothing of those."""
    found = {error.code for error in _raised()}
    assert found >= {"unsupported_parameter", "item_not_found", "thread_unsupported_request"}


def _page() -> str:
    return (ROOT / "docs/errors.md").read_text(encoding="utf-8")


def _rows() -> list[tuple[str, ...]]:
    return ROW.findall(_page())


def _row(error: GatewayError) -> Row:
    code = error.code or "null"
    kind = json.loads(messages.render_error(error))["error"]["type"]
    statuses = (
        str(error.status),
        str(responses.status(error)),
        f"{messages.status(error)} `{kind}`",
    )
    if code in ON_NONE:
        return code, ELSEWHERE, ELSEWHERE, ELSEWHERE
    only = ON_ONE_API.get(code)
    chat, response, message = (text if only is None or only == api else ELSEWHERE for api, text in enumerate(statuses))
    return code, chat, response, message


def _errors() -> Iterator[GatewayError]:
    for module in (errors, provider_failures):
        for kind in vars(module).values():
            if isinstance(kind, type) and issubclass(kind, GatewayError) and kind is not GatewayError:
                yield kind("x")
    yield from _raised()


@cache
def _raised() -> tuple[GatewayError, ...]:
    """The errors that are raised with a code in place of their class's. The demo provider's are a provider's."""
    paths = [path for path in sorted(ROOT.glob("gateway/**/*.py")) if "demo" not in path.relative_to(ROOT).parts]
    texts = [text for path in paths if "code=" in (text := path.read_text(encoding="utf-8"))]
    return tuple(error for text in texts for error in _raised_in(ast.parse(text)))


def _raised_in(tree: ast.Module) -> Iterator[GatewayError]:
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
            kind = getattr(errors, call.func.id, None) or getattr(provider_failures, call.func.id, None)
            code = next((_text(each.value) for each in call.keywords if each.arg == "code"), None)
            if code and isinstance(kind, type) and issubclass(kind, GatewayError):
                yield kind("x", code=code)


def _text(value: ast.expr) -> str | None:
    """The text of a literal, or of a constant of the module that knows the codes of Messages."""
    if isinstance(value, ast.Name) and value.id.isupper():
        return str(vars(messages)[value.id])
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None
