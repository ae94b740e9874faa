"""What providers have left, as `status` prints it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli import commands
from gateway.commands.remaining import in_words_of
from gateway.server.account_json import Remaining
from tests.support.reloading import config, edited
from tests.support.running import chat
from tests.support.upstream_script import Json, ScriptedUpstream, json_answer

NOW = 1_764_428_400.0


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (
            Remaining("llama", "tokens", 6000, 1800, NOW + 31, NOW),
            "1,800 of 6,000 tokens left for llama, full again in 31 seconds",
        ),
        (Remaining("", "unified_5h", 100, 58, None, NOW), "58 of 100 unified 5h left"),
        (Remaining("m", "requests", 500, None, NOW - 1, NOW), "an unknown number of 500 requests left for m"),
        (Remaining("m\x1b[31m", "tokens", None, 0, None, NOW), "0 tokens left for m\\x1b[31m"),
    ],
)
def test_it_is_said_in_words(left: Remaining, words: str) -> None:
    assert in_words_of(left, NOW) == words


def test_status_asks_the_running_gateway(tmp_path: Path) -> None:
    said = {"x-ratelimit-limit-requests": "500", "x-ratelimit-remaining-requests": "499"}
    with ScriptedUpstream() as up, edited(tmp_path, config(up)) as gateway:
        up.plays(Json(200, json_answer("x").value, said))
        gateway.served.post(chat("best"))
        gateway.write(config(up, gateway={"port": gateway.served.gateway.port}))
        arguments = ["status", "-c", str(gateway.path)]
        shown = CliRunner().invoke(commands, arguments).output
        assert "499 of 500 requests left for m" in shown
        [account] = json.loads(CliRunner().invoke(commands, [*arguments, "--json"]).output)["providers"]
        assert [(each["kind"], each["remaining"]) for each in account["remaining"]] == [("requests", 499)]
    shown = CliRunner().invoke(commands, arguments).output
    assert "left" not in shown, "nobody runs who could know"
