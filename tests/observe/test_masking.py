"""What the masker finds: by its rule, from the first moment on, and whatever it remembers."""

import re

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.secrets import MASK, Secret
from gateway.observe.masking import LONGEST_CLEAN, MAX_CLEAN, Masker

SHAPES = re.compile(
    r"\b(?:sk|gsk|xai|pk|rk)[-_][A-Za-z0-9_\-]{16,}|\bAIza[A-Za-z0-9_\-]{20,}|\bya29\.[A-Za-z0-9_\-.]+"
    r"|\beyJ[A-Za-z0-9_\-]{8,2000}\.[A-Za-z0-9_\-.]+|\bgh[pousr]_[A-Za-z0-9]{20,}"
)
"""The shapes in one plain pattern."""
PIECES = [
    "sk",
    "gsk",
    "xai",
    "pk",
    "rk",
    "AIza",
    "ya29",
    "eyJ",
    "ghp_",
    "ghr_",
    "gh",
    "-",
    "_",
    ".",
    "\n",
    " ",
    "\u00e9",
    "a",
]
TEXTS = st.lists(st.sampled_from([*PIECES, "a" * 8, "b" * 16, "c" * 20]), max_size=12).map("".join)


@given(TEXTS)
def test_the_shapes_of_keys_are_found_where_a_word_begins(text: str) -> None:
    assert Masker().mask(text) == SHAPES.sub(MASK, text)
    assert Masker().finds(text) is (SHAPES.search(text) is not None)


@given(st.lists(st.sampled_from(["token-1", "token-2", "token-3"]) | st.tuples(TEXTS, TEXTS), max_size=40))
def test_what_is_remembered_changes_no_answer(steps: list[str | tuple[str, str]]) -> None:
    masker, known = Masker(), set[str]()
    for step in steps:
        if isinstance(step, str):
            known.add(step)
            masker.add(Secret(step))
        for texts in [step] * 2 if isinstance(step, tuple) else [(each, "x") for each in ("token-1", "token-2")]:
            expected = Masker(map(Secret, known)).finds("\n".join(texts))
            assert masker.finds_again(texts) is expected


def test_a_secret_that_comes_while_a_text_is_searched_is_found_from_then_on() -> None:
    masker = Masker()

    class Meanwhile(tuple[str, ...]):
        """Texts; when they are first looked up, another thread adds a secret."""

        came = False

        def __hash__(self) -> int:
            if not self.came:
                self.came = True
                masker.add(Secret("token-1"))
            return super().__hash__()

    texts = Meanwhile(("model", "token-1"))
    masker.finds_again(texts)
    assert masker.finds_again(texts) and masker.finds_again(("model", "token-1"))


def test_only_so_many_texts_are_remembered_and_no_long_ones() -> None:
    masker = Masker()
    for number in range(3 * MAX_CLEAN):
        assert not masker.finds_again((f"model-{number}", "a" * LONGEST_CLEAN) if number % 2 else (f"model-{number}",))
    clean = vars(masker)["_known"].clean
    assert 0 < len(clean) <= MAX_CLEAN
    assert max(len("".join(texts)) for texts in clean) <= LONGEST_CLEAN
