"""Finds the row of a path."""

from collections.abc import Sequence

from gateway.server.routes import Mask, Route, Row
from gateway.wires.base import CallerWire


class Routes:
    """Finds the row of a path.

    Args:
        endpoints: the rows.
        mask: takes secrets out of an error's texts.
    """

    def __init__(self, endpoints: Sequence[Row], mask: Mask) -> None:
        self.all = tuple(each.route(mask) for each in endpoints)
        self._default = self.all[0].wire
        rows = [(path, route) for route in self.all for path in route.endpoint.paths]
        self._exact = {path: route for path, route in rows if "<" not in path}
        self._calls = {path: route for path, route in self._exact.items() if route.endpoint.model_call}
        self._below = [(path.partition("<")[0], route) for path, route in rows if "<" in path]

    def find(self, path: str) -> Route | None:
        """The row of a path, whatever the method; None where there is none."""
        route = self._exact.get(path)
        if route is None and path.endswith("/"):
            route = self._exact.get(path.rstrip("/"))
        if route is None:
            route = next((each for above, each in self._below if path.startswith(above)), None)
        return route

    def wire(self, path: str) -> CallerWire:
        """The wire in which a path answers."""
        route = self.find(path)
        if route is None:
            above = (each for known, each in self._exact.items() if path.startswith(f"{known}/"))
            route = next(above, None)
        return self._default if route is None else route.wire

    def model_call(self, method: str, path: str) -> Route | None:
        """The row that answers this as a model call, if it is one."""
        route = self._calls.get(path) or (self._calls.get(path.rstrip("/")) if path.endswith("/") else None)
        return route if route is not None and method in route.endpoint.methods else None
