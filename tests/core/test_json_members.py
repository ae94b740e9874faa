"""One member of a JSON text is replaced, and no other byte changes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.json_members import with_first_member, with_member

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from(["model", "input", "m\\od}el", 'mo"del', "[", "모델"]), VALUES, max_size=5)
WRITTEN = st.tuples(st.sampled_from([None, 1, "\t"]), st.booleans(), st.sampled_from([(",", ":"), (" , ", " :  ")]))


def text_of(value: object, written: tuple[int | str | None, bool, tuple[str, str]]) -> bytes:
    indent, escaped, separators = written
    return json.dumps(value, indent=indent, ensure_ascii=escaped, separators=separators).encode()


@given(OBJECTS, st.text(st.characters(exclude_categories=["Cs"]), max_size=8), WRITTEN)
def test_only_the_member_changes(
    value: dict[str, object], new: str, written: tuple[int, bool, tuple[str, str]]
) -> None:
    text = text_of(value, written)
    changed = with_member(text, "model", new)
    if "model" not in value:
        assert changed is text
        return
    assert json.loads(changed) == {**value, "model": new}
    marked = text_of({**value, "model": "MARK"}, written).decode()
    before, after = marked.split('"MARK"') if marked.count('"MARK"') == 1 else (marked, "")
    if after:
        assert changed.startswith(before.encode()) and changed.endswith(after.encode())


@given(OBJECTS.map(lambda value: {name: each for name, each in value.items() if name != "model"}), WRITTEN)
def test_a_member_is_added_at_the_beginning(
    value: dict[str, object], written: tuple[int, bool, tuple[str, str]]
) -> None:
    text = text_of(value, written)
    changed = with_first_member(text, "model", "m")
    assert json.loads(changed) == {"model": "m", **value}
    assert next(iter(json.loads(changed))) == "model"


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        (b'{"model":"a","x":{"model":"a"}}', b'{"model":"new","x":{"model":"a"}}'),
        (b'{"model":null}', b'{"model":"new"}'),
        (b'{"model" : [1, {"b": "]}"}] , "x":1}', b'{"model" : "new" , "x":1}'),
        (b'{"mod\\u0065l":"a"}', b'{"mod\\u0065l":"new"}'),
        (b'{"model":"a","model":"b"}', b'{"model":"new","model":"new"}'),
        (b'\xef\xbb\xbf {"x":"\\"model\\":1","model":1e3}', b'\xef\xbb\xbf {"x":"\\"model\\":1","model":"new"}'),
        (b"{}", b"{}"),
        (b'{"x":"\\\\"}', b'{"x":"\\\\"}'),
    ],
)
def test_what_a_reader_could_mistake(text: bytes, changed: bytes) -> None:
    """A member in a string or below is none of this object; a name that is escaped, or given twice, is."""
    assert with_member(text, "model", "new") == changed
