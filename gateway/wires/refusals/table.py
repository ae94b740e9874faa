"""The table of refusals as it is read: the codes by their word, and the phrases in the order in which they count."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gateway.wires.refusals.codes import CODES
from gateway.wires.refusals.phrases_account import ACCOUNT
from gateway.wires.refusals.phrases_cannot import AT_FAULT, CANNOT
from gateway.wires.refusals.phrases_chinese import CHINESE
from gateway.wires.refusals.phrases_content import BEFORE_CODES
from gateway.wires.refusals.phrases_conversation import CONVERSATION
from gateway.wires.refusals.rows import Meaning, Phrase

BY_CODE: Final[Mapping[str, Meaning]] = MappingProxyType({row.word: row.means for row in CODES})
"""By the code as `rows.folded` gives it."""

WORDS_BEFORE_CODES: Final[tuple[Phrase, ...]] = BEFORE_CODES
"""What no code hides."""

PHRASES: Final[tuple[Phrase, ...]] = (*CONVERSATION, *ACCOUNT, *CHINESE, *CANNOT, *AT_FAULT)
"""What a code may overrule. The first row that fits counts, so the order of the rows is the order of the meanings where
two fit: context, model, key, credit, generation, rate, what a model cannot do, a fault of the server. A place that is
not served stands before what a model cannot do, because its words are those of a missing ability."""
