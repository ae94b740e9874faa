"""What `service install` would install, and what keeps it from doing so.

The configuration is checked twice: as it stands here, and with the variables that the service would see, which are not
those of this terminal. A service that cannot start is not installed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.config.faults import ConfigError
from gateway.config.loader import Loaded
from gateway.service.manager import Service, ServiceFailed, ServiceManager
from gateway.upstream.certificates import BUNDLES
from gateway.upstream.proxied.proxies import VARIABLES

NO_FILE: Final = "a service needs a configuration file: name one by -c, or copy config.example.yaml to config.yaml"

Check = Callable[[Mapping[str, str]], Loaded]
"""Reads and checks the configuration in an environment. Raises ConfigError."""


class NotedEnvironment(Mapping[str, str]):
    """An environment that keeps the names of the variables it is asked for."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.names: dict[str, None] = {}

    def __getitem__(self, name: str) -> str:
        self.names[name] = None
        return self._environ[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be installed.

    Attributes:
        service: what runs.
        warnings: what the user should know.
        refusal: why it is not installed; None where it can be.
    """

    service: Service
    warnings: tuple[str, ...] = ()
    refusal: str | None = None


def plan(program: Sequence[str], check: Check, manager: ServiceManager, environ: Mapping[str, str]) -> Plan:
    """Plan the service of a configuration.

    Args:
        program: how the gateway is started.
        check: of the configuration file.
        manager: installs it.
        environ: the environment of this terminal.

    Raises:
        ConfigError: the file has faults, whatever the environment.
        ServiceFailed: there is no file, or no service can run it.
    """
    names = _names(check, environ)
    try:
        visible = manager.visible(names)
    except ServiceFailed as fault:
        return Plan(service_of(check(environ), program), refusal=str(fault))
    loaded = check({**environ, **visible})
    service = service_of(loaded, program)
    warnings = tuple(_warnings(loaded, manager, [name for name in names if environ.get(name) and name not in visible]))
    refusal = None if service.port else "not installed: a service needs a gateway.port that is not 0"
    try:
        check(visible)
    except ConfigError as fault:
        refusal = f"not installed, because the service could not start:\n{fault}"
    return Plan(service, warnings, refusal)


def as_served(check: Check, manager: ServiceManager, environ: Mapping[str, str]) -> Loaded:
    """The configuration with the variables that a service sees, beside those of this terminal.

    Raises:
        ConfigError: it has faults.
    """
    try:
        return check(environ)
    except ConfigError:
        with suppress(ServiceFailed):
            return check({**environ, **manager.visible(_names(check, environ))})
        raise


def _warnings(loaded: Loaded, manager: ServiceManager, hidden: Sequence[str]) -> Iterator[str]:
    if hidden:
        names, it = ", ".join(hidden), "it" if len(hidden) == 1 else "them"
        yield f"the service does not see {names} of this terminal; give {it} to it {manager.where_variables_go}"
    if not manager.own_log and loaded.config.logging.file is None:
        yield "logging.file is not set, and this service has no other log"


def service_of(loaded: Loaded, program: Sequence[str]) -> Service:
    """The service that runs a configuration.

    Raises:
        ServiceFailed: there is no file, or no service can be told its path.
    """
    if loaded.path is None:
        raise ServiceFailed(NO_FILE)
    path = _whole(loaded.path)
    for text in (*program, str(path)):
        if not text.isprintable():
            raise ServiceFailed(f"a service cannot be told a path with control characters: {text!r}")
    settings = loaded.config.gateway
    return Service(tuple(program), str(path), str(path.parent), settings.port, settings.drain_seconds)


def _whole(path: Path) -> Path:
    """Absolute, and without `..`; links stay, because a configuration may be one that is changed."""
    return Path(path.absolute().parent.resolve(), path.name)


def _names(check: Check, environ: Mapping[str, str]) -> list[str]:
    """The variables that the configuration names, those of vendors' keys, of proxies and of certificates."""
    noted = NotedEnvironment(environ)
    with suppress(ConfigError):  # which is said later, with what the service would see
        check(noted)
    return list(dict.fromkeys((*noted.names, *BUNDLES, *VARIABLES)))
