"""What the command line and the environment say over the configuration file.

The command line wins over the environment, and both over the file: an image or a service sets the variables once, for
every verb that looks for the gateway. They are put over the file before its rules are checked, so that the rules hold
for what is served.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec import structs

from gateway.config.client_rules import needs_key
from gateway.config.faults import ConfigError, Fault
from gateway.config.key_file import VARIABLE, KeyFile
from gateway.config.schema import Config
from gateway.core.this_machine import is_this_machine

HOST: Final = "LLM_GATEWAY_HOST"
PORT: Final = "LLM_GATEWAY_PORT"
EXPOSED: Final = "LLM_GATEWAY_EXPOSED"
SWITCH: Final[Mapping[str, bool]] = {"1": True, "true": True, "0": False, "false": False}
MAX_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class Overrides:
    """What is said elsewhere than in the file; None where nothing is.

    Attributes:
        host, port, exposed: as in the section `gateway`.
        key_file: the key that callers need where the gateway is exposed and its configuration has none.
    """

    host: str | None = None
    port: int | None = None
    exposed: bool | None = None
    key_file: KeyFile | None = None

    def over(self, config: Config) -> Config:
        """A configuration with these in place of its own.

        Raises:
            ConfigError: the key file cannot be used.
        """
        changes = {"host": self.host, "port": self.port, "exposed": self.exposed}
        said = {name: value for name, value in changes.items() if value is not None}
        config = structs.replace(config, gateway=structs.replace(config.gateway, **said))
        if self.key_file is None or not is_open(config):
            return config
        gateway = structs.replace(config.gateway, api_keys=(self.key_file.key(),))
        return structs.replace(config, gateway=gateway)

    def key_file_of(self, written: Config, said: Config) -> Path | None:
        """The file of the key, where that key is the one that counts.

        Args:
            written: without these.
            said: the same with these.
        """
        made = self.key_file is not None and not needs_key(written) and needs_key(said)
        return self.key_file.path if self.key_file and made else None


NOTHING: Final = Overrides()


def is_open(config: Config) -> bool:
    """Whether other machines can reach it and no caller would need a key."""
    gateway = config.gateway
    return gateway.exposed and not is_this_machine(gateway.host) and not needs_key(config)


def from_environment(
    environ: Mapping[str, str], host: str | None = None, port: int | None = None, *, create_key: bool = False
) -> Overrides:
    """The overrides of the environment, under those of the command line. A variable that is empty says nothing.

    Args:
        environ: the variables.
        host, port: of the command line.
        create_key: whether a key file that is named and missing is made.

    Raises:
        ConfigError: a variable has a value that it cannot have.
    """
    faults = []
    key_file = environ.get(VARIABLE, "").strip()
    exposed, given_port = environ.get(EXPOSED, "").strip().lower(), environ.get(PORT, "").strip()
    if exposed and exposed not in SWITCH:
        faults.append(_fault(EXPOSED, "expected 1 or 0"))
    if given_port and not _is_port(given_port):
        faults.append(_fault(PORT, f"expected a number from 0 to {MAX_PORT}"))
    if faults:
        raise ConfigError(faults)
    return Overrides(
        host=host or environ.get(HOST, "").strip() or None,
        port=port if port is not None else int(given_port) if given_port else None,
        exposed=SWITCH.get(exposed),
        key_file=KeyFile(Path(key_file), create=create_key) if key_file else None,
    )


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(MAX_PORT)) and int(text) <= MAX_PORT


def _fault(variable: str, message: str) -> Fault:
    return Fault(variable, 0, 0, message, "environment")
