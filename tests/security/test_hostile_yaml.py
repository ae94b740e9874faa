"""A configuration file is data: nothing in it runs, nothing in it grows, and no refusal of it shows what it holds.

The words of each refusal are golden files, and limits and secrets have their tests in tests/config/test_loader.py.
"""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.loader import ConfigError, parse
from gateway.providers import catalog

CANARY = "sk-canary-0123456789abcdef"
EXAMPLE = (Path(__file__).parents[2] / "config.example.yaml").read_bytes()
ENV = {"OPENAI_API_KEY": CANARY, "GEMINI_API_KEY": CANARY, "GATEWAY_KEY": CANARY}
KEY = f"providers: {{openai: {{apiKey: {CANARY}}}}}\n"
LAUGHS = "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
BAD = {
    "python/object": f"{KEY}gateway: !!python/object/apply:os.system ['touch HERE']\n",
    "python/object/new": f"{KEY}gateway: !!python/object/new:os.system ['touch HERE']\n",
    "python/name": f"{KEY}gateway: !!python/name:os.system ''\n",
    "python/module": f"{KEY}gateway: !!python/module:this ''\n",
    "binary": f"{KEY}gateway: {{host: !!binary aGk=}}\n",
    "set": f"{KEY}gateway: !!set {{a, b}}\n",
    "merge": f"x: &x {{port: 1}}\n{KEY}gateway: {{<<: *x}}\n",
    "laughs": f"a0: &a0 [x]\n{LAUGHS}{KEY}",
    "more aliases than anyone needs": f"{KEY}x: &x 1\ny: [{'*x, ' * 200}]\n",
    "an alias in itself": f"{KEY}x: &x [*x]\n",
    "a duplicate key": f"{KEY}gateway: {{port: 1}}\ngateway: {{port: 2}}\n",
    "a duplicate key in a provider": f"providers: {{openai: {{apiKey: {CANARY}, apiKey: {CANARY}2}}}}\n",
    "two documents": f"{KEY}---\n{KEY}",
    "deep lists": f"{KEY}x: {'[' * 1_000}{']' * 1_000}\n",
    "deep sections": KEY + "".join(f"{' ' * depth}a:\n" for depth in range(500)),
    "deep dashes": f"{KEY}x:\n{'- ' * 1_000}1\n",
    "a number of 5,000 digits": f"{KEY}gateway: {{port: {'1' * 5_000}}}\n",
    "a float of 5,000 digits": f"{KEY}gateway: {{requestTimeoutSeconds: {'1' * 5_000}.5}}\n",
    "infinity": f"{KEY}gateway: {{requestTimeoutSeconds: .inf}}\n",
    "not a number": f"{KEY}gateway: {{requestTimeoutSeconds: .nan}}\n",
    "Norway": f"{KEY}gateway: {{host: no}}\n",
    "octal": f"{KEY}gateway: {{port: 010}}\n",
    "sexagesimal": f"{KEY}gateway: {{port: 1:30}}\n",
    "hexadecimal": f"{KEY}gateway: {{port: 0x50}}\n",
    "binary digits": f"{KEY}gateway: {{port: 0b11}}\n",
    "underscores": f"{KEY}gateway: {{port: 8_080}}\n",
    "an exponent": f"{KEY}gateway: {{port: 1e3}}\n",
    "a boolean for a key": f"{KEY}gateway: {{yes: 1}}\n",
    "a date for a text": f"{KEY}gateway: {{host: 2001-01-01}}\n",
    "null for a port": f"{KEY}gateway: {{port: [~]}}\n",
    "a list for a key": f"{KEY}? [a, b]\n: 1\n",
    "a section for a key": f"{KEY}? {{apiKey: {CANARY}}}\n: 1\n",
    "a line end in a key": f'providers: {{openai: {{apiKey: "{CANARY}\\r\\nX-Evil: 1"}}}}\n',
    "a NUL": f"{KEY}gateway: {{host: \"\\0\"}}\n",
    "an escape without an end": f'{KEY}gateway: {{host: "\\x"}}\n',
    "half of a pair": f'{KEY}gateway: {{host: "\\ud800"}}\n',
    "a tab": f"{KEY}gateway:\n\tport: 1\n",
    "an unclosed quote": f"gateway: {{host: '\n{KEY}",
    "a reference to nothing": f"{KEY}gateway: {{host: ${{NOBODY_SET_THIS}}}}\n",
    "a reference without an end": f"{KEY}gateway: {{host: '${{OPENAI_API_KEY'}}\n",
    "a key where an address belongs": f"providers: {{openai: {{apiKey: k, apiEndpoint: {CANARY}}}}}\n",
    "a key within an address": f"providers: {{openai: {{apiEndpoint: 'https://u:{CANARY}@h/v1'}}}}\n",
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_without_a_word_of_what_it_holds(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sys.modules.pop("this", None)
    with pytest.raises(ConfigError) as caught:
        parse(BAD[name].encode("utf-8", "surrogatepass"), "config.yaml", env=ENV)
    words = str(caught.value)
    assert "canary" not in words and len(words) < 20_000
    assert all(fault.message.isprintable() for fault in caught.value.faults)
    assert not list(tmp_path.iterdir()) and "this" not in sys.modules


@given(st.data())
def test_any_damage_to_the_example_is_refused_or_read(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([EXAMPLE, EXAMPLE.replace(b"\n# ", b"\n").replace(b"\n  # ", b"\n  ")]))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 60)))
        other = st.binary(max_size=6) | st.sampled_from(
            [b"\n", b": ", b"- ", b"[", b"{", b"*a", b"&a ", b"!x ", b"'", b'"']
        )
        text = text[:start] + data.draw(other) + text[end:]
    try:
        parse(text, "config.yaml", env=ENV, checks=(catalog.check(ENV),))
    except ConfigError as error:
        assert error.faults and "canary" not in str(error)
