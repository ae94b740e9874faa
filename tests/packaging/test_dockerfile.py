"""The image keeps its promises as far as its files can tell: no root, no shell script, nothing that is not pinned."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from gateway.cli import commands
from gateway.config import overrides, schema
from gateway.config.key_file import VARIABLE
from gateway.process import STOP_SECONDS
from tests.packaging.dockerfile import ENVIRONMENT, ROOT, environment, named, stages

BUILD, FINAL = stages()


def test_both_stages_have_one_slim_base() -> None:
    (build,), (final,) = named("FROM", BUILD), named("FROM", FINAL)
    assert re.fullmatch(r"python:\$\{PYTHON_VERSION\}-slim AS build", build)
    assert build == f"{final} AS build"


def test_it_does_not_run_as_root() -> None:
    assert FINAL.index(next(each for each in FINAL if each.name == "USER")) > max(
        index for index, each in enumerate(FINAL) if each.name == "RUN"
    )
    assert named("USER", FINAL) == ["10001:10001"]


def test_its_data_is_one_private_folder() -> None:
    made = next(each for each in FINAL if each.name == "RUN")
    assert made.arguments == ["install", "-d", "-m", "0700", "-o", "10001", "-g", "10001", "/data"]
    assert named("VOLUME", FINAL) == ["/data"]
    assert named("WORKDIR", FINAL) == ["/data"]
    assert FINAL.index(made) < next(index for index, each in enumerate(FINAL) if each.name == "VOLUME")


def test_no_shell_and_no_script_is_between_a_signal_and_the_gateway() -> None:
    for each in (*BUILD, *FINAL):
        if each.name in ("RUN", "ENTRYPOINT", "CMD"):
            assert each.arguments and "sh" not in each.arguments
    copied = " ".join(named("COPY", BUILD) + named("COPY", FINAL))
    assert ".sh" not in copied
    assert named("ENTRYPOINT", FINAL) == ['["llm-gateway"]']
    assert named("STOPSIGNAL", FINAL) == ["SIGTERM"]


def test_its_health_is_asked_by_a_verb_and_not_through_a_shell() -> None:
    (health,) = named("HEALTHCHECK", FINAL)
    assert health.endswith('CMD ["llm-gateway", "health"]')
    assert "health" in commands.commands


def test_all_that_is_installed_has_a_version_and_hashes() -> None:
    installs = [each.arguments for each in BUILD if each.name == "RUN" and "install" in each.arguments]
    assert len(installs) == 3
    for arguments in installs:
        assert "--require-hashes" in arguments or "--no-index" in arguments
    assert not any("pip" in each.rest for each in FINAL)


def test_the_final_stage_gets_what_was_installed_and_nothing_else() -> None:
    assert named("COPY", FINAL) == [f"--from=build {ENVIRONMENT} {ENVIRONMENT}"]
    assert environment(FINAL)["PATH"] == f"{ENVIRONMENT}/bin:$PATH"


def test_its_variables_are_those_that_the_gateway_reads() -> None:
    said = {name: text for name, text in environment(FINAL).items() if name.startswith("LLM_GATEWAY_")}
    assert said == {overrides.HOST: "0.0.0.0", overrides.PORT: "8080", overrides.EXPOSED: "1", VARIABLE: "/data/key"}
    assert named("EXPOSE", FINAL) == ["8080"]


def test_nothing_gets_into_the_build_that_is_not_named() -> None:
    first, *names = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#") and "__pycache__" not in line
    ]
    assert first == "*"
    copied = {name for rest in named("COPY", BUILD) for name in rest.split()[:-1]}
    assert {name.removeprefix("!") for name in names} == copied
    assert all((ROOT / name).exists() for name in copied)


class TestCompose:
    def service(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = yaml.safe_load((ROOT / "compose.example.yaml").read_text())["services"]["gateway"]
        return found

    def test_it_stops_later_than_the_gateway_does(self) -> None:
        grace = float(re.fullmatch(r"(\d+)s", self.service()["stop_grace_period"])[1])  # type: ignore[index]
        assert grace > schema.Gateway().drain_seconds + STOP_SECONDS

    def test_it_publishes_on_this_machine_only(self) -> None:
        assert self.service()["ports"] == ["127.0.0.1:8080:8080"]

    def test_it_gives_no_right_that_is_not_needed(self) -> None:
        service = self.service()
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["volumes"] == ["data:/data"]


def test_what_is_shown_publishes_on_this_machine_only() -> None:
    root = Path(ROOT)
    pages = [root / "README.md", root / "README.ko.md", *sorted(root.glob("docs/*.md"))]
    published = {page.name: re.findall(r"docker run[^\n]* -p (\S+)", page.read_text("utf-8")) for page in pages}
    assert published["install.md"]
    assert [each for found in published.values() for each in found if not each.startswith("127.0.0.1:")] == []
