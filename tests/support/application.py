"""The gateway's WSGI application without a server, for tests that call it as a server would."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from gateway.assembly import Assembly, threads_for
from gateway.config.loader import Loaded
from gateway.core.clock import Clock
from gateway.runtime import Current, Runtime
from gateway.server.gateway_proxy import GatewayProxy
from gateway.server.response_routes import response_rows
from gateway.server.routes import ENDPOINTS, Row

PORT = 8080


@dataclass(frozen=True)
class WholeApplication:
    """A configuration, what outlives it, and the application over both."""

    runtime: Runtime
    assembly: Assembly
    proxy: GatewayProxy


@contextmanager
def application_of(
    loaded: Loaded,
    environ: Mapping[str, str] | None = None,
    *,
    port: int = PORT,
    clock: Clock | None = None,
    endpoints: Sequence[Row] = ENDPOINTS,
) -> Iterator[WholeApplication]:
    """Ready to be called; streams keep their threads, because no server is there to take them from."""
    runtime = Runtime(environ or {}, threads=threads_for(loaded.config), clock=clock, relayed=False)
    assembly = Assembly(loaded, runtime, port=port)
    current: Current[Assembly] = Current()
    try:
        assert assembly.failover is not None
        assembly.apply()
        current.swap(assembly)
        rows = (*endpoints, *response_rows(runtime.responses, runtime.clock.wall))
        proxy = GatewayProxy(current, runtime.drain_state, runtime.clock, runtime.masker.mask, rows)
        yield WholeApplication(runtime, assembly, proxy)
    finally:
        current.swap(None)
        assembly.close()
        runtime.close()
