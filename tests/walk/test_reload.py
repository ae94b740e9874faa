"""The configuration changes while a gateway serves: what is taken over, and what is said of it."""

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.edge import connect_to, get, post, read_answer
from tests.support.reloading import TEXT, answering, config, edited
from tests.support.running import alias, chat, provider
from tests.support.upstream_script import ScriptedUpstream, json_answer

pytestmark = pytest.mark.usefixtures("file_seen_soon")


@pytest.fixture
def up() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as scripted:
        scripted.answers(answering)
        yield scripted


class TestTaking:
    def test_a_file_that_changes_is_taken_over_by_itself(self, tmp_path: Path, up: ScriptedUpstream) -> None:
        first = config(up)
        first["gateway"] = {"threads": 16}
        with edited(tmp_path, first, watched=True) as gateway:
            process, listener = os.getpid(), gateway.served.gateway.server.listeners[0].socket
            assert gateway.served.post(chat("fast")).status_code == 404
            gateway.write({**first, "modelAliases": [alias("fast", "acme/m")]})
            gateway.until_generation(2)
            assert gateway.served.post(chat("fast")).status_code == 200
            assert gateway.served.post(chat("best")).status_code == 404
            assert (os.getpid(), gateway.served.gateway.server.listeners[0].socket) == (process, listener)
            gateway.path.unlink()
            gateway.write({**first, "gateway": {"threads": 16, "drainSeconds": 1}})
            gateway.until_generation(3)
            assert gateway.served.post(chat("best")).status_code == 200

    def test_it_says_what_it_has_taken_and_what_needs_a_restart(
        self, tmp_path: Path, up: ScriptedUpstream, caplog: pytest.LogCaptureFixture
    ) -> None:
        with edited(tmp_path, config(up)) as gateway, caplog.at_level(logging.INFO, "gateway.reload"):
            second = config(up, modelAliases=[alias("best", "acme/n"), alias("fast", "acme/m")])
            second["gateway"] = {"threads": 20, "reload": "manual", "maxBodyMiB": 1}
            assert gateway.reload(second) == {
                "status": 200,
                "generation": 2,
                "configuration": str(gateway.path),
                "changed": ["modelAliases.best.providers.acme.model", "+modelAliases.fast"],
                "needsRestart": ["gateway.threads", "gateway.maxBodyMiB"],
            }
            restart = "; needs a restart: gateway.threads, gateway.maxBodyMiB"
            assert caplog.messages == [f"config.yaml: generation 2 (aliases +1 ~1){restart}"]
            assert gateway.served.gateway.loaded.config.gateway.threads == 16, "the old value stays"
            assert gateway.post().json()["needsRestart"] == ["gateway.threads", "gateway.maxBodyMiB"]
            assert caplog.messages[1:] == [f"config.yaml: no change; generation 2{restart}"]
            explained = gateway.served.get("/gateway/explain?model=fast").json()
            assert (explained["configuration"], explained["generation"]) == (str(gateway.path), 2)

    def test_a_warning_of_the_new_file_is_logged(
        self, tmp_path: Path, up: ScriptedUpstream, caplog: pytest.LogCaptureFixture
    ) -> None:
        with edited(tmp_path, config(up)) as gateway:
            gateway.reload(config(up, providers={"acme": provider(up.base_url, enabled=False)}))
            assert any("no provider is enabled" in message for message in caplog.messages)

    def test_each_request_of_a_kept_connection_takes_the_newest(self, tmp_path: Path, up: ScriptedUpstream) -> None:
        with edited(tmp_path, config(up)) as gateway, connect_to(gateway.served) as caller:
            caller.sendall(get(b"/v1/models"))
            assert b'"best"' in read_answer(caller).body
            gateway.reload(config(up, modelAliases=[alias("fast", "acme/m")]))
            caller.sendall(get(b"/v1/models"))
            assert b'"fast"' in read_answer(caller).body
            caller.sendall(post(b"/v1/chat/completions", json.dumps(chat("fast")).encode()))
            assert read_answer(caller).status == 200

    def test_settings_of_the_gateway_are_new(self, tmp_path: Path, up: ScriptedUpstream) -> None:
        up.answers(lambda request: (json_answer(TEXT, model="true-name"),))
        with edited(tmp_path, config(up)) as gateway:
            new = {"threads": 16, "reload": "manual", "responseModel": "upstream", "apiKeys": ["of-mine-0123456789"]}
            new |= {"allowedHosts": ["gate.test"], "allowedOrigins": ["https://page.test"], "requestTimeoutSeconds": 9}
            gateway.reload({**config(up), "gateway": new})
            assert gateway.served.post(chat("best")).status_code == 401
            headers = {"authorization": "Bearer of-mine-0123456789", "host": "gate.test", "origin": "https://page.test"}
            answer = gateway.served.post(chat("best"), headers=headers)
            assert answer.json()["model"] == "true-name"
            assert answer.headers["access-control-allow-origin"] == "https://page.test"

    def test_the_log_takes_the_new_level_and_form(
        self, tmp_path: Path, up: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[tuple[str, str]] = []
        monkeypatch.setattr("gateway.observe.logs.change", lambda level, form: seen.append((level, form)))
        with edited(tmp_path, config(up)) as gateway:
            gateway.reload(config(up, logging={"level": "debug", "format": "json"}))
        assert seen == [("debug", "json")]
