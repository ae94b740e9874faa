"""`status` shows the rows of `rateLimits` as the running gateway has them."""

import json
from pathlib import Path

from msgspec.structs import replace

from gateway.commands.accounts import Accounts
from gateway.commands.status import as_json, as_text, overview
from gateway.config.loader import load
from gateway.core.clock import SystemClock
from tests.support.reloading import Edited, edited
from tests.support.running import chat, provider
from tests.support.upstream_script import ScriptedUpstream, json_answer


def accounts_of(gateway: Edited) -> Accounts:
    accounts = Accounts(load(gateway.path, env={}), {}, SystemClock())
    accounts.gateway = replace(accounts.gateway, port=int(gateway.served.url.rpartition(":")[2]))
    return accounts


def test_each_row_is_shown_with_what_is_used(tmp_path: Path) -> None:
    with ScriptedUpstream() as up:
        up.answers(lambda _: [json_answer("hi")])
        config = {
            "providers": {
                "acme": provider(up.base_url, apiKey="k"), "off": provider(up.base_url, apiKey="k", enabled=False)
            },
            "rateLimits": [
                {"provider": "acme", "requestsPerMinute": 60, "maxConcurrent": 4},
                {"provider": "acme", "model": "m*", "tokensPerDay": 2_000},
                {"provider": "off", "requestsPerMinute": 1},
            ],
        }  # fmt: skip
        with edited(tmp_path, config) as gateway:
            for model in ("acme/m1", "acme/other"):
                assert gateway.served.post(chat(model)).status_code == 200
            shown = overview(accounts_of(gateway), SystemClock())
            assert as_text(shown, 0.0).splitlines()[-2:] == [
                "limit of acme: maxConcurrent 0 of 4, requestsPerMinute 2 of 60, 0 waiting",
                "limit of acme/m*: tokensPerDay 2 of 2,000, 0 waiting",
            ]
            assert json.loads(json.dumps(as_json(shown)))["limits"][1] == {
                "row": "acme/m*",
                "units": [{"unit": "tokensPerDay", "limit": 2_000, "used": 2}],
                "waiting": 0,
                "wait": 0.0,
            }
        assert overview(accounts_of(gateway), SystemClock()).limits == ()
