"""The secrets that stand in a configuration, for masking."""

from collections.abc import Sequence

from gateway.config.account_rules import holders
from gateway.config.schema import Config
from gateway.config.sharing_rules import shared_secrets
from gateway.core.secrets import Secret


def known_secrets(config: Config) -> Sequence[Secret]:
    """All of them: keys of callers, of scrapers and of providers, and the secrets of logins."""
    found: list[Secret | None] = [*config.gateway.api_keys, config.gateway.metrics_key]
    found += [client.key for client in config.clients]
    for _, each in holders(config):
        found += (each.api_key, each.client_secret)
    found += shared_secrets(config.sharing)
    return tuple(secret for secret in found if secret)
