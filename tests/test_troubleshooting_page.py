"""docs/troubleshooting.md has a row for what the gateway can say: every line of its log that is a warning or worse,
every failure of a command, every warning about a configuration, and why it cannot listen.

The texts are read out of the code. A row need not repeat a text whole: a few words in a row that stand in it, as code,
are enough, so that a search finds them.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent
LEVELS: Final = frozenset({"warning", "error", "exception", "critical"})
FAILURES: Final = frozenset({"CommandFailed", "BindError", "_PortTaken", "NoRunDirectory"})
IN_A_ROW: Final = 4
"""Words of a text, as many as have to stand on the page side by side."""
PLACEHOLDER: Final = re.compile(r"%[sdg]|%\.\w+|\0")


def _shown() -> str:
    """All code of the page, with what stands for names and numbers as spaces."""
    text = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    return "\n".join(" ".join(each.split()) for each in re.findall(r"`([^`]+)`", text))


def _literal(value: ast.expr, function: ast.AST) -> str | None:
    """A text of the code, with NUL for what is put into it; None where it is not written in this function."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return value.value
    if isinstance(value, ast.JoinedStr):
        return "".join(str(each.value) if isinstance(each, ast.Constant) else "\0" for each in value.values)
    if isinstance(value, ast.Name):
        assigned = [
            each.value
            for each in ast.walk(function)
            if isinstance(each, ast.Assign)
            and each.lineno < value.lineno
            and any(isinstance(to, ast.Name) and to.id == value.id for to in each.targets)
        ]
        return _literal(assigned[-1], function) if assigned and not isinstance(assigned[-1], ast.Name) else None
    return None


def _said(call: ast.Call) -> ast.expr | None:
    """The argument that is a text for people, where the call is one that says something."""
    match call.func:
        case ast.Attribute(attr=level, value=holder) if level in LEVELS and "log" in ast.unparse(holder).lower():
            return call.args[0]
        case ast.Name(id=name) if name in FAILURES:
            return call.args[0]
        case ast.Name(id="Problem") if any(
            each.arg == "fatal" and isinstance(each.value, ast.Constant) and not each.value.value
            for each in call.keywords
        ):
            return call.args[1]
    return None


def _calls(node: ast.AST, around: tuple[ast.AST, ...] = ()) -> Iterator[tuple[ast.Call, tuple[ast.AST, ...]]]:
    """Each call below a node, with the functions that it is in."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call) and around:
            yield child, around
        is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        yield from _calls(child, (*around, child) if is_function else around)


def _texts() -> Iterator[tuple[str, str]]:
    for path in sorted(ROOT.glob("gateway/**/*.py")):
        for call, functions in _calls(ast.parse(path.read_text(encoding="utf-8"))):
            said = _said(call)
            for text in {_literal(said, function) for function in functions} if said is not None else ():
                if text and list(_pieces(text)):
                    yield f"{path.relative_to(ROOT).as_posix()}:{call.lineno}", text


def _pieces(text: str) -> Iterator[str]:
    """Runs of IN_A_ROW words; a part between two placeholders that is shorter counts as it is."""
    for part in PLACEHOLDER.split(text):
        words = part.split()
        for start in range(max(1, len(words) - IN_A_ROW + 1)):
            piece = " ".join(words[start : start + IN_A_ROW]).strip(" .:;,()")
            if len(piece) > 6:
                yield piece


@pytest.fixture(scope="module")
def texts() -> list[tuple[str, str]]:
    return sorted(set(_texts()))


def test_the_search_finds_texts_of_every_kind(texts: list[tuple[str, str]]) -> None:
    places = {place.rpartition(":")[0] for place, _ in texts}
    assert len(texts) > 70 and places >= {
        "gateway/reload.py",
        "gateway/commands/usage.py",
        "gateway/config/rules.py",
        "gateway/httpd/listening.py",
        "gateway/auth/tokens/file_lock.py",
    }


def test_what_the_gateway_says_is_on_the_page(texts: list[tuple[str, str]]) -> None:
    shown = _shown()
    assert [(place, text) for place, text in texts if not any(piece in shown for piece in _pieces(text))] == []
