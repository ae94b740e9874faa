"""A real process whose renewed token cannot be written: `status` says so, and the stop does not lose it."""

import json
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.auth_server import AuthServer
from tests.support.ports import free_port
from tests.support.running import chat, provider
from tests.support.served import HANG, Served, posix_only, run_here, serving
from tests.support.upstream_script import ScriptedUpstream, healthy

pytestmark = posix_only


@pytest.fixture
def server() -> Iterator[AuthServer]:
    with AuthServer(client_secret=None) as running:
        yield running


class Scene:
    """A login whose token has expired, and a store that cannot be written: what stands in the way is no file."""

    def __init__(self, folder: Path, server: AuthServer, up: ScriptedUpstream) -> None:
        self.port = free_port()
        self.config = folder / "config.yaml"
        self.store = folder / "tokens.json"
        self.obstacle = folder / "tokens.json.tmp"
        self.obstacle.mkdir()
        login = {
            "clientId": server.client_id,
            "authEndpoint": server.authorization_endpoint,
            "tokenEndpoint": server.token_endpoint,
        }
        providers = {"acme": provider(up.base_url, **login)}
        self.config.write_text(json.dumps({"gateway": {"port": self.port}, "providers": providers}))
        self.refresh = server.grants.login()["refresh_token"]
        old = {"accessToken": "old", "refreshToken": self.refresh, "expiresAt": time.time() - 60}
        self.store.write_text(json.dumps({"version": 1, "credentials": {"acme": old}}))
        self.store.chmod(0o600)

    def kept(self) -> object:
        return json.loads(self.store.read_bytes())["credentials"]["acme"]["refreshToken"]

    def status(self) -> str:
        return run_here("status", "-c", str(self.config), cwd=self.config.parent).stdout


def ask(gateway: Served) -> int:
    with closing(gateway.connect()) as connection:
        body = json.dumps(chat("acme/m"))
        connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
        return connection.getresponse().status


def test_status_says_so_and_the_stop_writes_it(tmp_path: Path, server: AuthServer) -> None:
    with ScriptedUpstream() as up:
        up.answers(healthy)
        scene = Scene(tmp_path, server, up)
        assert "cannot be renewed here" in scene.status(), "no gateway runs, and none could keep a new token"
        with serving("-c", str(scene.config), "--port", str(scene.port), cwd=tmp_path) as gateway:
            assert ask(gateway) == 200
            shown = scene.status()
            assert "the running gateway says: Its new token is used but not written yet: tokens.json cannot" in shown
            assert "auth.tokenStorePath" in shown
            assert scene.kept() == scene.refresh
            scene.obstacle.rmdir()
            gateway.process.send_signal(signal.SIGTERM)
            assert gateway.process.wait(HANG) == 0
    assert scene.kept() != scene.refresh
    assert server.count("refresh_token") == 1
    assert "ready" in scene.status()


def test_a_gateway_of_another_configuration_is_not_believed(tmp_path: Path, server: AuthServer) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with ScriptedUpstream() as up:
        scene = Scene(tmp_path, server, up)
        scene.obstacle.rmdir()
        (other / "config.yaml").write_text(scene.config.read_text())
        with serving("-c", str(other / "config.yaml"), "--port", str(scene.port), cwd=tmp_path):
            assert "the next call renews it" in scene.status()
            assert "running gateway" not in scene.status()
