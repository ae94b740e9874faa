"""A gateway that other machines can reach, from its socket: nothing but its health answers without a key.

It listens on every address, as in a container, and is asked on 127.0.0.1 alone.
"""

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from gateway.config import schema
from gateway.config.loader import Loaded
from gateway.config.overrides import from_environment
from gateway.core.secrets import Secret
from gateway.default_config import without_file
from gateway.greeting import greeting
from gateway.httpd.listening import BindError
from gateway.serve import Gateway
from gateway.server.routes import ENDPOINTS
from tests.support.reloading import config, edited
from tests.support.running import THREADS, Running, chat, running
from tests.support.upstream_script import ScriptedUpstream

KEY = "lgw_0123456789abcdef"
EXPOSED: Mapping[str, object] = {"host": "0.0.0.0", "exposed": True, "apiKeys": [KEY], "threads": THREADS}
BEARER = {"authorization": f"Bearer {KEY}"}


@pytest.fixture(scope="module")
def gateway() -> Iterator[Running]:
    with running({"gateway": EXPOSED, "providers": {"demo": {}}}) as served:
        yield served


def test_its_address_is_one_that_this_machine_can_ask(gateway: Running) -> None:
    assert gateway.url == f"http://127.0.0.1:{gateway.gateway.port}"


@pytest.mark.parametrize("host", ["localhost:9000", "127.0.0.1:80", "localhost"])
def test_its_health_answers_through_a_published_port(gateway: Running, host: str) -> None:
    answer = gateway.get("/health", headers={"host": host})
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_everything_else_needs_the_key(gateway: Running) -> None:
    served = {path.replace("<path:name>", "demo") for row in ENDPOINTS for path in row.paths}
    asked = sorted(
        {*served, "/nowhere", "/gateway/reload", "/v1/responses/x"} - {"/health", "/"}
    )  # the page holds no data, and asks for the key
    assert len(asked) > 10
    for path in asked:
        for answer in (gateway.get(path), gateway.post(chat("demo/demo"), path=path)):
            assert (path, answer.status_code) == (path, 401)
            assert KEY not in answer.text
    assert gateway.get("/v1/models", headers=BEARER).status_code == 200
    assert gateway.post(chat("demo/demo"), headers=BEARER).status_code == 200


@pytest.mark.parametrize("keys", [(), (Secret(""),)])
def test_no_socket_is_opened_without_a_key(keys: tuple[Secret, ...]) -> None:
    """Whatever has let such a configuration through: the socket does not rely on the rule."""
    settings = schema.Gateway(host="0.0.0.0", port=0, exposed=True, api_keys=keys)
    with pytest.raises(BindError, match="not a loopback address"):
        Gateway(Loaded(schema.Config(gateway=settings), None, ()), {})


def test_no_reload_takes_the_last_key_away(tmp_path: Path) -> None:
    """A file that is sound for 127.0.0.1 is none for the address that stays until the restart."""
    with ScriptedUpstream() as up, edited(tmp_path, {**config(up), "gateway": EXPOSED}) as gateway:
        for settings in ({}, {"exposed": True}, {"host": "127.0.0.1", "exposed": True}):
            gateway.write({**config(up), "gateway": {"threads": THREADS, "reload": "manual", **settings}})
            answer = gateway.post(**BEARER)
            assert answer.status_code == 422
            (fault,) = answer.json()["faults"]
            assert fault["setting"] == "gateway.apiKeys" and "must have a key" in fault["message"]
        assert gateway.generation == 1
        assert gateway.served.get("/v1/models").status_code == 401
        gateway.write(
            {**config(up), "gateway": {"threads": THREADS, "reload": "manual", "apiKeys": ["other-0123456789"]}}
        )
        said = gateway.post(**BEARER).json()
        assert said["needsRestart"] == ["gateway.host", "gateway.exposed"]
        assert gateway.served.get("/v1/models", headers=BEARER).status_code == 401
        assert gateway.served.get("/v1/models", headers={"x-api-key": "other-0123456789"}).status_code == 200


class TestTheFirstStart:
    """As in the image: no file, no key, every address."""

    def start(self, folder: Path) -> Gateway:
        env = {
            "LLM_GATEWAY_HOST": "0.0.0.0",
            "LLM_GATEWAY_PORT": "0",
            "LLM_GATEWAY_EXPOSED": "1",
            "LLM_GATEWAY_KEY_FILE": str(folder / "key"),
        }
        return Gateway(without_file({}, from_environment(env, create_key=True)), {})

    def test_the_greeting_names_the_file_of_the_key_and_never_the_key(self, tmp_path: Path) -> None:
        for _ in range(2):
            with closing(self.start(tmp_path)) as gateway:
                said = greeting(gateway.assembly, gateway.url, {})
            path = tmp_path / "key"
            assert "Exposed on 0.0.0.0: other machines can reach it, with a key" in said.splitlines()
            assert any(
                line.startswith(f"Key: in {path}; show it") and line.endswith(str(path)) for line in said.splitlines()
            )
            assert "Authorization: Bearer KEY" in said
            assert path.read_text().strip() not in said

    def test_the_key_is_masked_wherever_it_would_be_logged(self, tmp_path: Path) -> None:
        with closing(self.start(tmp_path)) as gateway:
            key = (tmp_path / "key").read_text().strip()
            assert key not in gateway.runtime.masker.mask(f"a caller said {key}")
