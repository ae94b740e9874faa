"""What a Windows service reports to its manager: the states in their order, and what a control leads to."""

import pytest

from gateway.service.service_status import (
    ACCEPT_PRESHUTDOWN,
    ACCEPT_STOP,
    CONTROL_INTERROGATE,
    CONTROL_PRESHUTDOWN,
    CONTROL_STOP,
    ERROR_CALL_NOT_IMPLEMENTED,
    NO_ERROR,
    SECONDS_BEYOND_STOP,
    START_SECONDS,
    STOP_BEGINS_SECONDS,
    ServiceControl,
    ServiceStatus,
    State,
)

CONTROL_PAUSE = 2


class Manager:
    """Keeps what it is told, and counts how often the gateway is asked to stop."""

    def __init__(self) -> None:
        self.told: list[ServiceStatus] = []
        self.asked = 0
        self.control = ServiceControl(self.told.append)

    def stop(self) -> None:
        self.asked += 1

    @property
    def states(self) -> list[State]:
        return [status.state for status in self.told]


@pytest.fixture
def manager() -> Manager:
    return Manager()


@pytest.mark.parametrize("control", [CONTROL_STOP, CONTROL_PRESHUTDOWN])
def test_a_service_that_is_stopped_goes_through_all_states(manager: Manager, control: int) -> None:
    manager.control.starting()
    manager.control.serving(8080, manager.stop)
    assert manager.asked == 0
    assert manager.control.control(control) == NO_ERROR
    assert manager.asked == 1
    manager.control.stopping(33.5)
    manager.control.stopped(0)
    assert manager.told == [
        ServiceStatus(State.START_PENDING, checkpoint=1, wait_hint=START_SECONDS * 1000),
        ServiceStatus(State.RUNNING, accepted=ACCEPT_STOP | ACCEPT_PRESHUTDOWN),
        ServiceStatus(State.STOP_PENDING, checkpoint=1, wait_hint=STOP_BEGINS_SECONDS * 1000),
        ServiceStatus(State.STOP_PENDING, checkpoint=2, wait_hint=(33_500 + SECONDS_BEYOND_STOP * 1000)),
        ServiceStatus(State.STOPPED),
    ]


def test_the_report_stands_before_the_gateway_is_asked(manager: Manager) -> None:
    manager.control.serving(8080, lambda: manager.control.stopped(0))
    manager.control.control(CONTROL_STOP)
    assert manager.states == [State.RUNNING, State.STOP_PENDING, State.STOPPED]


def test_a_second_control_asks_for_nothing_more(manager: Manager) -> None:
    manager.control.serving(8080, manager.stop)
    for _ in range(3):
        assert manager.control.control(CONTROL_STOP) == NO_ERROR
    assert manager.asked == 1
    assert manager.states == [State.RUNNING, State.STOP_PENDING]


def test_a_control_after_the_end_changes_no_report(manager: Manager) -> None:
    manager.control.serving(8080, manager.stop)
    manager.control.stopped(0)
    assert manager.control.control(CONTROL_STOP) == NO_ERROR
    assert manager.asked == 0
    assert manager.states[-1] == State.STOPPED


def test_other_controls_change_nothing(manager: Manager) -> None:
    manager.control.serving(8080, manager.stop)
    assert manager.control.control(CONTROL_INTERROGATE) == NO_ERROR
    assert manager.control.control(CONTROL_PAUSE) == ERROR_CALL_NOT_IMPLEMENTED
    assert manager.asked == 0
    assert manager.states == [State.RUNNING]


def test_a_start_that_failed_has_an_exit_code_of_its_own(manager: Manager) -> None:
    manager.control.starting()
    manager.control.stopped(2)
    last = manager.told[-1]
    assert (last.state, last.exit_code, last.win32_exit_code) == (State.STOPPED, 2, 1066)
    assert ServiceStatus(State.STOPPED).win32_exit_code == 0
    assert not manager.control.has_served


def test_a_service_that_has_served_says_so(manager: Manager) -> None:
    manager.control.serving(8080, manager.stop)
    assert manager.control.has_served
