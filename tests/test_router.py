"""Model names to targets: which provider is asked for a name, in which order, and what is said of a name nobody has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import schema
from gateway.core.errors import ModelNotFound
from gateway.routing.router import Route, Router, Target

PROVIDERS = {
    "openai": schema.Provider(),
    "gemini": schema.Provider(),
    "ollama": schema.Provider(),
    "asleep": schema.Provider(enabled=False),
}


def alias(name: str, *targets: tuple[str, str, int], **settings: str) -> schema.Alias:
    providers = tuple(schema.Target(provider=who, model=model, priority=rank) for who, model, rank in targets)
    return schema.Alias(alias=name, providers=providers, when_limited="wait" if settings else "next")


def router(*aliases: schema.Alias) -> Router:
    return Router(aliases, PROVIDERS)


def asked(route: Route) -> list[str]:
    return [str(target) for target in route.targets]


def test_the_lowest_priority_number_is_asked_first() -> None:
    best = alias("best", ("gemini", "pro", 2), ("openai", "gpt-4", 1), ("ollama", "llama", 0))
    assert asked(router(best).candidates("best")) == ["ollama/llama", "openai/gpt-4", "gemini/pro"]


def test_equal_priorities_stay_in_the_order_of_the_file() -> None:
    best = alias("best", ("gemini", "a", 2), ("ollama", "b", 1), ("openai", "c", 1), ("gemini", "d", 1))
    assert asked(router(best).candidates("best")) == ["ollama/b", "openai/c", "gemini/d", "gemini/a"]


@given(st.lists(st.integers(min_value=0, max_value=3), min_size=1, max_size=12))
def test_targets_are_sorted_by_priority_and_then_by_place(ranks: list[int]) -> None:
    best = alias("best", *(("openai", str(place), rank) for place, rank in enumerate(ranks)))
    places = [int(target.model) for target in router(best).candidates("best").targets]
    assert [(ranks[place], place) for place in places] == sorted((rank, place) for place, rank in enumerate(ranks))


def test_a_disabled_provider_is_never_a_target() -> None:
    best = alias("best", ("asleep", "m", 1), ("openai", "gpt-4", 2))
    assert asked(router(best).candidates("best")) == ["openai/gpt-4"]


def test_an_alias_of_disabled_providers_only_says_so() -> None:
    with pytest.raises(ModelNotFound, match="disabled") as caught:
        router(alias("best", ("asleep", "m", 1))).candidates("best")
    assert caught.value.param == "model"


def test_an_alias_says_what_to_do_where_a_limit_has_no_room() -> None:
    both = router(alias("hasty", ("openai", "m", 1)), alias("patient", ("openai", "m", 1), when="wait"))
    assert both.candidates("hasty").when_limited == "next"
    assert both.candidates("patient").when_limited == "wait"


def test_provider_and_model_are_a_name_too_and_the_model_may_have_slashes() -> None:
    route = router().candidates("openai/meta-llama/Llama-3/instruct")
    assert route.targets == (Target("openai", "meta-llama/Llama-3/instruct"),)
    assert route.name == "openai/meta-llama/Llama-3/instruct"
    assert route.when_limited == "next"


def test_an_alias_wins_over_the_provider_and_model_it_looks_like() -> None:
    looks = alias("openai/gpt-4", ("gemini", "pro", 1))
    assert asked(router(looks).candidates("openai/gpt-4")) == ["gemini/pro"]


@pytest.mark.parametrize(
    "name", ["nobody/gpt-4", "asleep/m", "openai/", "openai", "/gpt-4", "OPENAI/gpt-4", " openai/gpt-4", "/"]
)
def test_what_names_no_enabled_provider_and_model_is_unknown(name: str) -> None:
    with pytest.raises(ModelNotFound) as caught:
        router(alias("best", ("openai", "gpt-4", 1))).candidates(name)
    assert (caught.value.status, caught.value.code, caught.value.param) == (404, "model_not_found", "model")


def test_a_name_that_is_nearly_right_gets_a_hint() -> None:
    known = router(alias("my-best-model", ("openai", "gpt-4", 1)), alias("small", ("openai", "gpt-4", 1)))
    with pytest.raises(ModelNotFound, match="Did you mean `my-best-model`"):
        known.candidates("my-best-modle")
    with pytest.raises(ModelNotFound) as caught:
        known.candidates("zzzz")
    assert "Did you mean" not in caught.value.message


@pytest.mark.parametrize(
    "name",
    ["a\r\nSet-Cookie: x=1", "\x1b[31mred", "x" * 1_000_000, "\ud800", "\u202egpt", "'; drop", "openai\x00/m", ""],
    ids=["line-end", "ansi", "a-megabyte", "surrogate", "right-to-left", "quote", "nul", "empty"],
)
def test_a_hostile_name_comes_back_short_and_printable(name: str) -> None:
    with pytest.raises(ModelNotFound) as caught:
        router(alias("best", ("openai", "gpt-4", 1))).candidates(name)
    message = caught.value.message
    assert len(message) < 800
    assert message.isascii()
    assert message.isprintable()


@given(st.text())
def test_any_name_has_a_route_or_is_not_found(name: str) -> None:
    known = router(alias("best", ("openai", "gpt-4", 1)))
    try:
        route = known.candidates(name)
    except ModelNotFound as error:
        assert error.message.isprintable()
    else:
        assert route.targets
        assert route.name == name


def test_the_names_to_choose_from_are_listed_in_the_order_of_the_file() -> None:
    assert router(alias("b", ("openai", "m", 1)), alias("a", ("asleep", "m", 1))).aliases == ("b", "a")


# Patterns ------------------------------------------------------------------------------------------------------------


def test_a_pattern_answers_the_names_that_it_matches_under_the_name_that_was_asked_for() -> None:
    route = router(alias("claude-*", ("openai", "gpt-4", 1))).candidates("claude-opus-5-5")
    assert (route.name, asked(route)) == ("claude-opus-5-5", ["openai/gpt-4"])


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("claude-haiku-5-5", "small"),
        ("claude-opus-5-5", "large"),
        ("claude-haiku-exact", "exact"),
        ("claude-", "large"),
        ("anything", "rest"),
        ("my-claude-mini", "mini"),
    ],
)
def test_an_exact_name_wins_and_then_the_longest_literal_part(name: str, answers: str) -> None:
    rows = ("*", "rest"), ("claude-*", "large"), ("claude-haiku-*", "small"), ("claude-haiku-exact", "exact")
    routes = router(*(alias(row, ("openai", model, 1)) for row, model in (*rows, ("*-mini", "mini"))))
    assert asked(routes.candidates(name)) == [f"openai/{answers}"]


def test_of_two_patterns_alike_the_first_of_the_file_answers() -> None:
    routes = router(alias("ab-*", ("openai", "first", 1)), alias("*-cd", ("openai", "second", 1)))
    assert asked(routes.candidates("ab-cd")) == ["openai/first"]


@given(st.text("ab-", max_size=4), st.text("ab-", max_size=4), st.text("ab-", max_size=10))
def test_a_pattern_matches_what_its_literal_parts_enclose(before: str, after: str, name: str) -> None:
    routes = router(alias(f"{before}*{after}", ("openai", "<*>", 1)))
    starred = [name[start:end] for start in range(len(name) + 1) for end in range(start, len(name) + 1)]
    expected = {f"openai/<{middle}>" for middle in starred if before + middle + after == name}
    try:
        found = set(asked(routes.candidates(name)))
    except ModelNotFound:
        found = set()
    assert found == expected


def test_the_star_of_a_target_repeats_what_was_matched() -> None:
    routes = router(alias("gpt-*", ("openai", "gpt-*", 1), ("gemini", "pro", 2)))
    assert asked(routes.candidates("gpt-5")) == ["openai/gpt-5", "gemini/pro"]


def test_no_pattern_takes_a_name_away_from_its_provider() -> None:
    routes = router(alias("*", ("openai", "gpt-4", 1)))
    assert asked(routes.candidates("gemini/pro")) == ["gemini/pro"]
    with pytest.raises(ModelNotFound):
        routes.candidates("asleep/m")
    assert asked(routes.candidates("elsewhere/m")) == ["openai/gpt-4"]


def test_patterns_are_no_names_to_choose_from() -> None:
    assert router(alias("claude-*", ("openai", "m", 1)), alias("best", ("openai", "m", 1))).aliases == ("best",)
