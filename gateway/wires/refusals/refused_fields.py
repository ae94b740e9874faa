"""The fields of a request that a refusal names as unknown or unsupported.

Servers differ in the fields that they know. Where one is refused by name, a request without it may pass, so the names
are kept beside the failure.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

_OPEN: Final = "[`'\"\u2018\u201c]"
_CLOSE: Final = "[`'\"\u2019\u201d]"
_PATH: Final = rf"{_OPEN}?(?<![\w.\]])(?P<path>[A-Za-z_][\w\[\].-]{{0,120}}(?: -> [\w\[\].-]{{1,60}}){{0,8}})"
_NOUN: Final = r"(?:argument|parameter|param|field|property|option|key|name)"
_UNKNOWN: Final = r"(?:unrecogni[sz]ed|unknown|unsupported|unexpected)"
_REFUSED: Final = r"(?:is|are) (?:unsupported|not (?:supported|recogni[sz]ed|permitted|allowed|known))"
_EXTRA: Final = r"(?:inputs?|fields?) (?:are |is )?not (?:permitted|allowed)"
_MORE: Final = re.compile(rf"{_CLOSE}?\s*(?:,|and)\s*{_OPEN}([A-Za-z_][\w.]{{0,80}})")
_PATTERNS: Final = (
    # "Unrecognized request argument supplied: user", "json: unknown field `x`", "unexpected keyword argument 'x'"
    rf"{_UNKNOWN}\s+(?:request\s+|keyword\s+)*{_NOUN}(?:\(s\)|s)?(?: supplied| provided)?\s*:?\s*\[?{_PATH}",
    # pydantic's "body -> n\n  Extra inputs are not permitted", and the other way round
    rf"{_PATH}{_CLOSE}?\s*[:\n]?\s*extra {_EXTRA}",
    rf"{_EXTRA}\W{{1,10}}.{{0,60}}?\bbody(?: -> |\.){_PATH}",
    r"'type': 'extra_forbidden', 'loc': \((?:'body', )?(?P<loc>[^)]{1,200})\)",
    # "property 'x' is unsupported", "'x' is not supported", "stream_options is not supported"
    rf"{_NOUN} {_PATH}{_CLOSE}? {_REFUSED}",
    rf"{_OPEN}(?P<path>[A-Za-z_]\w{{0,60}}){_CLOSE}(?: {_NOUN})? {_REFUSED}",
    rf"\b(?P<path>[a-z]+_[a-z_]{{1,60}})(?: {_NOUN})? {_REFUSED}",
    # "mistral does not support parameters: ['x']", JSON schema's "('x' was unexpected)"
    rf"(?:does not|doesn't|do not) support (?:the )?{_NOUN}s?:?\s*[\[{{]?\s*{_PATH}",
    r"\((?P<path>'\w{1,60}'(?:, '\w{1,60}'){0,20}) (?:was|were) unexpected",
    rf"{_PATH}{_CLOSE}?: {_UNKNOWN} {_NOUN}",
    rf"(?:不支持的?|未知的?|无法识别的?)(?:请求)?(?:参数|字段)\s*[:\uff1a]?\s*{_PATH}",
    rf"(?:参数|字段)\s*[:\uff1a]?\s*{_PATH}{_CLOSE}?\s*(?:不支持|不被支持|未知|无法识别)",
)
_NAMED_BY_CODE: Final = frozenset({"unsupportedparameter", "unknownparameter", "extraforbidden"})
_NO_NAMES: Final = frozenset(
    ("a", "an", "and", "are", "argument", "at", "body", "field", "for", "have", "in", "input", "is", "it", "json",
     "key", "model", "name", "of", "or", "parameter", "property", "request", "s", "supplied", "that", "the", "this",
     "to", "type", "value", "was", "with", "your")
)  # fmt: skip
"""Words that stand where a name is looked for."""
_LISTS: Final = frozenset({"messages", "tools", "contents", "input", "system"})
MAX_FIELDS: Final = 20
WORDS_READ: Final = 4_000
"""Characters of a refusal that are searched for names."""
_HINT: Final = re.compile(
    "un(?:supported|known|expected|recogni)|not (?:supported|permitted|allowed|known|support)|extra_forbidden"
    "|不支持|不被支持|未知|无法识别",
    re.IGNORECASE,
)
"""What a refusal by name has in any case; most refusals are none, and need no search."""


def refused_fields(text: str, codes: tuple[str, ...], param: str | None) -> tuple[str, ...]:
    """The names of the fields, each once.

    Args:
        text: the refusal's words.
        codes: its codes, as gateway.wires.refusals.rows.folded gives them.
        param: the field that the refusal names beside its words.
    """
    paths = list(_paths(text[:WORDS_READ])) if _HINT.search(text, 0, WORDS_READ) else []
    if param and _NAMED_BY_CODE.intersection(codes):
        paths.append(param)
    names = (_field(path) for path in paths)
    return tuple(dict.fromkeys(name for name in names if name))[:MAX_FIELDS]


def _paths(text: str) -> Iterator[str]:
    for pattern in _compiled():
        for found in pattern.finditer(text):
            parts = found.groupdict()
            if parts.get("loc"):
                yield ".".join(re.findall(r"[\w-]+", parts["loc"]))
                continue
            yield from re.findall(r"'(\w+)'", parts["path"]) or [parts["path"]]
            at = found.end("path")
            while more := _MORE.match(text, at):
                yield more[1]
                at = more.end(1)


@cache
def _compiled() -> tuple[re.Pattern[str], ...]:
    """Compiled when they are needed first, because a start should not pay for them."""
    return tuple(re.compile(pattern, re.IGNORECASE) for pattern in _PATTERNS)


def _field(path: str) -> str | None:
    """The field's own name: the first part of a path (`reasoning` of `reasoning.effort`), but inside lists of the
    conversation the last one (`cache_control` of `messages.0.content.0.cache_control`)."""
    parts = [part for part in re.split(r"[.\[\]]|->|\s", path) if part and not part.isdigit() and part != "body"]
    if not parts:
        return None
    name = parts[-1] if parts[0] in _LISTS else parts[0]
    name = name.strip("-")
    return name if re.fullmatch(r"[A-Za-z_][\w-]{0,63}", name) and name.lower() not in _NO_NAMES else None
