"""What the gateway calls itself: its own name, or the configured texts in turn or one a credential."""

import hashlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from gateway import __version__
from gateway.upstream.user_agents import UserAgentPool, own_name

HEX = st.binary(max_size=20).map(lambda secret: hashlib.sha256(secret).hexdigest()[:12])


def test_without_a_pool_it_is_the_gateways_own_honest_name() -> None:
    name = UserAgentPool().pick("")
    assert name == own_name()
    assert name.startswith(f"LLM-Gateway/{__version__} (Python/")
    assert name.isascii()
    assert name.isprintable()


def test_the_texts_take_turns_a_call_each() -> None:
    pool = UserAgentPool(["a", "b", "c"])
    assert [pool.pick("abc123") for _ in range(7)] == ["a", "b", "c", "a", "b", "c", "a"]


def test_the_turns_are_even_over_many_threads() -> None:
    pool = UserAgentPool(["a", "b", "c", "d"])
    with ThreadPoolExecutor(8) as threads:
        seen = Counter(threads.map(lambda _: pool.pick(""), range(4_000)))
    assert seen == {"a": 1_000, "b": 1_000, "c": 1_000, "d": 1_000}


@given(HEX, st.integers(min_value=1, max_value=9))
def test_a_sticky_pool_gives_a_credential_the_same_text_each_time(fingerprint: str, size: int) -> None:
    agents = [f"agent/{number}" for number in range(size)]
    pool = UserAgentPool(agents, sticky=True)
    first = pool.pick(fingerprint)
    assert first in agents
    assert [pool.pick(fingerprint) for _ in range(5)] == [first] * 5
    assert UserAgentPool(agents, sticky=True).pick(fingerprint) == first, "the same after a restart"


def test_a_sticky_pool_gives_credentials_different_texts() -> None:
    pool = UserAgentPool(["a", "b", "c"], sticky=True)
    prints = [hashlib.sha256(str(number).encode()).hexdigest()[:12] for number in range(100)]
    assert {pool.pick(each) for each in prints} == {"a", "b", "c"}


def test_a_sticky_pool_takes_its_first_text_where_there_is_no_credential() -> None:
    assert UserAgentPool(["a", "b"], sticky=True).pick("") == "a"
