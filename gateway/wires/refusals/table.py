"""The table of refusals as it is read: the codes by their word, and the phrases in the order in which they count."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gateway.core.provider_failures import (
    ContentRefused,
    ContextTooLong,
    CredentialRefused,
    GenerationFailed,
    QuotaExhausted,
    RateLimited,
    TargetModelMissing,
    Unavailable,
    UnsupportedByModel,
)
from gateway.wires.refusals.codes import CODES
from gateway.wires.refusals.phrases_account import ACCOUNT
from gateway.wires.refusals.phrases_cannot import AT_FAULT, CANNOT
from gateway.wires.refusals.phrases_chinese import CHINESE
from gateway.wires.refusals.phrases_content import BEFORE_CODES
from gateway.wires.refusals.phrases_conversation import CONVERSATION
from gateway.wires.refusals.rows import Meaning, Phrase

ORDER: Final[tuple[Meaning, ...]] = (
    ContentRefused,
    ContextTooLong,
    TargetModelMissing,
    CredentialRefused,
    QuotaExhausted,
    GenerationFailed,
    RateLimited,
    UnsupportedByModel,
    Unavailable,
)
"""The meanings in the order in which they count where two fit. A refusal of the content is never carried to another
target, so it is first; then what holds for longer before what passes."""
BY_CODE: Final[Mapping[str, Meaning]] = MappingProxyType({row.word: row.means for row in CODES})
"""By the code as `rows.folded` gives it."""

WORDS_BEFORE_CODES: Final[tuple[Phrase, ...]] = BEFORE_CODES
"""What no code hides."""

PHRASES: Final[tuple[Phrase, ...]] = (*CONVERSATION, *ACCOUNT, *CHINESE, *CANNOT, *AT_FAULT)
"""What a code may overrule. The first row that fits counts, so the rows stand in ORDER, those in Chinese behind those
of an account. A place that is not served stands before what a model cannot do, because its words are those of a missing
ability."""
