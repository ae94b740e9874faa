"""The failure class of a provider's error: reads the table of gateway.wires.refusals.

The wires share this, because servers of one wire repeat the error texts of another, and a hub passes on those of all.
Evidence is read in the order in which it can be trusted: words that no code hides, codes, phrases, the status.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

from gateway.core.provider_failures import (
    ContentRefused,
    ContextTooLong,
    CredentialRefused,
    Evidence,
    InvalidAnswer,
    ProviderFailure,
    RequestRejected,
    TargetModelMissing,
    UnsupportedByModel,
)
from gateway.core.strict_json import JsonValue
from gateway.wires.refusals.error_body import ErrorBody
from gateway.wires.refusals.refused_fields import refused_fields
from gateway.wires.refusals.rows import Meaning, Phrase, folded, plain
from gateway.wires.refusals.statuses import BY_NAME, KEPT, TELLING, by_status
from gateway.wires.refusals.table import BY_CODE, ORDER, PHRASES, WORDS_BEFORE_CODES

MESSAGE_SHOWN: Final = 2_000
"""Characters of a provider's message that the caller gets."""
WORDS_READ: Final = 8_000
"""Characters of an error's words that are searched for phrases, which stand at its beginning."""
_AS_IT_CAME: Final = (RequestRejected, UnsupportedByModel, ContentRefused)
"""Failures that end at the caller as the provider wrote them."""
_OF_REQUEST: Final = (RequestRejected, UnsupportedByModel)
"""Failures that a request without a field may not meet."""
_OUR_CODE: Final = (ContextTooLong, CredentialRefused, TargetModelMissing)
"""Failures whose code clients act on, so it is the same whatever the provider calls it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What an error means.

    Attributes:
        means: the failure's class.
        by: the evidence that decided.
        status: the HTTP status, or the one that the error names; None where it names none.
    """

    means: Meaning
    by: Literal["words", "code", "phrase", "status", "nothing"]
    status: int | None


def read(status: int | None, error: ErrorBody) -> Reading:
    """What an error means.

    Args:
        status: the HTTP status of 400 or more; None inside an answer.
        error: its words.
    """
    codes = [folded(code) for code in error.codes]
    named = next((BY_NAME[code] for code in codes if code in BY_NAME), None)
    numbered = status or error.status
    known = numbered or named
    text = plain(error.text[:WORDS_READ])
    if means := _by_phrase(WORDS_BEFORE_CODES, text, numbered):
        return Reading(means, "words", known)
    coded = {BY_CODE[code] for code in codes if code in BY_CODE}
    if means := next((means for means in ORDER if means in coded), None):
        return Reading(means, "code", known)
    if means := _by_phrase(PHRASES, text, numbered):
        return Reading(means, "phrase", known)
    if known == 400 and (telling := next((BY_NAME[code] for code in codes if code in TELLING), None)):
        return Reading(by_status(telling), "code", known)
    if known is None:
        return Reading(InvalidAnswer, "nothing", None)
    return Reading(by_status(known) if known >= 400 else InvalidAnswer, "status", known)


def _by_phrase(phrases: tuple[Phrase, ...], text: str, status: int | None) -> Meaning | None:
    if not text:
        return None
    return next((row.means for row in phrases if row.fits(text, status)), None)


def failure(reading: Reading, error: ErrorBody, evidence: Evidence, otherwise: str) -> ProviderFailure:
    """The failure for an error.

    Args:
        reading: what it means.
        error: its words.
        evidence: the facts beside them.
        otherwise: the message where there are no words that can be shown.
    """
    means, status = reading.means, evidence.status
    as_it_came = issubclass(means, _AS_IT_CAME)
    keeps_status = status is not None and (400 <= status < 500 if as_it_came else _says(status, means))
    return means(
        shortened(error.message) or otherwise,
        evidence=evidence,
        param=error.param,
        code=error.code if _keeps_code(means, error.code) else None,
        type=error.kind if as_it_came or not _misleads(error.kind, means) else None,
        status=status if keeps_status else None,
        refused_fields=_refused_fields(error) if issubclass(means, _OF_REQUEST) else (),
    )


def _refused_fields(error: ErrorBody) -> tuple[str, ...]:
    return refused_fields(error.text, tuple(folded(code) for code in error.codes), error.param)


def _says(status: int, means: Meaning) -> bool:
    """Whether clients know from the status what the error means."""
    return by_status(status) is means and (500 <= status < 600 or status in KEPT)


def _keeps_code(means: Meaning, code: str | None) -> bool:
    """Whether the provider's code is told in place of ours: where it says more."""
    if means.code is None:
        return True
    return not (issubclass(means, _OUR_CODE) or code is None or code.isdigit() or _misleads(code, means))


def _misleads(name: str | None, means: Meaning) -> bool:
    """Whether a code or a type stands for a status that means something else."""
    status = BY_NAME.get(folded(name)) if name else None
    return status is not None and by_status(status) is not means


def holds_error(value: JsonValue, answer_keys: frozenset[str]) -> bool:
    """Whether JSON that stands in the place of an answer is an error.

    Args:
        value: an event of a stream, or a whole body.
        answer_keys: the keys of which an answer of the wire has at least one.
    """
    if isinstance(value, list):
        return bool(value) and holds_error(value[0], answer_keys)
    if not isinstance(value, dict):
        return False
    if value.get("error") or value.get("object") == "error":
        return True
    if (base := value.get("base_resp")) and isinstance(base, dict) and base.get("status_code"):
        return True
    if any(value.get(key) for key in answer_keys):
        return False
    return bool(value.get("errors")) or _says_no(value)


_NO_ERRORS: Final = frozenset(
    {None, 0, 200, "", "0", "200", "success", "Success", "ok", "OK", "queued", "pending", "processing"}
)


def _says_no(value: dict[str, JsonValue]) -> bool:
    """Whether an object without an answer has the words of an error: text in `detail`, or beside a code that is not
    that of success."""
    if value.get("detail"):
        return True
    code = next((code for key in ("code", "error_code", "status") if (code := value.get(key)) is not None), None)
    has_words = any(isinstance(value.get(key), str) and value[key] for key in ("message", "msg", "error_msg"))
    if isinstance(code, (str, int)):
        return has_words and code not in _NO_ERRORS
    return has_words and "msg" not in value


def shortened(message: str) -> str:
    """A provider's message, cut to MESSAGE_SHOWN characters between two words. A cut inside a word could leave half of
    a secret, which the masker would not recognize."""
    if len(message) <= MESSAGE_SHOWN:
        return message
    *_, last = re.split(r"\s", message[: MESSAGE_SHOWN + 1])
    return message[: MESSAGE_SHOWN + 1 - len(last)].rstrip()
