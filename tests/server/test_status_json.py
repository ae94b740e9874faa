"""The examples of status.json and calls.json have the shape of the types and every state that a reader has to show."""

from pathlib import Path
from typing import get_args

import msgspec
import pytest

from gateway.observe.recent import MINUTES, Outcome
from gateway.server.account_json import AccountState, Kind
from gateway.server.calls_json import Calls
from gateway.server.status_json import DAYS, NeedKind, Status, TurnWord, Why

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def status() -> Status:
    return msgspec.json.decode((HERE / "status_example.json").read_bytes(), type=Status)


@pytest.fixture(scope="module")
def calls() -> Calls:
    return msgspec.json.decode((HERE / "calls_example.json").read_bytes(), type=Calls)


@pytest.mark.parametrize(("name", "shape"), [("status_example.json", Status), ("calls_example.json", Calls)])
def test_an_example_has_every_field_and_no_other(name: str, shape: type[msgspec.Struct]) -> None:
    text = (HERE / name).read_bytes()
    decoded = msgspec.json.decode(text, type=shape)
    assert msgspec.json.decode(msgspec.json.encode(decoded)) == msgspec.json.decode(text)


def test_the_example_of_a_status_has_every_state(status: Status) -> None:
    targets = [target for model in status.models for target in model.targets]
    assert {account.state for account in status.accounts} == set(get_args(AccountState))
    assert {account.kind for account in status.accounts} == set(get_args(Kind))
    assert {need.kind for need in status.needs} == set(get_args(NeedKind))
    assert {target.turn for target in targets} == set(get_args(TurnWord))
    assert {target.why for target in targets} - {None} <= set(get_args(Why))
    assert any(target.resting_until_at for target in targets)
    assert any(account.login_until_at for account in status.accounts)
    remaining = [each for account in status.accounts for each in account.remaining]
    assert {each.remaining is None for each in remaining} == {True, False}
    assert status.days is not None
    assert {day.cost_usd is None for day in status.days} == {True, False}
    assert any(day.cost_usd is not None and day.unpriced for day in status.days)
    assert status.configuration.needs_restart
    assert status.configuration.last_reload is not None
    assert status.configuration.last_reload.faults


def test_the_example_of_a_status_has_series_of_full_length(status: Status) -> None:
    series = msgspec.structs.asdict(status.series)
    assert {len(each) for name, each in series.items() if name != "from_at"} == {MINUTES}
    assert status.days is not None
    assert len(status.days) == DAYS


def test_the_example_of_calls_has_every_outcome(calls: Calls) -> None:
    assert {call.outcome for call in calls.calls} == set(get_args(Outcome))
    assert any(call.cost_source == "unknown" and call.cost_usd is None for call in calls.calls)
    assert any(call.try_count > 1 for call in calls.calls)
    assert [call.id for call in calls.calls] == sorted((call.id for call in calls.calls), reverse=True)
