"""Flask's application matches paths and builds no address."""

import pytest
from werkzeug.exceptions import NotFound

from gateway.server.flask_app import flask_app


def test_a_path_matches_as_it_stands_but_for_a_slash_at_its_end() -> None:
    app = flask_app()
    app.add_url_rule("/v1/models", "models", str)
    app.add_url_rule("/v1/models/<path:model>", "model", str)
    paths = app.url_map.bind("localhost")
    assert paths.match("/v1/models/") == ("models", {})
    assert paths.match("/v1/models/a//b") == ("model", {"model": "a//b"})
    with pytest.raises(NotFound):
        paths.match("/v1//models/a")


def test_no_address_is_built() -> None:
    app = flask_app()
    app.add_url_rule("/health", "health", str)
    with pytest.raises(NotImplementedError):
        app.url_map.bind("localhost").build("health")
