"""`open`: shows the page of the gateway that runs with this configuration, with the right to act on it.

The token goes behind the `#` of the address, which a browser sends to nobody; the page takes it from there and clears
the address.
"""

from gateway.commands.accounts import CommandFailed
from gateway.commands.console import Console
from gateway.commands.running_gateway import DEGRADED, DRAINING, SERVING, address, ask_health
from gateway.config.loader import Loaded, resolve
from gateway.core.program import program
from gateway.server.page_token import read_token


def open_page(loaded: Loaded, console: Console) -> None:
    """Open the page in a browser where there is one, and print its address.

    Raises:
        CommandFailed: no gateway runs there, or it has no page.
    """
    settings = loaded.config.gateway
    if not settings.page:
        raise CommandFailed("There is no page: gateway.page is false.")
    url = address(settings)
    if not settings.port or ask_health(settings) not in (SERVING, DEGRADED, DRAINING):
        raise CommandFailed(f"No gateway runs at {url}. Start it: {program()}")
    store = resolve(loaded.config.auth.token_store_path, loaded.path.parent) if loaded.path else None
    token = read_token(store.parent) if store else None
    page = f"{url}/#token={token.reveal()}" if token else f"{url}/"
    if console.open(page):
        console.say("The page is opened in a browser. If not, open this address, which lets nobody else see it:")
    console.say(page)
    if store and not token:
        console.say("The page shows everything but cannot log in or out: the gateway's page-token file is not here.")
