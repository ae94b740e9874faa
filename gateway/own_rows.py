"""The routes about the gateway itself, and those that need what outlives a configuration; the API's own are a table in
gateway.server.routes."""

from collections.abc import Callable, Sequence

from gateway.assembly import Assembly
from gateway.gauges import Metrics
from gateway.observe.metrics.text import Writer
from gateway.reload import Reloads
from gateway.runtime import Runtime
from gateway.server.clients_route import client_rows
from gateway.server.explain_route import explain_rows
from gateway.server.login_routes import login_rows
from gateway.server.metrics_route import metrics_rows
from gateway.server.page_route import PageFiles, page_rows
from gateway.server.reload_route import reload_rows
from gateway.server.response_routes import response_rows
from gateway.server.routes import Row
from gateway.server.status_route import status_rows
from gateway.server.usage_route import usage_rows
from gateway.view.explanations import Explanations
from gateway.view.status import StatusView


def own_rows(runtime: Runtime, assembly: Callable[[], Assembly], reloader: Reloads, url: str) -> Sequence[Row]:
    """The rows.

    Args:
        runtime: what outlives a configuration.
        assembly: gives the configuration that is served.
        reloader: of the configuration.
        url: where the gateway listens.
    """
    wall = runtime.clock.wall
    return (
        *response_rows(runtime.responses, wall),
        *reload_rows(reloader),
        *client_rows(runtime.clients),
        *usage_rows(runtime.ledger, wall),
        *explain_rows(Explanations(runtime.siblings, assembly).explain),
        *metrics_rows(Metrics(runtime, assembly, reloader).read, Writer()),
        *status_rows(StatusView(runtime, assembly, reloader, url)),
        *login_rows(runtime.logins, runtime.siblings, assembly, runtime.masker.mask),
        *page_rows(PageFiles()),
    )
