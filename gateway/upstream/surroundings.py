"""What the environment decides about connections, in lines for people: whom TLS trusts, and which proxies are used.

A person whose calls fail behind a company's proxy has set such a variable long ago, or somebody else has.
"""

from collections.abc import Iterator, Mapping

from gateway.upstream.certificates import TrustStore
from gateway.upstream.proxied.proxies import proxy_of


def connection_notes(endpoints: Mapping[str, str], environ: Mapping[str, str]) -> Iterator[str]:
    """What holds.

    Args:
        endpoints: the providers' base addresses by name.
        environ: where the variables of the trust store are read. Proxies are those of the process.
    """
    trust = TrustStore.of(environ)
    if any(endpoint.startswith("https://") for endpoint in endpoints.values()):
        yield f"trust store: {trust}"
    for name, endpoint in endpoints.items():
        proxy = proxy_of(endpoint)
        if proxy is not None and proxy.fault is None:
            yield f"{name} is asked through {proxy}"


def connection_warnings(endpoints: Mapping[str, str], environ: Mapping[str, str]) -> Iterator[str]:
    """What will fail. The arguments are those of `connection_notes`."""
    trust = TrustStore.of(environ)
    if trust.fault is not None:
        yield trust.fault
    for name, endpoint in endpoints.items():
        proxy = proxy_of(endpoint)
        if proxy is not None and proxy.fault is not None:
            yield f"{name} cannot be asked: {proxy.fault}"


def proxies_of(endpoints: Mapping[str, str]) -> Mapping[str, str]:
    """Through which proxy each provider is asked, by name; those that are asked directly are not in it."""
    found = {name: proxy_of(endpoint) for name, endpoint in endpoints.items()}
    return {name: proxy.fault or str(proxy) for name, proxy in found.items() if proxy is not None}
