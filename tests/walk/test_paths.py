"""Base addresses with one /v1 or one slash too many are what people paste: they are served."""

import pytest

from gateway.server.paths import plain_path
from gateway.server.route_table import Routes
from gateway.server.routes import ENDPOINTS
from tests.support.running import Running, alias, chat, provider, running
from tests.support.upstream_script import ScriptedUpstream


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        ("/v1//models", "/v1/models"),
        ("/v1/v1/models", "/v1/models"),
        ("/v1///models", "/v1/models"),
        ("/v1/v1//models", "/v1/models"),
        ("/v1/models", "/v1/models"),
        ("/v1/models/v1/x", "/v1/models/v1/x"),
        ("/models", "/models"),
        ("/v1", "/v1"),
        ("/v1/", "/v1/"),
        ("/v1//", "/v1/"),
    ],
)
def test_the_path_that_is_served(asked: str, served: str) -> None:
    assert plain_path(asked) == served


def test_they_are_served_alike() -> None:
    with ScriptedUpstream() as up:
        config = {"providers": {"a": provider(up.base_url)}, "modelAliases": [alias("best", "a/m")]}
        with running(config) as gateway:
            for prefix in ("/v1", "/v1/v1", "/v1/", ""):
                assert_served(gateway, prefix)
            assert gateway.get("/v1/v1/v1/models").status_code == 404


def assert_served(gateway: Running, prefix: str) -> None:
    assert gateway.get(f"{prefix}/models").json()["data"][0]["id"] == "best"
    assert gateway.get(f"{prefix}/models/best").status_code == 200
    reply = gateway.post(chat("best"), path=f"{prefix}/chat/completions")
    assert (reply.status_code, reply.headers["x-gateway-attempts"]) == (200, "a/m=200")


def test_only_chat_takes_as_long_as_a_provider_does() -> None:
    routes = Routes(ENDPOINTS, lambda text: text)
    for path in ("/v1/chat/completions", "/chat/completions/"):
        assert routes.model_call("POST", path) is not None
    for method, path in (("GET", "/v1/chat/completions"), ("POST", "/v1/models"), ("POST", "/v1/chat/completions/x")):
        assert routes.model_call(method, path) is None
