"""Tool names for Gemini: legal, unique, and unchanged where they can be."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wires.gemini.tools import NAMES
from gateway.wires.tool_names import ToolNames

LEGAL = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}", re.ASCII)
odd = st.text(st.sampled_from("ab_1-/. é\n\ud800"), max_size=6)
long = st.builds(lambda start, end: f"{start}{'x' * 60}{end}", odd, odd)
names = st.one_of(odd, long, st.sampled_from(["a_b", "a b", "a/b", "_1", "1", "a" * 64, "a" * 65]))


@pytest.mark.parametrize("name", ["get_weather", "_x", "a.b:c-d", "A" * 64, "mcp__server__tool"])
def test_a_legal_name_stays(name: str) -> None:
    assert ToolNames(NAMES, [name, "another"]).sent(name) == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("server/tool", "server_tool"),
        ("7zip", "_7zip"),
        ("-x", "_-x"),
        ("two words", "two_words"),
        ("line\n", "line_"),
        ("", "_"),
        ("café", "caf_"),
    ],
)
def test_an_illegal_name_stays_readable(name: str, expected: str) -> None:
    assert ToolNames(NAMES, [name]).sent(name) == expected


def test_a_name_that_is_too_long_is_cut_and_told_apart_from_its_like() -> None:
    one, other = "x" * 64 + "1", "x" * 64 + "2"
    given_names = ToolNames(NAMES, [one, other])
    assert given_names.sent(one) != given_names.sent(other)
    assert given_names.sent(one).startswith("x" * 50)
    assert len(given_names.sent(one)) == NAMES.longest


def test_a_legal_name_keeps_its_own_whatever_the_order() -> None:
    given_names = ToolNames(NAMES, ["a b", "a/b", "a_b"])
    assert given_names.sent("a_b") == "a_b"
    assert len({given_names.sent(name) for name in ("a b", "a/b", "a_b")}) == 3


def test_a_name_of_the_history_that_no_tool_has_is_named_too() -> None:
    given_names = ToolNames(NAMES, ["known"])
    assert given_names.sent("gone") == "gone"
    assert given_names.sent("gone too") == "gone_too"


def test_a_legal_name_that_comes_too_late_does_not_become_another_tool() -> None:
    given_names = ToolNames(NAMES, ["a b"])
    assert given_names.sent("a_b") not in ("a_b", "")
    assert given_names.sent("a b") == "a_b"


@given(st.lists(names, max_size=8), st.lists(names, max_size=4))
def test_every_name_is_legal_its_own_and_the_same_each_time(known: list[str], later: list[str]) -> None:
    given_names = ToolNames(NAMES, known)
    asked = [*later, *known]
    sent = {name: given_names.sent(name) for name in asked}
    assert all(LEGAL.fullmatch(name) for name in sent.values())
    assert len(set(sent.values())) == len(sent)
    assert all(sent[name] == name for name in known if LEGAL.fullmatch(name))
    assert sent == {name: given_names.sent(name) for name in asked}
    again = ToolNames(NAMES, known)
    assert sent == {name: again.sent(name) for name in asked}
