"""Addresses of servers, and what the section `sharing` may say."""

import pytest

from gateway.config import sharing_rules
from gateway.config.loader import ConfigError, parse
from gateway.config.sharing import RedisServer, Sharing
from gateway.core.secrets import Secret
from gateway.sharing.address import RedisAddress

GOOD = {
    "redis://localhost": ("redis://localhost:6379/0", False, True),
    "rediss://user:p%40ss@redis.example:7000/3": ("rediss://redis.example:7000/3", True, False),
    "redis://[::1]:6380": ("redis://[::1]:6380/0", False, True),
}


@pytest.mark.parametrize("url", GOOD)
def test_an_address_is_shown_without_its_login(url: str) -> None:
    address = RedisAddress(url)
    assert (str(address), address.has_tls, address.is_loopback) == GOOD[url]
    assert address.secrets == (["p@ss"] if "p%40ss" in url else [])


@pytest.mark.parametrize(
    "url", ["http://localhost", "localhost:6379", "redis://", "redis://h:x/0", "redis://h/zero", "redis://h?db=1"]
)
def test_what_is_no_address_is_told_without_it(url: str) -> None:
    with pytest.raises(ValueError, match=r"[a-z]") as told:
        RedisAddress(url)
    assert url not in str(told.value)


def judged(text: str, monkeypatch: pytest.MonkeyPatch, *, installed: bool = True) -> tuple[list[str], list[str]]:
    """Faults and warnings of a section `sharing`."""
    monkeypatch.setattr(sharing_rules, "find_spec", lambda name: object() if installed else None)
    try:
        loaded = parse(f"sharing: {text}".encode(), "c.yaml", env={"PASSWORD": "top-secret"})
    except ConfigError as error:
        return [fault.message for fault in error.faults], []
    return [], [fault.message for fault in loaded.warnings]


FAULTS = {
    "{engine: redis}": "redis needs a server",
    "{engine: redis, redis: {url: 'http://h'}}": "has to begin with redis:// or rediss://",
    "{engine: redis, redis: {url: 'redis://redis.example'}}": "plaintext: true",
    "{engine: redis, redis: {url: 'redis://u:${PASSWORD}@10.0.0.1'}}": "is not encrypted",
}


@pytest.mark.parametrize("text", FAULTS)
def test_bad_input_is_told(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    faults, _ = judged(text, monkeypatch)
    assert len(faults) == 1 and FAULTS[text] in faults[0]
    assert "top-secret" not in faults[0]


def test_without_the_package_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    faults, _ = judged("{engine: redis, redis: {url: 'redis://localhost'}}", monkeypatch, installed=False)
    assert "pip install -r requirements-redis.txt" in faults[0]


@pytest.mark.parametrize(
    ("url", "warns"),
    [
        ("rediss://u:in-clear@redis.example", True),
        ("rediss://u:${PASSWORD}@redis.example", False),
        ("rediss://redis.example", False),
    ],
)
def test_a_password_in_clear_is_warned_of(url: str, warns: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    faults, warnings = judged(f"{{engine: redis, redis: {{url: '{url}'}}}}", monkeypatch)
    assert faults == []
    assert any("password in clear" in each for each in warnings) == warns
    assert not any("in-clear" in each for each in warnings)


def test_plain_text_over_a_network_has_to_be_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    assert judged("{engine: redis, redis: {url: 'redis://10.0.0.1', plaintext: true}}", monkeypatch)[0] == []


@pytest.mark.parametrize(("url", "known"), [("redis://localhost", 0), ("redis://me:pw-0123456789@localhost", 2)])
def test_an_address_is_a_secret_where_it_has_a_password(url: str, known: int) -> None:
    assert len(sharing_rules.shared_secrets(Sharing("redis", redis=RedisServer(Secret(url))))) == known
