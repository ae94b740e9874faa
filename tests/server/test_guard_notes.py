"""The guard remembers whom it has let in, with the notes of a head, and decides the same as if it did not."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from gateway.clients.client import Client
from gateway.config import schema
from gateway.config.clients import Client as ClientSettings
from gateway.core.errors import GatewayError
from gateway.core.secrets import Secret
from gateway.httpd.interfaces import NOTES
from gateway.server.guard import Guard
from tests.server.test_guard import KEY, PORT, get, post, preflight

HOUR = 3_600.0


class Time:
    """Wall seconds, which the test moves. The key of `ending` ends meanwhile."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def guards(now: Time) -> list[Guard]:
    expiring = ClientSettings("ending", key=Secret("gw-ending"), expires="1970-01-02")
    lasting = ClientSettings("lasting", key=Secret("gw-lasting"))
    return [
        Guard.of(schema.Gateway(), PORT, now=now),
        Guard.of(schema.Gateway(api_keys=(Secret(KEY),)), PORT, now=now),
        Guard.of(schema.Gateway(api_keys=(Secret("gw-other"),)), PORT, now=now),
        Guard.of(schema.Gateway(api_keys=(Secret(KEY),)), PORT, (expiring, lasting), now=now),
    ]


HEADS = [
    *(post(HTTP_AUTHORIZATION=f"Bearer {key}") for key in (KEY, "gw-other", "gw-ending", "gw-lasting", "gw-wrong")),
    post(),
    post(HTTP_HOST="evil.example"),
    post(CONTENT_TYPE="text/plain"),
    get("/gateway/status.json"),
    preflight("https://chat.example"),
]


def decided(guard: Guard, environ: dict[str, object]) -> Client | tuple[type, str]:
    try:
        return guard.check(environ)
    except GatewayError as error:
        return type(error), error.message


STEPS = st.tuples(st.integers(0, len(HEADS) - 1), st.integers(0, 3), st.sampled_from([0.0, 0.0, 0.0, HOUR, 20 * HOUR]))


@given(st.lists(STEPS, min_size=2, max_size=12))
def test_it_decides_as_if_it_had_seen_no_head_before(steps: list[tuple[int, int, float]]) -> None:
    now = Time()
    every = guards(now)
    notes: list[dict[str, object]] = [{} for _ in HEADS]
    for head, guard, hours in steps:
        now.now += hours
        plain = decided(every[guard], HEADS[head])
        assert decided(every[guard], {**HEADS[head], NOTES: notes[head]}) == plain


def test_who_was_let_in_is_known_by_the_head_alone() -> None:
    noted: dict[str, object] = {}
    guard = guards(Time())[1]
    head = post(HTTP_AUTHORIZATION=f"Bearer {KEY}")
    client = guard.check({**head, NOTES: noted})
    assert guard.check({NOTES: noted}) is client


def test_no_refusal_and_no_key_that_ends_is_remembered() -> None:
    for head, guard in product((HEADS[2], HEADS[4], HEADS[5], HEADS[6], HEADS[7]), guards(Time())[3:]):
        noted: dict[str, object] = {}
        decided(guard, {**head, NOTES: noted})
        assert noted == {}
