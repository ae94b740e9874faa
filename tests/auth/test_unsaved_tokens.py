"""A renewed token that could not be written is written again: before its next use, once a second, and at the end."""

import shutil
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from gateway.auth.unsaved_tokens import AGAIN_SECONDS, UnsavedTokens
from tests.auth.test_renewal import HOUR, NOW, Scene
from tests.support.fakes import DrivenClock

HANG = 30.0


class Save:
    """Fails until `works` is set; remembers its thread and its calls."""

    def __init__(self) -> None:
        self.works = False
        self.called = threading.Semaphore(0)
        self.calls = 0
        self.thread = 0

    def __call__(self) -> bool:
        self.calls += 1
        self.thread = threading.get_ident()
        self.called.release()
        return self.works


def test_it_is_tried_once_a_second_until_it_works() -> None:
    clock, save = DrivenClock(), Save()
    with closing(UnsavedTokens(clock)) as unsaved:
        unsaved.add(save)
        unsaved.add(save)
        [thread] = [each for each in threading.enumerate() if each.name == "unsaved-tokens"]
        assert thread.ident is not None
        for calls in (1, 2):
            clock.until_asleep(thread.ident)
            assert save.calls == calls - 1, "not before its second is over"
            save.works = calls == 2
            clock.advance(AGAIN_SECONDS)
            assert save.called.acquire(timeout=HANG)
        thread.join(HANG)
        assert not thread.is_alive(), "nothing is left to write"
        assert len(unsaved) == 0
    assert save.calls == 2


def test_the_end_tries_once_more_and_leaves_no_thread() -> None:
    save = Save()
    unsaved = UnsavedTokens(DrivenClock())
    unsaved.add(save)
    save.works = True
    unsaved.close()
    unsaved.close()
    assert save.calls == 1
    assert save.thread == threading.get_ident()
    assert [each for each in threading.enumerate() if each.name == "unsaved-tokens"] == []
    unsaved.add(Save())
    assert len(unsaved) == 0


class Disk:
    """A folder where nothing can be written while `full`: what stands in the way is no file."""

    def __init__(self, folder: Path) -> None:
        self._obstacle = folder / "tokens.json.tmp"
        self._obstacle.mkdir()

    def has_room(self) -> None:
        shutil.rmtree(self._obstacle)


@pytest.fixture
def saves() -> list[Callable[[], bool]]:
    return []


@pytest.fixture
def scene(tmp_path: Path, saves: list[Callable[[], bool]]) -> Scene:
    scene = Scene(tmp_path)
    scene.auth = scene.process(on_unsaved=saves.append)
    return scene


def test_a_use_writes_it_at_most_once_a_second(scene: Scene, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    disk = Disk(tmp_path)
    assert scene.at(HOUR - 1) == "a2"
    disk.has_room()
    assert scene.at(HOUR - 0.5) == "a2"
    assert scene.stored()["accessToken"] == "a1", "half a second later it is not tried again"
    assert scene.at(HOUR + 0.1) == "a2"
    assert scene.stored()["accessToken"] == "a2"
    assert scene.server.spent == ["r1"]
    assert len([record for record in caplog.records if "is lost if the gateway ends now" in record.message]) == 1


def test_it_is_handed_on_once_to_be_written_without_a_use(
    scene: Scene, tmp_path: Path, saves: list[Callable[[], bool]]
) -> None:
    disk = Disk(tmp_path)
    assert scene.at(HOUR - 1) == "a2"
    assert scene.at(HOUR + 10) == "a2"
    [save] = saves
    assert save() is False
    disk.has_room()
    assert save() is True
    assert scene.stored()["refreshToken"] == "r2"
    assert save() is True, "nothing is left"


def test_while_another_process_holds_the_lock_it_waits_for_its_next_turn(
    scene: Scene, tmp_path: Path, saves: list[Callable[[], bool]]
) -> None:
    disk = Disk(tmp_path)
    assert scene.at(HOUR - 1) == "a2"
    disk.has_room()
    with scene.store.exclusive(0.0):
        assert saves[0]() is False
    assert saves[0]() is True


def test_the_status_says_so_and_names_the_setting(scene: Scene, tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    assert scene.at(HOUR - 1) == "a2"
    problem = scene.auth.status("acme").problem or ""
    assert problem.startswith("Its new token is used but not written yet: tokens.json cannot be written: ")
    assert "auth.tokenStorePath" in problem
    disk.has_room()
    assert scene.at(HOUR + 1) == "a2"
    assert scene.auth.status("acme").problem is None
    assert scene.clock.wall() == NOW + HOUR + 1
