"""`health`: whether the gateway answers, for a supervisor or a container that has no curl."""

from gateway.commands.accounts import CommandFailed
from gateway.commands.running_gateway import DEGRADED, SERVING, address, ask_health
from gateway.config import schema


def health(settings: schema.Gateway) -> str:
    """Ask the gateway that these settings describe. Returns what it said, for people.

    Raises:
        CommandFailed: nothing answers, or it does not serve.
    """
    where = address(settings)
    if not settings.port:
        raise CommandFailed("gateway.port is 0, so only the gateway knows its port: name it by --port")
    status = ask_health(settings)
    if status is None:
        raise CommandFailed(f"no gateway runs at {where}")
    if status == DEGRADED:
        return f"degraded: {where}: workers keep dying, and the others serve; its log has the details"
    if status != SERVING:
        raise CommandFailed(f"the gateway at {where} does not serve: {status}")
    return f"ok: {where}"
