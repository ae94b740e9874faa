"""`check --schema`: the schema for editors, printed and as a file, and the copy of it in docs."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.commands.check import schema_text
from gateway.providers.vendors import VENDORS
from tests.support.served import ROOT, run_here

COPY = ROOT / "docs/config.schema.json"
WHOLE: dict[str, Any] = json.loads(schema_text())


def test_the_schema_is_printed(tmp_path: Path) -> None:
    done = run_here("check", "--schema", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, schema_text(), "")
    assert list(tmp_path.iterdir()) == []


def test_the_schema_is_written_over_an_older_one_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text("older")
    done = run_here("check", "--schema", "s.json", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "s.json").read_bytes() == schema_text().encode()
    assert [each.name for each in tmp_path.iterdir()] == ["s.json"]


@pytest.mark.parametrize("name", ["none/s.json", "."])
def test_a_schema_that_cannot_be_written_is_one_line(tmp_path: Path, name: str) -> None:
    done = run_here("check", "--schema", name, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r".* cannot be written: .+\n", done.stderr)


def test_the_copy_in_docs_is_what_check_prints() -> None:
    assert COPY.read_text(encoding="utf-8") == schema_text(), "python app.py check --schema docs/config.schema.json"


def test_the_example_names_the_copy_for_editors() -> None:
    first = (ROOT / "config.example.yaml").read_text(encoding="utf-8").splitlines()[0]
    found = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert found and (ROOT / found[1]).samefile(COPY)


def settings() -> Iterator[tuple[str, dict[str, Any]]]:
    for section, shape in WHOLE["$defs"].items():
        for name, setting in shape["properties"].items():
            yield f"{section}.{name}", setting


def described(setting: dict[str, Any]) -> bool:
    if "$ref" in setting:
        return described(WHOLE["$defs"][setting["$ref"].removeprefix("#/$defs/")])
    return bool(setting.get("description")) or any(described(member) for member in setting.get("anyOf", ()))


def test_every_setting_is_described() -> None:
    names = [name for name, _ in settings()]
    assert {"Gateway.port", "Provider.apiKey", "TokenFile.path"} <= set(names)
    assert [name for name, setting in settings() if not described(setting)] == []


def test_a_providers_type_is_one_of_the_vendors() -> None:
    kind = WHOLE["$defs"]["Provider"]["properties"]["type"]
    assert kind["anyOf"][0]["enum"] == sorted(VENDORS)
