"""Flask's application, without the half of its routing that this gateway has no use for."""

from collections.abc import Callable
from typing import NoReturn

from flask import Flask
from werkzeug.routing import Rule


class _MatchedRule(Rule):
    """A rule that is matched, and of which no address is built.

    Werkzeug compiles two functions for each rule that build addresses: some 10 ms of each start for the paths here.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        return _build_nothing


def _build_nothing(*_: object, **__: object) -> NoReturn:
    raise NotImplementedError("No address is built from a rule here.")


def flask_app() -> Flask:
    """An application without rules; a path matches as it stands, but for a slash at its end."""
    app = Flask("gateway", static_folder=None)
    app.url_rule_class = _MatchedRule
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    return app
