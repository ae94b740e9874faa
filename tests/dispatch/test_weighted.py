"""`strategy: weighted`: targets of equal priority share the calls of an alias, without chance."""

import threading
from collections import Counter
from pathlib import Path

from gateway.config import schema
from gateway.core.provider_failures import RateLimited
from gateway.routing.router import Route, Router
from tests.support.failover_scene import BROKEN_LINE, DOWN, REQUEST, Scene, chat_of, limit, told


def weighted(*targets: tuple[str, int] | tuple[str, int, int]) -> Route:
    """The route of a weighted alias of provider, weight and priority."""
    found = tuple(
        schema.Target(provider=each[0], model="m", weight=each[1], priority=each[2] if len(each) > 2 else 1)
        for each in targets
    )
    alias = schema.Alias(alias="best", providers=found, strategy="weighted")
    return Router([alias], dict.fromkeys("abcd", schema.Provider())).candidates("best")


def attempts(scene: Scene, route: Route) -> str:
    return ",".join(f"{each.provider}={each.outcome}" for each in scene.ask(route).attempts)


def test_seventy_to_thirty_of_a_thousand_calls(tmp_path: Path) -> None:
    scene, route = Scene(tmp_path), weighted(("a", 70), ("b", 30))
    for _ in range(1_000):
        scene.ask(route)
    assert scene.tries("ab") == [700, 300]


def test_the_shares_hold_for_calls_at_once(tmp_path: Path) -> None:
    scene, route = Scene(tmp_path), weighted(("a", 70), ("b", 30))

    def ask() -> None:
        for _ in range(50):
            scene.ask(route)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert scene.tries("ab") == [280, 120]


def test_a_target_that_rests_leaves_its_share_to_the_others_and_comes_back_with_it(tmp_path: Path) -> None:
    scene, route = Scene(tmp_path), weighted(("a", 50), ("b", 50))
    scene["a"].plays(RateLimited("too many", evidence=told(30)))
    assert attempts(scene, route) == "a=429,b=200"
    for _ in range(20):
        assert attempts(scene, route) == "b=200"
    scene.clock.advance(31)
    scene["a"].plays(scene["b"].outcomes[0])
    before = scene.tries("ab")
    for _ in range(100):
        scene.ask(route)
    assert [now - then for now, then in zip(scene.tries("ab"), before, strict=True)] == [50, 50]


def test_a_target_without_room_is_passed_over(tmp_path: Path) -> None:
    scene, route = Scene(tmp_path, limits=limit("a", 3)), weighted(("a", 1), ("b", 1))
    for _ in range(10):
        assert scene.ask(route).attempts[-1].outcome == "200"
    assert scene.tries("ab") == [3, 7]


def test_weight_zero_is_a_fallback_behind_its_equals(tmp_path: Path) -> None:
    scene, route = Scene(tmp_path), weighted(("a", 0), ("b", 1), ("c", 1))
    for _ in range(10):
        scene.ask(route)
    assert scene.tries("abc") == [0, 5, 5]
    scene["b"].plays(DOWN)
    scene["c"].plays(DOWN)
    assert attempts(scene, route).endswith("a=200")


def test_higher_numbers_stay_the_fallback_in_order(tmp_path: Path) -> None:
    scene, route = Scene(tmp_path), weighted(("d", 1000, 2), ("a", 1), ("b", 1))
    for _ in range(10):
        scene.ask(route)
    assert scene.tries("abd") == [5, 5, 0]


def test_a_call_counts_where_its_request_left(tmp_path: Path) -> None:
    """A target that cannot be connected to has had no turn."""
    scene, route = Scene(tmp_path), weighted(("a", 1), ("b", 1))
    scene["a"].requests_leave = False
    scene["a"].plays(BROKEN_LINE)
    assert attempts(scene, route) == "a=provider_unreachable,a=provider_unreachable,b=200"
    scene["a"].requests_leave = True
    scene["a"].plays(scene["b"].outcomes[0])
    scene.ask(route)
    assert Counter(name for name, _ in scene.played[-1:]) == {"a": 1}


def test_a_pattern_shares_the_calls_of_all_its_names(tmp_path: Path) -> None:
    targets = tuple(schema.Target(provider=name, model="m-*") for name in "ab")
    alias = schema.Alias(alias="x-*", providers=targets, strategy="weighted")
    router = Router([alias], dict.fromkeys("ab", schema.Provider()))
    scene = Scene(tmp_path)
    for number in range(10):
        scene.failover.first_that_answers(router.candidates(f"x-{number}"), chat_of(REQUEST), scene.call())
    assert scene.tries("ab") == [5, 5]


def test_looking_at_the_order_counts_nothing(tmp_path: Path) -> None:
    scene, route = Scene(tmp_path), weighted(("a", 3), ("b", 1))
    order = [str(target) for target in scene.turns.look(route)]
    assert order == [str(target) for target in scene.turns.look(route)] == ["a/m", "b/m"]
    assert [scene.turns.reason(route, target) for target in route.targets] == ["weight 3 of 4", "weight 1 of 4"]
