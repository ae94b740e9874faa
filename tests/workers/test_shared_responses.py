"""Kept responses of two workers: whoever is asked has the answers of both, and nobody those of another client."""

from collections.abc import Mapping, Sequence

import pytest

from gateway.core.response_store import Conversation, Limits, ResponseStore, Turn
from gateway.core.strict_json import JsonObject, JsonValue
from gateway.workers.shared_responses import SharedResponses
from tests.support.siblings import Hub


def entry(id: str) -> JsonObject:
    return {"type": "message", "id": id, "content": [{"type": "output_text", "text": f"é {id}"}]}


def a_turn(id: str, *, before: Sequence[JsonValue] = (), previous: str = "") -> Turn:
    asked: list[JsonValue] = [*before, entry(f"in_{id}")]
    return Turn(
        id=id,
        client="key-1",
        provider="acme",
        input=asked,
        output=[entry(f"out_{id}")],
        fields={"id": id, "object": "response"},
        repeated={"tools": []},
        previous=previous,
        inherited=len(before),
    )


class Scene:
    """Two workers, whose first one keeps an answer that it has made, and one that a provider has made."""

    def __init__(self) -> None:
        self.hub = Hub(2)
        self.one, self.two = (SharedResponses(lambda: 0.0, worker) for worker in self.hub.workers)
        self.made = f"resp_{self.one.mark}{'0' * 32}"
        self.one.keep(a_turn(self.made))
        self.one.keep(a_turn("resp_68af"))


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_an_id_has_the_number_of_its_worker_and_none_where_one_serves_alone(scene: Scene) -> None:
    assert (scene.one.mark, scene.two.mark, ResponseStore(lambda: 0.0).mark) == ("w00_", "w01_", "")


@pytest.mark.parametrize("made", [True, False])
def test_another_worker_has_all_of_an_answer(scene: Scene, made: bool) -> None:
    id = scene.made if made else "resp_68af"
    for store in (scene.one, scene.two):
        assert store.response(id, "key-1") == {
            "id": id,
            "object": "response",
            "tools": [],
            "output": [entry(f"out_{id}")],
        }
        assert store.input(id, "key-1") == [entry(f"in_{id}")]
        assert store.conversation(id, "key-1") == Conversation("acme", [entry(f"in_{id}"), entry(f"out_{id}")])
        assert store.entries([f"out_{id}", "out_unknown"], "key-1") == {f"out_{id}": entry(f"out_{id}")}


@pytest.mark.parametrize("made", [True, False])
def test_no_other_client_has_it_at_either(scene: Scene, made: bool) -> None:
    id = scene.made if made else "resp_68af"
    for store in (scene.one, scene.two):
        assert store.response(id, "key-2") is None
        assert store.conversation(id, "key-2") is None
        assert store.input(id, "key-2") is None
        assert store.entries([f"out_{id}"], "key-2") == {}
        assert not store.delete(id, "key-2")
    assert scene.one.response(id, "key-1") is not None


@pytest.mark.parametrize("made", [True, False])
def test_another_worker_deletes_it(scene: Scene, made: bool) -> None:
    id = scene.made if made else "resp_68af"
    assert scene.two.delete(id, "key-1")
    assert scene.one.response(id, "key-1") is None
    assert not scene.two.delete(id, "key-1")


def test_a_conversation_goes_on_at_either_worker(scene: Scene) -> None:
    """The second worker keeps all that was said, for the next request may name its answer."""
    before = scene.two.conversation(scene.made, "key-1")
    assert before is not None
    later = f"resp_{scene.two.mark}1"
    scene.two.keep(a_turn(later, before=before.entries, previous=scene.made))
    expected = [entry(f"{place}_{id}") for id in (scene.made, later) for place in ("in", "out")]
    for store in (scene.one, scene.two):
        found = store.conversation(later, "key-1")
        assert found is not None
        assert found.entries == expected


def test_an_id_that_names_this_worker_asks_nobody(scene: Scene) -> None:
    scene.two.keep(a_turn("resp_w00_1"))
    assert scene.one.response("resp_w00_1", "key-1") is None


@pytest.mark.parametrize("id", ["resp_w07_1", "resp_w01_gone", "", "resp_", "x" * 5_000])
def test_an_id_that_nobody_has_is_not_found(scene: Scene, id: str) -> None:
    for store in (scene.one, scene.two):
        assert store.response(id, "key-1") is None


def test_a_worker_that_does_not_answer_has_nothing(scene: Scene) -> None:
    scene.hub.silent.add(0)
    assert scene.two.conversation(scene.made, "key-1") is None
    assert not scene.two.delete(scene.made, "key-1")


def test_what_is_kept_nowhere_is_asked_of_no_store_that_is_off() -> None:
    hub = Hub(2)
    stores = [SharedResponses(lambda: 0.0, worker, Limits(bytes=0)) for worker in hub.workers]
    stores[0].keep(a_turn("resp_1"))
    assert stores[1].response("resp_1", "key-1") is None


def test_entries_of_several_workers_are_asked_for_at_once(scene: Scene) -> None:
    scene.two.keep(a_turn("b"))
    asked: list[bytes] = []
    worker = scene.hub.workers[0]
    ask = worker.ask

    def counted(topic: str, body: bytes, *, within: float) -> Mapping[int, bytes]:
        asked.append(body)
        return ask(topic, body, within=within)

    worker.ask = counted  # type: ignore[method-assign]
    found = scene.one.entries(["out_b", f"out_{scene.made}", "in_b"], "key-1")
    assert sorted(found) == sorted(["out_b", f"out_{scene.made}", "in_b"])
    assert len(asked) == 1
