"""How many retries a provider is worth."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.retry_budget import RetryBudgets


def retries(budgets: RetryBudgets, provider: str = "p") -> int:
    """How many retries are left, found out by taking them."""
    taken = 0
    while budgets.take(provider):
        taken += 1
    return taken


def test_a_full_budget_pays_for_ten_retries() -> None:
    assert retries(RetryBudgets()) == 10


def test_five_successes_pay_for_one_more_retry() -> None:
    budgets = RetryBudgets()
    retries(budgets)
    for _ in range(4):
        budgets.succeeded("p")
    assert not budgets.take("p")
    budgets.succeeded("p")
    assert budgets.take("p")
    assert not budgets.take("p")


def test_a_refused_retry_costs_nothing() -> None:
    budgets = RetryBudgets()
    retries(budgets)
    for _ in range(5):
        assert not budgets.take("p")
        budgets.succeeded("p")
    assert budgets.take("p")


def test_successes_do_not_save_up_for_more_than_ten_retries() -> None:
    budgets = RetryBudgets()
    for _ in range(1_000):
        budgets.succeeded("p")
    assert retries(budgets) == 10


def test_one_provider_does_not_pay_for_another() -> None:
    budgets = RetryBudgets()
    retries(budgets, "p")
    budgets.succeeded("q")
    assert not budgets.take("p")
    assert retries(budgets, "q") == 10


EVENTS = st.lists(st.sampled_from(["retry", "success"]) | st.just("retry"), max_size=200)


@given(EVENTS)
def test_the_budget_is_a_bucket_that_is_never_below_nothing_nor_over_fifty(events: list[str]) -> None:
    budgets, bucket = RetryBudgets(), 50
    for event in events:
        if event == "retry":
            paid = budgets.take("p")
            assert paid == (bucket >= 5)
            bucket -= 5 if paid else 0
        else:
            budgets.succeeded("p")
            bucket = min(bucket + 1, 50)
        assert 0 <= bucket <= 50
    assert retries(budgets) == bucket // 5


@given(EVENTS)
def test_there_are_never_more_retries_than_ten_and_one_for_five_successes(events: list[str]) -> None:
    budgets, paid, successes = RetryBudgets(), 0, 0
    for event in events:
        if event == "retry":
            paid += budgets.take("p")
        else:
            budgets.succeeded("p")
            successes += 1
        assert paid <= 10 + successes / 5


def test_many_threads_share_one_budget() -> None:
    budgets = RetryBudgets()
    start = threading.Barrier(8)
    paid: list[bool] = []

    def take() -> None:
        start.wait(10)
        paid.extend(budgets.take("p") for _ in range(100))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (len(paid), sum(paid)) == (800, 10)
