"""Who makes a stream's heartbeats: its relay, or the watchdog while its driver neither makes nor writes an event."""

import threading

import pytest

from tests.support.edge import LIMIT
from tests.test_response_transformer import Scene

BEAT = b": keep-alive\n\n"


@pytest.fixture
def scene() -> Scene:
    return Scene()


def sent(scene: Scene, *, relayed: bool = False) -> list[bytes]:
    """The heartbeats of one try to send one."""
    made: list[bytes] = []
    scene.session.send_heartbeat(lambda: made.append(scene.session.heartbeat()), relayed=relayed)
    return made


def test_a_stream_that_nobody_writes_gets_one(scene: Scene) -> None:
    assert sent(scene) == [BEAT]


def test_none_is_made_outside_of_it(scene: Scene) -> None:
    assert scene.session.heartbeat() == b""


def test_a_driver_that_writes_keeps_them_away(scene: Scene) -> None:
    scene.session.hold()
    scene.session.hold()
    assert sent(scene) == []
    scene.session.let_go()
    scene.session.let_go()
    assert sent(scene) == [BEAT]


def test_a_driver_waits_until_one_is_written(scene: Scene) -> None:
    order: list[str] = []
    writing, go = threading.Event(), threading.Event()

    def write() -> None:
        writing.set()
        assert go.wait(LIMIT)
        order.append("heartbeat")

    def drive() -> None:
        scene.session.hold()
        order.append("event")

    watchdog = threading.Thread(target=scene.session.send_heartbeat, args=(write,))
    watchdog.start()
    assert writing.wait(LIMIT)
    driver = threading.Thread(target=drive)
    driver.start()
    go.set()
    for thread in (watchdog, driver):
        thread.join(LIMIT)
    assert order == ["heartbeat", "event"]


def test_on_the_relay_only_its_thread_makes_them(scene: Scene) -> None:
    assert sent(scene, relayed=True) == []
    scene.session.move_to_relay()
    assert sent(scene) == []
    assert sent(scene, relayed=True) == [BEAT]


def test_a_body_holds_its_stream_from_a_piece_to_the_next(scene: Scene) -> None:
    assert next(scene.body)
    assert sent(scene) == [], "the server writes the piece"
    scene.body.close()
    assert sent(scene) == [BEAT]
