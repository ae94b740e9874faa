"""Where decoders of typed values are made.

msgspec finds out about a type when it is first decoded, and while it does, another thread that decodes the same type
reads what is half made and ends the process (0.22, seen with eight threads). So whatever several threads may decode has
a decoder that is made when its module is imported.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

GATEWAY = Path(__file__).parent.parent.parent / "gateway"
ONE_THREAD = {
    "commands/running_gateway.py": "a command has one thread",
    "config/loader.py": "the configuration is read first when the gateway starts, before it has threads",
}


def made_late() -> Iterator[tuple[str, int]]:
    """Every place where a type is decoded, or a decoder made, by a function: file and line."""
    for path in sorted(GATEWAY.rglob("*.py")):
        text = path.read_text("utf-8")
        functions = ast.walk(ast.parse(text)) if "msgspec" in text else iter(())
        for function in functions:
            if isinstance(function, ast.FunctionDef | ast.Lambda):
                for call in ast.walk(function):
                    if isinstance(call, ast.Call) and _makes_a_decoder(call):
                        yield path.relative_to(GATEWAY).as_posix(), call.lineno


def _makes_a_decoder(call: ast.Call) -> bool:
    name = ast.unparse(call.func)
    typed = any(each.arg == "type" for each in call.keywords) or len(call.args) > 1
    return name in ("msgspec.json.Decoder", "msgspec.msgpack.Decoder", "msgspec.convert") or (
        name in ("msgspec.json.decode", "msgspec.msgpack.decode") and typed
    )


def test_decoders_are_made_when_their_module_is_imported() -> None:
    late = list(made_late())
    assert [(file, line) for file, line in late if file not in ONE_THREAD] == []
    assert {file for file, _ in late} == set(ONE_THREAD)
