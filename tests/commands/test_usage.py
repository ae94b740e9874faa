"""`usage`: what people and programs read, and the exit codes."""

import csv
import io
import json
import time
from pathlib import Path

import pytest

from gateway.commands.usage import as_text
from gateway.core.records import CallRecord
from gateway.observe.ledger_file import LedgerFile
from gateway.observe.usage import Period, usage
from tests.support.calls import call
from tests.support.served import run_here

NOW = time.time()
CONFIG = "providers: {a: {type: openai, apiEndpoint: 'http://127.0.0.1:1/v1'}}\n"


def text(*records: CallRecord) -> str:
    file = LedgerFile(None)
    file.write(records)
    shown = usage(file.connection, Period(NOW - 60, None, NOW), "model")
    file.close()
    return as_text(shown, "7d")


def ledger(folder: Path, *records: CallRecord) -> None:
    (folder / "config.yaml").write_text(CONFIG)
    file = LedgerFile(folder / "usage.db")
    file.write(records)
    file.close()


def test_a_table_with_its_sums() -> None:
    calls = [call(NOW, cost=1_234_567, input=12_000), call(NOW, model="n", cost=1_000, failed=True)]
    assert text(*calls).split("\n") == [
        "model  calls  failed   input  cached  output  cost",
        "a/m        1       0  12,000   6,000       5  $1.23",
        "a/n        1       1      10       5       5  $0.001000",
        "total      2       1  12,010   6,005      10  $1.24",
    ]


@pytest.mark.parametrize(
    ("costs", "told"),
    [
        ([1_230_000] * 2 + [None], ">= $2.46 (1 of 3 calls unpriced)"),
        ([None, None], "unknown"),
        ([0, None], ">= $0.00 (1 of 2 calls unpriced)"),
        ([0], "$0.00"),
    ],
)
def test_a_cost_that_is_not_known_is_never_nothing(costs: list[int | None], told: str) -> None:
    row = text(*(call(NOW, cost=cost) for cost in costs)).split("\n")[1]
    assert row.endswith(f"  {told}")


def test_no_calls(tmp_path: Path) -> None:
    assert text() == "No calls since 7d."
    ledger(tmp_path, call(NOW - 86_400 * 20))
    shown = run_here("usage", "--since", "24h", cwd=tmp_path)
    assert (shown.returncode, shown.stdout) == (0, "No calls since 24h.\n")


def test_json_and_csv_say_the_same_with_no_gateway_up(tmp_path: Path) -> None:
    ledger(tmp_path, call(NOW - 5, cost=1_500_000), call(NOW - 5))
    shown = json.loads(run_here("usage", "--json", cwd=tmp_path).stdout)
    (row,) = shown["rows"]
    written = run_here("usage", "--csv", "-c", str(tmp_path / "config.yaml"), cwd=tmp_path)
    (line,) = csv.DictReader(io.StringIO(written.stdout))
    assert row == {
        "key": "a/m", "calls": 2, "failed": 0, "input": 20, "cached": 10, "cache_write": 0, "output": 10,
        "reasoning": 4, "cost_usd": 1.5, "unpriced": 1,
    }  # fmt: skip
    assert line == {name: str(value) for name, value in row.items()} | {"cost_usd": "1.500000"}


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (["--since", "yesterday"], 2, "since must be like 7d, 24h or 2026-11-01"),
        (["--since", "1d", "--until", "2d"], 2, "must be before"),
        (["--by", "moon"], 2, "Invalid value for '--by'"),
        ([], 1, "There is no ledger at"),
    ],
)
def test_what_cannot_be_shown(tmp_path: Path, options: list[str], code: int, told: str) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    shown = run_here("usage", *options, cwd=tmp_path)
    assert (shown.returncode, told in shown.stderr, shown.stdout) == (code, True, "")


def test_without_a_configuration_the_running_gateway_has_it(tmp_path: Path) -> None:
    shown = run_here("usage", cwd=tmp_path)
    assert (shown.returncode, "GET /gateway/usage.json" in shown.stderr) == (1, True)


def test_a_file_that_is_no_ledger(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "usage.db").write_bytes(b"nothing of the kind" * 1_000)
    shown = run_here("usage", cwd=tmp_path)
    assert (shown.returncode, "cannot be read" in shown.stderr) == (1, True)
