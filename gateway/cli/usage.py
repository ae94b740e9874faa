"""The verb `usage`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.shared import BadConfig, config_option, one_clear_line, unchecked

if TYPE_CHECKING:
    from gateway.observe.usage import By

KEYS = ("model", "alias", "provider", "account", "client", "endpoint", "day")


@click.command()
@config_option
@click.option("--since", default="7d", help="7d, 24h, or a day such as 2026-11-01.")
@click.option("--until", help="Likewise; a day counts to its end. Else now.")
@click.option("--by", type=click.Choice(KEYS), default="model", help="What a row stands for.")
@click.option("--json", "form", flag_value="json", help="For machines.")
@click.option("--csv", "form", flag_value="csv", help="For spreadsheets.")
def usage(path: Path | None, since: str, until: str | None, by: "By", form: str | None) -> None:
    """Say what calls were made, with how many tokens and at which cost.

    It reads the ledger's file, so no gateway has to run. Exit code 1: there is no ledger.
    """
    from gateway.commands import usage as command
    from gateway.core.clock import SystemClock
    from gateway.observe.usage_forms import as_csv, as_json
    from gateway.observe.usage_period import BadPeriod, period

    try:
        asked = period(since, until, SystemClock.wall())
    except BadPeriod as fault:
        raise BadConfig(str(fault)) from None
    with one_clear_line("Stopped."):
        shown = command.usage(unchecked(path), asked, by)
    if form == "csv":
        click.echo(as_csv(shown), nl=False)
    else:
        click.echo(json.dumps(as_json(shown), indent=2) if form == "json" else command.as_text(shown, since))
