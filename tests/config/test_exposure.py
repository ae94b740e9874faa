"""Beyond this machine the gateway is configured only where that is meant, and only with a key of its callers."""

import os
import stat
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.config.key_file import KeyFile
from gateway.config.loader import ConfigError, Loaded, parse
from gateway.config.overrides import Overrides, from_environment
from gateway.default_config import without_file

KEY = "lgw_0123456789abcdef"


def loaded(text: str, env: Mapping[str, str] | None = None, **said: object) -> Loaded:
    overrides = from_environment(env or {}, **said)  # type: ignore[arg-type]
    return parse(f"{text}\nproviders: {{demo: {{}}}}\n".encode(), "config.yaml", env={}, overrides=overrides)


class TestTheRule:
    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.10", "[fe80::1]", "10.0.0.1"])
    def test_an_address_of_this_machine_with_a_key_may_be_exposed(self, host: str) -> None:
        settings = loaded(f"gateway: {{host: '{host}', exposed: true, apiKeys: [{KEY}]}}").config.gateway
        assert (settings.host, settings.exposed) == (host, True)

    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ("host: 0.0.0.0", "config.yaml:1:17 gateway.host: must be a loopback address: 127.0.0.1, ::1 or localhost"),
            ("host: 0.0.0.0", "gateway.exposed: true and a key of callers (python app.py key NAME makes one)"),
            ("host: 0.0.0.0, apiKeys: [lgw_0123]", "must be a loopback address"),
            ("host: 0.0.0.0, exposed: false, apiKeys: [lgw_0123]", "must be a loopback address"),
            ("host: 0.0.0.0, exposed: true", "gateway.apiKeys: must have a key"),
            ("host: 0.0.0.0, exposed: true, apiKeys: []", "python app.py key NAME makes one"),
            ("host: 0.0.0.0, exposed: true, apiKeys: ['${NONE:-}']", "gateway.apiKeys: must have a key"),
            ("host: box.example, exposed: true, apiKeys: [lgw_0123]", "gateway.host: must be an address"),
            ("host: '0', exposed: true, apiKeys: [lgw_0123]", "gateway.host: must be an address"),
        ],
    )
    def test_anything_less_is_a_fault_that_says_how(self, settings: str, said: str) -> None:
        with pytest.raises(ConfigError) as caught:
            loaded(f"gateway: {{{settings}}}")
        assert said in str(caught.value)

    def test_a_loopback_address_needs_neither(self) -> None:
        assert loaded("gateway: {exposed: true}").config.gateway.host == "127.0.0.1"

    @pytest.mark.parametrize("host", ["0.0.0.0", "::"])
    def test_it_holds_for_an_address_that_is_said_elsewhere(self, host: str) -> None:
        for env, said in (({}, {"host": host}), ({"LLM_GATEWAY_HOST": host}, {})):
            with pytest.raises(ConfigError, match="must be a loopback address"):
                loaded("gateway: {port: 1}", env, **said)
        with pytest.raises(ConfigError, match="must have a key"):
            loaded("gateway: {port: 1}", {"LLM_GATEWAY_HOST": host, "LLM_GATEWAY_EXPOSED": "1"})

    def test_it_holds_without_a_file(self) -> None:
        with pytest.raises(ConfigError, match=r"^command line or environment gateway.host: must be a loopback address"):
            without_file({}, Overrides(host="0.0.0.0"))
        with pytest.raises(ConfigError, match=r"gateway.apiKeys: must have a key"):
            without_file({}, Overrides(host="0.0.0.0", exposed=True))


class TestWhatIsSaidOverTheFile:
    FILE = "gateway: {host: '127.0.0.2', port: 1000}"

    @pytest.mark.parametrize(
        ("env", "said", "served"),
        [
            ({}, {}, ("127.0.0.2", 1000)),
            ({"LLM_GATEWAY_HOST": "::1", "LLM_GATEWAY_PORT": "2000"}, {}, ("::1", 2000)),
            ({"LLM_GATEWAY_HOST": "::1", "LLM_GATEWAY_PORT": "2000"}, {"host": "127.0.0.3"}, ("127.0.0.3", 2000)),
            ({"LLM_GATEWAY_PORT": "2000"}, {"port": 0}, ("127.0.0.2", 0)),
            ({"LLM_GATEWAY_HOST": "", "LLM_GATEWAY_PORT": " ", "LLM_GATEWAY_EXPOSED": ""}, {}, ("127.0.0.2", 1000)),
        ],
    )
    def test_the_command_line_wins_over_the_environment_and_both_over_the_file(
        self, env: dict[str, str], said: dict[str, object], served: tuple[str, int]
    ) -> None:
        settings = loaded(self.FILE, env, **said).config.gateway
        assert (settings.host, settings.port) == served

    @pytest.mark.parametrize(("text", "value"), [("1", True), ("true", True), ("0", False), ("False", False)])
    def test_exposed_is_a_switch(self, text: str, value: bool) -> None:
        file = f"gateway: {{exposed: {str(not value).lower()}}}"
        assert loaded(file, {"LLM_GATEWAY_EXPOSED": text}).config.gateway.exposed is value

    def test_all_values_that_cannot_be_are_told_at_once(self) -> None:
        with pytest.raises(ConfigError) as caught:
            from_environment({"LLM_GATEWAY_EXPOSED": "perhaps", "LLM_GATEWAY_PORT": "65536"})
        assert str(caught.value) == (
            "environment LLM_GATEWAY_EXPOSED: expected 1 or 0\n"
            "environment LLM_GATEWAY_PORT: expected a number from 0 to 65535"
        )
        for port in ("-1", "²", "8080/tcp", "0x50", "9" * 5000):
            with pytest.raises(ConfigError):
                from_environment({"LLM_GATEWAY_PORT": port})


class TestTheKeyFile:
    EXPOSED: Mapping[str, str] = {"LLM_GATEWAY_HOST": "0.0.0.0", "LLM_GATEWAY_EXPOSED": "1"}

    def env(self, path: Path) -> dict[str, str]:
        return {**self.EXPOSED, "LLM_GATEWAY_KEY_FILE": str(path)}

    def test_the_first_start_makes_a_key_and_later_ones_use_it(self, tmp_path: Path) -> None:
        path = tmp_path / "data" / "key"
        first = loaded("", self.env(path), create_key=True)
        assert first.key_file == path
        (key,) = first.config.gateway.api_keys
        assert path.read_text() == f"{key.reveal()}\n" and key.reveal().startswith("lgw_")
        assert loaded("", self.env(path), create_key=True).config.gateway.api_keys == (key,)
        assert loaded("", self.env(path)).config.gateway.api_keys == (key,)
        assert [each.name for each in path.parent.iterdir()] == ["key"]

    @pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
    def test_only_this_user_can_read_it(self, tmp_path: Path) -> None:
        path = tmp_path / "data" / "key"
        before = os.umask(0)
        try:
            loaded("", self.env(path), create_key=True)
        finally:
            os.umask(before)
        assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)

    def test_a_check_says_the_same_and_writes_nothing(self, tmp_path: Path) -> None:
        settings = loaded("", self.env(tmp_path / "key")).config.gateway
        assert any(settings.api_keys)
        assert list(tmp_path.iterdir()) == []

    def test_a_configured_key_leaves_no_second_one_open(self, tmp_path: Path) -> None:
        (tmp_path / "key").write_text("lgw_made_at_the_first_start\n")
        found = loaded(f"gateway: {{apiKeys: [{KEY}]}}", self.env(tmp_path / "key"), create_key=True)
        assert [each.reveal() for each in found.config.gateway.api_keys] == [KEY]
        assert found.key_file is None

    def test_nothing_is_made_where_only_this_machine_can_ask(self, tmp_path: Path) -> None:
        found = loaded("", {"LLM_GATEWAY_KEY_FILE": str(tmp_path / "key"), "LLM_GATEWAY_EXPOSED": "1"}, create_key=True)
        assert (found.config.gateway.api_keys, found.key_file) == ((), None)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        "content", [b"", b"\n", b"short", b"two words are no key at all", b"\xff" * 40, b"a\nb" * 20]
    )
    def test_what_is_no_key_is_refused_and_not_shown(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "key").write_bytes(content)
        with pytest.raises(ConfigError, match="holds no key of 20 characters or more: delete it") as caught:
            loaded("", self.env(tmp_path / "key"), create_key=True)
        assert "words" not in str(caught.value).partition("key: ")[2]

    def test_a_place_that_cannot_be_written_is_named_with_a_way_out(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        path = tmp_path / "file" / "key"
        with pytest.raises(ConfigError, match=r"key: cannot be read or written: .*or set gateway.apiKeys"):
            loaded("", self.env(path), create_key=True)

    def test_two_that_start_at_once_have_one_key(self, tmp_path: Path) -> None:
        """Both have found no file before either has made one."""
        together = threading.Barrier(2, timeout=30)
        found: list[str] = []

        def random_bytes(count: int) -> bytes:
            together.wait()
            return os.urandom(count)

        def start() -> None:
            found.append(KeyFile(tmp_path / "key", create=True, random_bytes=random_bytes).key().reveal())

        threads = [threading.Thread(target=start) for _ in range(2)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(30)
        assert found == [(tmp_path / "key").read_text().strip()] * 2
