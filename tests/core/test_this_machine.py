"""What counts as this machine, and that all who ask get the same answer."""

import pytest

from gateway.config import schema
from gateway.config.loader import ConfigError, parse
from gateway.core.this_machine import is_this_machine
from gateway.server.guard import Guard
from gateway.upstream.proxied.proxies import is_proxied, proxies_for

THIS = ["127.0.0.1", "127.0.0.2", "127.255.0.1", "::1", "0:0::1", "localhost", "LocalHost", "localhost."]
OTHER = [
    *("10.0.0.1", "0.0.0.0", "128.0.0.1", "example.com", "localhost.example", "notlocalhost", "::"),
    *("::ffff:127.0.0.1", "fe80::1", "127.1", "2130706433", "127.0.0.1.example", "127.0.0.1."),
]


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://proxy.invalid:1")


def authority(host: str) -> str:
    return f"[{host}]" if ":" in host else host


@pytest.mark.parametrize("host", THIS)
def test_this_machine(host: str) -> None:
    assert is_this_machine(host) and is_this_machine(authority(host))


@pytest.mark.parametrize("host", [*OTHER, "localhost..", "", None, "[", "[::1", "a:b"])
def test_another_machine(host: str | None) -> None:
    assert not is_this_machine(host)


@pytest.mark.usefixtures("proxied")
@pytest.mark.parametrize("host", [*THIS, *OTHER])
def test_whoever_asks_gets_the_same_answer(host: str) -> None:
    """A key leaves unencrypted without a warning, and past every proxy, for the same hosts and no others."""
    here = is_this_machine(host)
    url = f"http://{authority(host)}:11434/v1"
    assert is_proxied(url) is not here
    assert bool(proxies_for(url)) is not here
    assert is_unencrypted(url) is not here


def is_unencrypted(url: str) -> bool:
    """Whether the configuration's check warns of it, or takes it for no address at all."""
    text = f"providers: {{x: {{type: openai, apiEndpoint: '{url}', apiKey: k}}}}"
    try:
        return any("unencrypted" in str(each) for each in parse(text.encode(), "c.yaml", env={}).warnings)
    except ConfigError:
        return True


@pytest.mark.parametrize("host", [each for each in THIS if each != "localhost."])
def test_the_guard_answers_to_it(host: str) -> None:
    environ = {"REQUEST_METHOD": "GET", "HTTP_HOST": f"{authority(host)}:8080", "PATH_INFO": "/health"}
    Guard.of(schema.Gateway(), 8080).check(environ)
