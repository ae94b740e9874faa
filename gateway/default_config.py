"""What is served where no configuration file is."""

from collections.abc import Mapping

from gateway.config import loader, schema
from gateway.config.loader import Fault, Loaded
from gateway.config.overrides import NOTHING, Overrides
from gateway.providers import catalog
from gateway.providers.vendors import patterns


def without_file(environ: Mapping[str, str], overrides: Overrides = NOTHING) -> Loaded:
    """What is served where no configuration file is: the demo, and every vendor whose key stands in the environment,
    which answers the names of its own models too.

    Raises:
        ConfigError: what is said over it cannot be served.
    """
    providers = {"demo": schema.Provider(), **catalog.from_environment(environ)}
    failing = schema.Target(provider="demo", model="demo-unavailable", priority=1)
    answering = schema.Target(provider="demo", model="demo", priority=2)
    aliases = (
        schema.Alias(alias="demo", providers=(answering,)),
        schema.Alias(alias="demo-failover", providers=(failing, answering)),
        *patterns(providers),
    )
    warnings = [Fault("", 0, 0, message, "environment") for message in catalog.unusable_keys(environ)]
    return loader.without_file(schema.Config(model_aliases=aliases, providers=providers), warnings, overrides)
