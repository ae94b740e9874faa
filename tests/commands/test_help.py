"""`--help`: every verb's summary is whole on a usual terminal, and every option is explained."""

from pathlib import Path

import click
import pytest

from gateway.cli import commands
from tests.support.served import run_here

VERBS = sorted(commands.commands.items())


def test_no_summary_is_cut(tmp_path: Path) -> None:
    shown = run_here("--help", cwd=tmp_path, COLUMNS="80").stdout
    listed = [line.strip().partition(" ") for line in shown.partition("Commands:")[2].splitlines() if line]
    whole = {name: (verb.help or "").partition("\n")[0] for name, verb in VERBS}
    assert {name: summary.strip() for name, _, summary in listed} == whole
    assert all(len(line) <= 80 for line in shown.splitlines())


@pytest.mark.parametrize(("name", "verb"), VERBS, ids=[name for name, _ in VERBS])
def test_every_option_is_explained(name: str, verb: click.Command) -> None:
    options = [each for each in verb.params if isinstance(each, click.Option)]
    assert [each.name for each in options if not each.help] == []
