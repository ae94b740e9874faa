"""What every test may use."""

import gc
from collections.abc import Iterator
from contextlib import closing

import pytest

from gateway import config_file, reload
from gateway.auth.oauth import device_flow
from gateway.dispatch.watchdog import CallWatchdog
from tests.httpd import checked_owner
from tests.support import running
from tests.support.auth_server import AuthServer
from tests.support.edge import App
from tests.support.limits import ENGINES, kept_in
from tests.support.redis_server import RedisServer
from tests.support.transports import BOTH, Opening
from tests.support.upstream_script import ScriptedUpstream


@pytest.fixture(scope="module", params=ENGINES)
def both_engines(request: pytest.FixtureRequest) -> Iterator[str]:
    """Limits that a test makes are in this process's memory, and then in a file that processes share."""
    with kept_in(request.param):
        yield request.param


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """A server that gateways may share, for the tests of one module; they are marked `needs_redis`."""
    with closing(RedisServer()) as server:
        yield server


@pytest.fixture(autouse=True, scope="session")
def every_hand_over_is_checked() -> Iterator[None]:
    """Each connection of the engine has one owner at a time, whatever a test does to it."""
    checked_owner.install()
    yield
    assert checked_owner.CHECK.faults == []


@pytest.fixture(params=BOTH)
def session_to(request: pytest.FixtureRequest) -> Opening:
    """Run what uses it once for each way to a provider."""
    return BOTH[request.param]


@pytest.fixture(params=[True, False], ids=["relayed", "a thread each"])
def each_driver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run what uses it twice: streams that have begun are carried by the relay, and each has a thread of its own."""
    monkeypatch.setattr(running, "RELAYED", request.param)


@pytest.fixture
def often_looked_after(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls are looked after every hundredth of a second, for tests that wait for it and do not ask how soon it is."""
    monkeypatch.setattr(CallWatchdog, "INTERVAL", 0.01)


@pytest.fixture
def collected() -> None:
    """What was there before is set aside: the garbage collector, and who asks it what there is, look at what the test
    makes alone."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def file_seen_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration's file is looked at every hundredth of a second, and still after a twentieth of one."""
    for module in (config_file, reload):
        monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
        monkeypatch.setattr(module, "STILL_SECONDS", 0.05)


@pytest.fixture
def asked_soon(server: AuthServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who logs in by a code asks the server for the token every hundredth of a second, in place of every second."""
    monkeypatch.setattr(device_flow, "SHORTEST_INTERVAL", 0.01)
    server.grants.interval = 0.01


@pytest.fixture
def up() -> Iterator[ScriptedUpstream]:
    """A provider, healthy until told otherwise."""
    with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture
def app() -> Iterator[App]:
    """A small application; whatever it holds back is let go in the end."""
    made = App()
    yield made
    made.let_go.set()
    made.pieces.release(100)
