"""Situations on odd machines, and what is said in each: for the table of messages."""

import errno
import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.auth.tokens import file_lock
from gateway.auth.tokens.file_lock import LockBusy
from gateway.auth.tokens.token import Token
from gateway.auth.tokens.token_store import TokenStore, cannot_write
from gateway.core.secrets import Secret
from gateway.greeting import greeting
from gateway.observe.logs import queue_for
from gateway.observe.output_queue import MAX_TEXTS
from gateway.serve import Gateway
from tests.auth.test_odd_folders import MountPoint, failing
from tests.auth.test_renewal import HOUR, Scene
from tests.observe.test_output_queue import HANG, Raw, stream
from tests.support.fakes import FakeClock
from tests.support.running import alias, chat, loaded, on_port, provider, running
from tests.support.served import run_here
from tests.support.upstream_script import Json, ScriptedUpstream

NO_GATEWAY: Mapping[str, object] = {"port": 0}
LOGIN: Mapping[str, object] = {
    "type": "openai",
    "apiEndpoint": "http://127.0.0.1:9/v1",
    "clientId": "id",
    "deviceAuthorizationEndpoint": "http://127.0.0.1:9/device",
    "tokenEndpoint": "http://127.0.0.1:9/token",
}
HALF = b'{"version": 1, "credentials": {"acme": {"accessTok'
UTF16 = '{"accessToken": "t"}'.encode("utf-16")


@dataclass(frozen=True)
class Machine:
    """A folder with a configuration, and the commands in it."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    caplog: pytest.LogCaptureFixture
    env: dict[str, str] = field(default_factory=dict)

    def has(self, name: str, content: bytes | str | Mapping[str, object]) -> None:
        if isinstance(content, Mapping):
            content = json.dumps(content)
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(0o600)

    def configured(self, providers: Mapping[str, object], **sections: object) -> None:
        self.has("config.yaml", {"gateway": NO_GATEWAY, "providers": providers, **sections})

    def says(self, *arguments: str) -> str:
        """What a command prints, of which no line is broken into a traceback."""
        done = run_here(*arguments, cwd=self.folder, **self.env)
        return done.stdout + done.stderr

    def checks(self, settings: str) -> str:
        """What `check` says about a provider `openai` with these settings."""
        self.has("config.yaml", f"providers: {{openai: {{{settings}}}}}")
        return self.says("check")

    def has_expired_login(self) -> None:
        self.configured({"acme": LOGIN})
        old = {"accessToken": "a", "refreshToken": "r", "expiresAt": time.time() - 60}
        self.has("tokens.json", {"version": 1, "credentials": {"acme": old}})

    def takes_no_file(self) -> None:
        real = os.open

        def read_only(path: Path, flags: int, mode: int = 0o777) -> int:
            if flags & os.O_CREAT:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))
            return real(path, flags, mode)

        self.monkeypatch.setattr(os, "open", read_only)

    def warned(self) -> str:
        """The warnings in the log."""
        records = [record for record in self.caplog.records if record.levelno >= logging.WARNING]
        return "\n".join(record.getMessage() for record in records)

    def stored(self) -> str:
        """The warnings after a token was stored."""
        TokenStore(self.folder / "tokens.json", FakeClock()).put("acme", Token(Secret("a")))
        return self.warned()


# The log, the store, the lock --------------------------------------------------------------------------------------


def slow_reader(machine: Machine) -> str:
    raw = Raw()
    raw.reads.clear()
    output = queue_for(stream(raw), "pretty")
    for number in range(2 * MAX_TEXTS + 2):
        output.write("first\n")
        assert number or raw.blocked.wait(HANG)
    raw.reads.set()
    assert output.close(HANG)
    return raw.written.decode()


def token_not_written(machine: Machine) -> str:
    scene = Scene(machine.folder)
    (machine.folder / "tokens.json.tmp").mkdir()
    assert scene.at(HOUR - 1) == "a2"
    return f"{scene.auth.status('acme').problem} {machine.warned()}"


def store_mounted_alone(machine: Machine) -> str:
    machine.has("tokens.json", "{}")
    machine.monkeypatch.setattr(os, "replace", MountPoint(machine.folder / "tokens.json", errno.EBUSY))
    return machine.stored()


def share_without_locks(machine: Machine) -> str:
    machine.monkeypatch.setattr(file_lock, "_try_lock", failing(errno.ENOLCK))
    return machine.stored()


def share_without_flushing(machine: Machine) -> str:
    machine.monkeypatch.setattr(os, "fsync", failing(errno.EINVAL))
    return machine.stored()


def expired_in_a_read_only_store(machine: Machine) -> str:
    machine.has_expired_login()
    machine.takes_no_file()
    return machine.says("status")


def started_with_a_read_only_store(machine: Machine) -> str:
    machine.has_expired_login()
    machine.takes_no_file()
    return greeted(json.loads((machine.folder / "config.yaml").read_text()), machine)


def login_that_could_not_be_kept(machine: Machine) -> str:
    machine.configured({"acme": LOGIN}, auth={"tokenStorePath": "./store"})
    (machine.folder / "store").mkdir()
    return machine.says("login", "acme")


def stopped_process_with_the_lock(machine: Machine) -> str:
    store = TokenStore(machine.folder / "tokens.json", FakeClock())
    with store.exclusive(), pytest.raises(LockBusy) as busy:
        store.check_writable(10.0)
    return cannot_write(store.path, busy.value)


# The provider's refusal --------------------------------------------------------------------------------------------


def refused_key(settings: Mapping[str, object], env: Mapping[str, str]) -> Callable[[Machine], str]:
    def said(machine: Machine) -> str:
        with ScriptedUpstream() as up:
            up.plays(Json(401, {"error": {"message": "Incorrect API key provided.", "code": "invalid_api_key"}}))
            config = {"gateway": {"apiKeys": ["ours"]}, "providers": {"p": provider(up.base_url, **settings)}}
            with running(config, env) as gateway:
                answer = gateway.post(chat("p/m"), headers={"authorization": "Bearer ours"})
                callers = gateway.post(chat("p/m"), headers={"authorization": "Bearer wrong"})
        assert (answer.status_code, callers.status_code) == (401, 401)
        assert answer.json()["error"]["code"] != callers.json()["error"]["code"]
        return str(answer.json()["error"]["message"])

    return said


def refused_token(machine: Machine) -> str:
    machine.has("tokens.json", {"version": 1, "credentials": {"p": {"accessToken": "t"}}})
    with ScriptedUpstream() as up:
        up.plays(Json(401, {"error": {"message": "Expired."}}))
        config = {
            "auth": {"tokenStorePath": str(machine.folder / "tokens.json")},
            "providers": {"p": {**LOGIN, "apiEndpoint": up.base_url}},
        }
        with running(config) as gateway:
            return gateway.post(chat("p/m")).text


# Files that cannot be read -----------------------------------------------------------------------------------------


def store_with(content: bytes) -> Callable[[Machine], str]:
    def said(machine: Machine) -> str:
        machine.configured({"acme": LOGIN})
        machine.has("tokens.json", content)
        return machine.says("status")

    return said


def watched_file_with(content: bytes | None, *command: str) -> Callable[[Machine], str]:
    def said(machine: Machine) -> str:
        machine.configured({"acme": LOGIN}, auth={"watchFiles": ["./other.json"]})
        if content is not None:
            machine.has("other.json", content)
        return machine.says(*command)

    return said


def token_file_with(content: bytes | None) -> Callable[[Machine], str]:
    def said(machine: Machine) -> str:
        machine.configured({"acme": {**provider("http://127.0.0.1:9/v1"), "tokenFile": "./other.json"}})
        if content is not None:
            machine.has("other.json", content)
        return machine.says("status")

    return said


# Names that are unknown --------------------------------------------------------------------------------------------


def without_a_file(*command: str) -> Callable[[Machine], str]:
    return lambda machine: machine.says(*command)


def with_aliases(*command: str) -> Callable[[Machine], str]:
    def said(machine: Machine) -> str:
        machine.configured({"a": provider("http://127.0.0.1:9/v1")}, modelAliases=[alias("내-모델", "a/m")])
        return machine.says(*command)

    return said


def asked_for(model: str) -> Callable[[Machine], str]:
    def said(machine: Machine) -> str:
        with running({"providers": {"a": provider("http://127.0.0.1:9/v1")}}) as gateway:
            return str(gateway.post(chat(model)).json()["error"]["message"])

    return said


# The configuration -------------------------------------------------------------------------------------------------


def checked(settings: str, **env: str) -> Callable[[Machine], str]:
    def said(machine: Machine) -> str:
        machine.env.update(env)
        return machine.checks(settings)

    return said


def homeless(machine: Machine) -> str:
    machine.monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    machine.has("config.yaml", "auth: {tokenStorePath: ~/.gw/tokens.json}\nproviders: {acme: {type: openai}}")
    return machine.says("login", "acme")


def greeted(config: Mapping[str, object], machine: Machine) -> str:
    store = {"tokenStorePath": str(machine.folder / "tokens.json")}
    served = on_port(loaded({**config, "auth": store}, machine.env), 0)
    gateway = Gateway(served, machine.env)
    try:
        return greeting(gateway.assembly, gateway.url, machine.env)
    finally:
        gateway.close()


def nobody_configured(machine: Machine) -> str:
    machine.has("config.yaml", "")
    return machine.says("check")


def greeted_with_nobody(machine: Machine) -> str:
    return greeted({"providers": {"openai": {"enabled": False}}}, machine)


def odd_key_without_a_file(machine: Machine) -> str:
    machine.env["OPENAI_API_KEY"] = '"abcdefgh"'
    return machine.says("explain", "demo") + machine.says("check")
