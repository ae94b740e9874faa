"""`explain`: shows how a model name would be routed now, from the running gateway or without one.

Only a running gateway knows which targets have a cooldown, which have room in their limits, and how fast each has been.
Where none answers at the configured address, this command builds the same parts, asks them before any call, and shows
that it did. It asks no provider, no login server and no command.
"""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import msgspec

from gateway.assembly import Assembly
from gateway.commands.console import one_line, utc_time
from gateway.commands.running_gateway import address, ask, asking
from gateway.config import schema
from gateway.config.loader import Loaded
from gateway.core.clock import Clock
from gateway.core.durations import in_words, plural
from gateway.core.errors import ModelNotFound
from gateway.core.program import command
from gateway.dispatch.explanation import CHAT, CandidateView, CredentialView, Explanation, HowAsked
from gateway.limits.slots import RowStatus
from gateway.routing.router import ROUTE_HINT
from gateway.runtime import Runtime

MAX_ALIASES: Final = 20
"""Aliases that a message names."""
TURNS: Final[Mapping[HowAsked, str]] = {
    "in order": "asked if those before it fail",
    "in line": "has no room now: asked after the others, in line",
    "forced": "resting: asked all the same if nobody else is left",
}


@dataclass(frozen=True, slots=True)
class Explained:
    """An explanation and its origin.

    Attributes:
        explanation: the explanation.
        url: the running gateway's address; None where no gateway answered.
        doubt: the fault of another answer from that address; None where there was none.
    """

    explanation: Explanation
    url: str | None
    doubt: str | None


def explain(model: str, loaded: Loaded, environ: Mapping[str, str], clock: Clock, endpoint: str = CHAT) -> Explained:
    """Ask the gateway that runs on the configured address, else this configuration.

    Raises:
        ModelNotFound: no alias and no provider has that name.
    """
    try:
        return _explain(model, loaded, environ, clock, endpoint)
    except ModelNotFound as unknown:
        reason = unknown.message.removesuffix(ROUTE_HINT)  # this is no caller of the API
        raise unknown.with_message(f"{reason} {_next_step(loaded)}") from None


def _explain(model: str, loaded: Loaded, environ: Mapping[str, str], clock: Clock, endpoint: str) -> Explained:
    settings = asking(loaded.config)
    answer = ask(model, settings, endpoint) if settings.port else None
    if isinstance(answer, Explanation):
        return Explained(answer, address(settings), None)
    runtime = Runtime(environ, threads=settings.threads, clock=clock)
    with closing(Assembly(loaded, runtime, port=settings.port)) as assembly:
        assembly.apply()
        return Explained(assembly.explainer.explain(model, endpoint), None, answer)


def _next_step(loaded: Loaded) -> str:
    """What to do where a model is unknown; a sentence or two."""
    known = [alias.alias for alias in loaded.config.model_aliases]
    more = f" and {len(known) - MAX_ALIASES} more" if len(known) > MAX_ALIASES else ""
    names = ", ".join(known[:MAX_ALIASES]) + more
    providers = ", ".join(name for name, each in loaded.config.providers.items() if each.enabled)
    if loaded.path is None:
        return (
            f"There is no configuration file, only {names}, and PROVIDER/MODEL of {providers}. Write a file by"
            f" `{command('init')}`, or copy config.example.yaml to config.yaml, and add the model."
        )
    if not providers:
        return f"{loaded.path.name} has no enabled provider: add one under providers."
    aliases = f"Its aliases: {names}. " if names else ""
    return f"It is looked for in {loaded.path.name}. {aliases}Or name PROVIDER/MODEL; its providers: {providers}."


def as_text(shown: Explained, settings: schema.Gateway, now: float) -> str:
    """For people.

    Args:
        shown: the explanation.
        settings: of the configuration at hand.
        now: wall seconds.
    """
    explanation = shown.explanation
    rules = f"whenLimited: {explanation.when_limited}, streamRecovery: {explanation.stream_recovery}"
    if explanation.strategy != "priority":
        rules += f", strategy: {explanation.strategy}"
    asked_for = "" if explanation.endpoint == CHAT else f" at {explanation.endpoint}"
    lines = [f"{explanation.model}{asked_for} ({rules})", *_origin(shown, settings)]
    for number, candidate in enumerate(explanation.candidates, start=1):
        lines.append(f"{number}. {candidate.login}/{candidate.model}: {_turn(candidate, number)}")
        lines.extend(f"   {each}" for each in _details(candidate, now))
    if explanation.sharing is not None:
        lines.append(f"limits: {one_line(explanation.sharing.in_words())}")
    if explanation.clients:
        lines.append(f"clients that may ask for it: {', '.join(map(one_line, explanation.clients))}")
    lines.extend(f"not asked: {each.provider}/{each.model}: {each.why}" for each in explanation.left_out)
    return "\n".join(lines)


def as_json(shown: Explained) -> str:
    """For machines: the explanation, and the running gateway's address or null."""
    fields = {"gateway": shown.url, **msgspec.to_builtins(shown.explanation)}
    return msgspec.json.format(msgspec.json.encode(fields), indent=2).decode()


def _origin(shown: Explained, settings: schema.Gateway) -> Iterator[str]:
    if shown.url is not None:
        number = shown.explanation.generation
        where = shown.explanation.configuration or "none"
        generation = "" if number is None else f", generation {number}"
        yield f"as the running gateway at {shown.url} says (configuration: {where}{generation})"
        return
    if shown.doubt is not None:
        yield f"warning: no gateway could be asked at {address(settings)}: {shown.doubt}"
    else:
        yield f"no gateway runs at {address(settings)}"
    where = shown.explanation.configuration or "no configuration file"
    yield f"as one that starts now would do it ({where}); who is resting, and who has room, only a running one knows"


def _turn(candidate: CandidateView, number: int) -> str:
    if number > 1 or candidate.turn != "in order":
        return TURNS[candidate.turn]
    if any(row.wait > 0 for row in candidate.limits):
        return "asked first, in line at its rate limit"
    return "asked first"


def _details(candidate: CandidateView, now: float) -> Iterator[str]:
    if candidate.order:
        yield f"order: {candidate.order}"
    yield f"wire: {candidate.wire}, {'passes' if candidate.passes else 'translated'}"
    yield f"health: {_health(candidate)}"
    yield f"first content: {_first_content(candidate)}"
    yield from _limits(candidate)
    if candidate.proxy is not None:
        yield f"connection: through {one_line(candidate.proxy)}"
    if candidate.left_out:
        yield f"left out, as it refuses them: {', '.join(candidate.left_out)}"
    yield f"credential: {_credential(candidate.credential, now)}"
    if candidate.credential.remedy:
        yield f"to do: {candidate.credential.remedy}"


def _health(candidate: CandidateView) -> str:
    health = candidate.health
    # the words of `status` and of x-gateway-attempts; those of the breaker stand in the JSON
    parts = [
        "resting" if health.due > 0 else "ready",
        f"{health.failures} {plural('failure', health.failures)} in a row",
    ]
    if health.due > 0:
        parts.append(f"due in {in_words(health.due)} ({(health.why or 'failures').replace('_', ' ')})")
    if health.cannot:
        parts.append(f"cannot: {health.cannot} {plural('request', health.cannot)}")
    return ", ".join(parts)


def _first_content(candidate: CandidateView) -> str:
    if candidate.first_content != "auto":
        return f"{candidate.first_content:g} s, then it has failed"
    health = candidate.health
    stream = f"{health.stream_limit:.1f} s for a stream ({health.stream_samples} known)"
    whole = f"{health.whole_limit:.1f} s for a whole answer ({health.whole_samples} known)"
    return f"{stream}, {whole}, then another is asked beside it"


def _limits(candidate: CandidateView) -> Iterator[str]:
    if not candidate.limits:
        yield "rate limit: none"
    for row in candidate.limits:
        name = f" of {one_line(row.row)}" if row.row != candidate.login else ""
        yield f"rate limit{name}: {limit_in_words(row)}"


def limit_in_words(row: RowStatus) -> str:
    """`requestsPerMinute 60 of 60, maxConcurrent 3 of 20, 2 waiting, room in 12 seconds`."""
    parts = [f"{unit.unit} {unit.used:,} of {unit.limit:,}" for unit in row.units]
    parts.append(f"{row.waiting} waiting")
    if row.wait > 0:
        parts.append(f"room in {in_words(row.wait)}")
    return ", ".join(parts)


def _credential(credential: CredentialView, now: float) -> str:
    parts = [credential.source or credential.kind]
    if credential.expires_at is not None and credential.expires_at > now:
        parts.append(f"valid until {utc_time(credential.expires_at)}")
    if credential.problem:
        parts.append(one_line(credential.problem))
    return ", ".join(parts)
