"""A file with a fault changes nothing, and only who may use the gateway may have it read."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.edge import connect_to, get, read_answer, until
from tests.support.limits import used as counted
from tests.support.reloading import RELOAD, answering, config, edited, limited
from tests.support.running import alias, chat, running
from tests.support.upstream_script import ScriptedUpstream

pytestmark = pytest.mark.usefixtures("file_seen_soon")


@pytest.fixture
def up() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as scripted:
        scripted.answers(answering)
        yield scripted


BROKEN: dict[str, bytes] = {
    "gone half way": b"modelAliases: [{alias: best, providers: [{prov",
    "an unclosed quote": b'providers: {acme: {apiKey: "sk-',
    "a tab": b"providers:\n\tacme: {}\n",
    "empty": b"",
    "comments only": b"# LLM Gateway: every setting\n#\n",
    "no text": b"\x00\x01\x02",
    "UTF-16": "gateway: {}".encode("utf-16"),
    "not UTF-8": b"gateway: {host: '\xff'}",
    "a list": b"- gateway\n",
    "a word": b"gateway\n",
    "too large": b"#" * (1 << 20) + b"\ngateway: {}",
    "two documents": b"gateway: {}\n---\ngateway: {}\n",
    "an unknown key": b"gateway: {prot: 1}",
    "an unknown provider": b"modelAliases: [{alias: a, providers: [{provider: nobody, model: m}]}]",
    "an unknown type": b"providers: {acme: {type: opneai}}",
    "a number out of range": b"gateway: {threads: 1}",
    "a wrong kind": b"gateway: {port: many}",
    "a variable that is not set": b"providers: {openai: {apiKey: '${NOT_SET_HERE}'}}",
    "an alias twice": b"providers: {openai: {}}\nmodelAliases: [{alias: a, providers: [{provider: openai, model: m}]},"
    b" {alias: a, providers: [{provider: openai, model: m}]}]",
    "another machine's address to listen on": b"gateway: {host: 0.0.0.0}",
    "an address that is none": b"providers: {acme: {type: openai, apiEndpoint: 'ftp://x'}}",
    "a key twice": b"gateway: {}\ngateway: {}\n",
}


class TestRefusing:
    def test_no_broken_edit_changes_anything(
        self, tmp_path: Path, up: ScriptedUpstream, caplog: pytest.LogCaptureFixture
    ) -> None:
        with edited(tmp_path, limited(up, 1_000)) as gateway:
            used = len(BROKEN) + 1
            before = gateway.served.get("/v1/models").json()
            assembly = gateway.served.gateway.assembly
            for name, content in BROKEN.items():
                answer = gateway.reload(content)
                assert (answer["status"], answer["generation"]) == (422, 1), name
                assert gateway.served.post(chat("best")).status_code == 200
            assert gateway.served.get("/v1/models").json() == before
            assert gateway.served.gateway.assembly is assembly
            limiter = gateway.served.gateway.runtime.limiters.of("acme")
            assert limiter is not None and counted(limiter) == used - 1
            lines = [each for each in caplog.messages if "not reloaded" in each]
            assert len(lines) == len(BROKEN)
            assert all("; still serving generation 1: " in line and "\n" not in line for line in lines)
            assert gateway.reload(config(up, modelAliases=[alias("fast", "acme/m")]))["generation"] == 2

    def test_every_fault_is_told_with_its_place(
        self, tmp_path: Path, up: ScriptedUpstream, caplog: pytest.LogCaptureFixture
    ) -> None:
        with edited(tmp_path, config(up)) as gateway:
            answer = gateway.reload(b"gateway:\n  prot: 1\n  threads: many\n")
        assert answer["faults"] == [
            {"setting": "gateway", "line": 2, "column": 3, "message": UNKNOWN},
            {"setting": "gateway.threads", "line": 3, "column": 12, "message": MANY},
        ]
        error = answer["error"]
        assert isinstance(error, dict)
        assert (error["code"], error["type"], error["param"]) == (
            "invalid_configuration",
            "invalid_request_error",
            None,
        )
        assert set(error) == {"message", "type", "param", "code"}
        told = f"gateway (line 2, column 3): {UNKNOWN}; gateway.threads (line 3, column 12): {MANY}"
        assert f"config.yaml: not reloaded, 2 faults; still serving generation 1: {told}" in caplog.messages

    def test_a_file_that_is_gone(self, tmp_path: Path, up: ScriptedUpstream) -> None:
        with edited(tmp_path, config(up)) as gateway:
            gateway.path.unlink()
            answer = gateway.post()
            assert answer.status_code == 422
            assert "cannot be read: No such file" in answer.json()["faults"][0]["message"]
            assert gateway.served.post(chat("best")).status_code == 200

    def test_a_fault_is_logged_once_however_long_it_stands(
        self, tmp_path: Path, up: ScriptedUpstream, caplog: pytest.LogCaptureFixture
    ) -> None:
        first = {**config(up), "gateway": {"threads": 16}}
        with edited(tmp_path, first, watched=True) as gateway:
            gateway.write(b"gateway: {prot: 1}")
            until(lambda: any("not reloaded" in each for each in caplog.messages))
            gateway.write({**first, "modelAliases": []})
            gateway.until_generation(2)
        assert len([each for each in caplog.messages if "not reloaded" in each]) == 1

    def test_a_configuration_that_cannot_be_put_together(
        self, tmp_path: Path, up: ScriptedUpstream, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A fault of the gateway: the half that was built is closed, and the other goes on."""
        with edited(tmp_path, limited(up, 100)) as gateway:
            assert gateway.served.post(chat("best")).status_code == 200
            held = len(gateway.served.gateway.runtime.transports)
            with monkeypatch.context() as patch:
                patch.setattr("gateway.assembly.Failover", crashing)
                answer = gateway.reload(limited(up, 1, maxQueueSize=0))
            assert answer["status"] == 422
            assert "by a fault of the gateway" in str(answer["faults"])
            assert "canary" not in json.dumps(answer)
            assert gateway.served.post(chat("best")).status_code == 200, "the limit of the new one does not count"
            assert len(gateway.served.gateway.runtime.transports) == held
            assert gateway.post().json()["generation"] == 2, "it is read again, although it has not changed"

    def test_without_a_file_there_is_nothing_to_reload(self) -> None:
        with running() as gateway:
            answer = gateway.post({}, path=RELOAD)
            assert answer.status_code == 422
            assert "without a configuration file" in answer.json()["error"]["message"]

    def test_while_it_stops(self, tmp_path: Path, up: ScriptedUpstream) -> None:
        with edited(tmp_path, config(up)) as gateway, connect_to(gateway.served) as caller:
            caller.sendall(get(b"/health"))
            read_answer(caller)
            gateway.served.gateway.reloader.stop()
            answer = gateway.post()
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "draining")


UNKNOWN = 'unknown key "prot"; did you mean "port"?'
MANY = "expected an integer from 4 to 1024, got the text 'many'"


def crashing(*_: object) -> None:
    raise RuntimeError("canary")


class TestAccess:
    """What every route asks for, and nothing in the body."""

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({"host": "evil.test"}, 421),
            ({"origin": "https://evil.test"}, 403),
            ({"sec-fetch-site": "cross-site"}, 403),
            ({"content-type": "text/plain"}, 415),
            ({"authorization": ""}, 401),
            ({"authorization": "Bearer wrong"}, 401),
            ({}, 200),
        ],
    )
    def test_who_may(self, tmp_path: Path, up: ScriptedUpstream, headers: Mapping[str, str], status: int) -> None:
        first = config(up)
        first["gateway"] = {"threads": 16, "reload": "manual", "apiKeys": ["mine-0123456789"]}
        with edited(tmp_path, first) as gateway:
            gateway.write({**first, "modelAliases": []})
            answer = gateway.post(**{"authorization": "Bearer mine-0123456789", **headers})
            assert (answer.status_code, gateway.generation) == (status, 2 if status == 200 else 1)

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (b"{}", 200),
            (b"", 200),
            (b" { }\n", 200),
            (b'{"path": "/etc/passwd"}', 400),
            (b"[]", 400),
            (b"{" * 999, 400),
        ],
    )
    def test_it_takes_no_settings(self, tmp_path: Path, up: ScriptedUpstream, body: bytes, status: int) -> None:
        with edited(tmp_path, config(up)) as gateway:
            assert gateway.served.post(body, path=RELOAD).status_code == status

    def test_a_get_is_none(self, tmp_path: Path, up: ScriptedUpstream) -> None:
        with edited(tmp_path, config(up)) as gateway:
            assert gateway.served.get(RELOAD).status_code == 405
