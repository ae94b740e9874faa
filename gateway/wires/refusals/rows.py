"""The rows of the table of refusals: evidence, its meaning, and where it was seen."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from gateway.core.provider_failures import ProviderFailure

Meaning = type[ProviderFailure]

_QUOTES: Final = re.compile("[`'\"\u201c\u201d\u2018\u2019*]|\\\\(?=[\"'])")
_NAMES: Final = re.compile(
    r"((?:function|tool|schema|name|property|parameter|argument|field|value)s?:? )(['\"`])[^'\"`]{1,80}\2",
    re.IGNORECASE,
)
_INPUTS: Final = re.compile(
    r"input_value=.*?(?:input_type=\w+|$)|['\"]input['\"]: .*?(?=['\"](?:ctx|url|type)['\"]|$)", re.DOTALL
)
"""The request's own values, as pydantic prints them."""


@dataclass(frozen=True, slots=True)
class Code:
    """An error code, a type or a reason.

    Attributes:
        word: as `folded` gives it, so that `InvalidApiKey` and `invalid_api_key` are one row.
        means: the failure's class.
        seen: the public source and the date.
    """

    word: str
    means: Meaning
    seen: str


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words of a message.

    Attributes:
        words: a regular expression for `plain` text, without regard to case.
        means: the failure's class.
        seen: the public source and the date.
        unless: the HTTP statuses beside which the words mean something else.
        without: a regular expression for words beside which they mean something else; "" for none.
    """

    words: str
    means: Meaning
    seen: str
    unless: frozenset[int] = frozenset()
    without: str = ""

    def fits(self, text: str, status: int | None) -> bool:
        """Whether the row applies to `plain` text beside an HTTP status, None where there is none."""
        return (
            status not in self.unless
            and _pattern(self.words).search(text) is not None
            and not (self.without and _pattern(self.without).search(text))
        )


def coded(means: Meaning, seen: str, words: str) -> Iterator[Code]:
    """Rows for codes, which are separated by spaces."""
    return (Code(folded(word), means, seen) for word in words.split())


def said(
    means: Meaning, seen: str, *words: str, unless: frozenset[int] = frozenset(), without: str = ""
) -> Iterator[Phrase]:
    """Rows for wordings of one source, with the exceptions that they have in common."""
    return (Phrase(each, means, seen, unless, without) for each in words)


def folded(code: str) -> str:
    """A code without the separators and the case in which servers differ, and without an AWS namespace
    (`com.amazon.coral.service#ThrottlingException`)."""
    return re.sub(r"[\W_]+", "", code.rpartition("#")[2]).lower()


def plain(text: str) -> str:
    """A message as phrases are matched on it: without quotes, with single spaces, and without what it repeats of the
    request. A function may be called `rate_limited`."""
    return re.sub(r"\s+", " ", _QUOTES.sub("", _NAMES.sub(r"\1", _INPUTS.sub("", text))))


@cache
def _pattern(words: str) -> re.Pattern[str]:
    """Compiled when the first error is read, because a start should not pay for it."""
    return re.compile(words, re.IGNORECASE | re.DOTALL)
