"""What `init` finds: servers on this machine, and token files of other tools."""

from pathlib import Path

import pytest

from gateway.commands.accounts import CommandFailed
from gateway.commands.init import command, discovery
from gateway.commands.init.discovery import this_machine
from gateway.commands.init.local_servers import LocalServer
from gateway.commands.init.models import SUGGESTED
from gateway.core.clock import SystemClock
from tests.commands.made_up import CANARY, NOBODY, MadeUp, models
from tests.support.running import alias, provider, running
from tests.support.upstream_script import Json, ScriptedUpstream, Stall, Status


@pytest.fixture
def made_up(tmp_path: Path) -> MadeUp:
    return MadeUp(tmp_path)


class TestALocalServer:
    def test_its_models_are_listed_and_the_first_that_chats_is_local(self, made_up: MadeUp) -> None:
        with ScriptedUpstream() as ollama:
            ollama.plays(models("nomic-embed-text:latest", "llama3.2:3b", "qwen3:8b"))
            made_up.servers = {"ollama": ollama.base_url}
            said = made_up.init()
            assert [(each.method, each.path) for each in ollama.requests] == [("GET", "/v1/models")]
        assert f"  ollama  {ollama.base_url}, with nomic-embed-text:latest, llama3.2:3b, qwen3:8b\n" in said
        assert "\n    #   llama3.2:3b\n" in made_up.text()
        assert made_up.targets() == {"local": ["ollama/llama3.2:3b"]}
        assert made_up.checked().config.providers["ollama"].api_endpoint == ollama.base_url

    def test_a_long_list_is_cut_in_the_file(self, made_up: MadeUp) -> None:
        with ScriptedUpstream() as vllm:
            vllm.plays(models(*(f"model-{number}" for number in range(30))))
            made_up.servers = {"vllm": vllm.base_url}
            assert "with model-0, model-1, model-2 and 27 more\n" in made_up.init()
        assert "#   model-19\n    #   and 10 more\n" in made_up.text()

    @pytest.mark.parametrize(
        "answer",
        [
            Status(404, {}, b"<html>"),
            Status(200, {}, b"[1]"),
            Status(200, {}, b'{"data": {}}'),
            Status(200, {}, b'{"data": [' + b" " * (1 << 20) + b"]}"),
            models("m", owner="llm-gateway"),
            models(),
        ],
        ids=["another program", "no object", "no list", "too large", "a gateway", "no models"],
    )
    def test_what_is_no_server_with_models_is_passed_over(self, made_up: MadeUp, answer: Json | Status) -> None:
        with ScriptedUpstream() as other:
            other.plays(answer)
            made_up.servers = {"llamacpp": other.base_url}
            with pytest.raises(CommandFailed, match="Nothing to write a file from"):
                made_up.init()

    def test_one_without_a_model_is_told(self, made_up: MadeUp) -> None:
        made_up.environ["OPENAI_API_KEY"] = CANARY
        with ScriptedUpstream() as ollama:
            ollama.plays(models())
            made_up.servers = {"ollama": ollama.base_url}
            assert f"warning: ollama answers at {ollama.base_url} and has no model yet\n" in made_up.init()
        assert set(made_up.checked().config.providers) == {"openai"}

    def test_one_that_never_answers_holds_nobody_up(self, made_up: MadeUp) -> None:
        with ScriptedUpstream() as silent, ScriptedUpstream() as ollama:
            silent.plays(Stall())
            ollama.plays(models("llama3.2:3b"))
            made_up.seconds = 1.0
            made_up.servers = {"vllm": silent.base_url, "ollama": ollama.base_url}
            made_up.init()
        assert set(made_up.checked().config.providers) == {"ollama"}

    def test_names_that_the_file_cannot_hold_are_left_out(self, made_up: MadeUp) -> None:
        odd = ("a\nb: c", "${HOME}", "모델", "*", " x", "", 7, "m" * 257)
        with ScriptedUpstream() as ollama:
            ollama.plays(models(*odd, 'C:\\models\\"x" #1.gguf'))
            made_up.servers = {"llamacpp": ollama.base_url}
            made_up.init()
        assert made_up.targets() == {"local": ['llamacpp/C:\\models\\"x" #1.gguf']}

    def test_this_gateway_is_none(self, made_up: MadeUp) -> None:
        config = {"providers": {"a": provider("http://127.0.0.1:9/v1")}, "modelAliases": [alias("best", "a/m")]}
        with running(config) as gateway:
            made_up.servers = {"llamacpp": f"{gateway.url}/v1"}
            assert discovery.look(made_up.machine).servers == ()

    def test_where_one_has_the_usual_port_the_gateway_gets_the_next(self, made_up: MadeUp) -> None:
        server = LocalServer("llamacpp", "http://127.0.0.1:8080/v1", ("m.gguf",))
        found = discovery.Found((), (server,), (), ())
        command.write(found, made_up.target, made_up.machine, made_up.terminal, ask=False)
        assert made_up.checked().config.gateway.port == 8081

    def test_all_that_are_known_are_asked_at_their_usual_ports(self) -> None:
        assert dict(this_machine(NOBODY, SystemClock()).servers) == {
            "ollama": "http://127.0.0.1:11434/v1",
            "lmstudio": "http://127.0.0.1:1234/v1",
            "vllm": "http://127.0.0.1:8000/v1",
            "llamacpp": "http://127.0.0.1:8080/v1",
        }


class TestTokenFilesOfOtherTools:
    @pytest.fixture(autouse=True)
    def files(self, made_up: MadeUp) -> None:
        made_up.has(".codex/auth.json", {"OPENAI_API_KEY": None, "tokens": {"access_token": CANARY}})
        made_up.has(".gemini/oauth_creds.json", {"access_token": CANARY})
        made_up.has("gcloud/application_default_credentials.json", {"type": "authorized_user", "refresh_token": CANARY})

    def test_they_are_named_and_their_contents_never_shown(self, made_up: MadeUp) -> None:
        said = made_up.init()
        assert CANARY not in said + made_up.text()
        providers = made_up.checked().config.providers
        assert 'tokenFile: {path: "~/.codex/auth.json", format: codex}' in made_up.text()
        assert 'tokenFile: {path: "~/.gemini/oauth_creds.json", format: gemini-cli}' in made_up.text()
        assert providers["gcloud"].auth_type == "adc"

    def test_a_login_that_its_vendors_api_does_not_take_is_switched_off_and_says_why(self, made_up: MadeUp) -> None:
        said = made_up.init()
        providers = made_up.checked().config.providers
        assert {name: each.enabled for name, each in providers.items()} == {
            "codex": False,
            "gemini-cli": False,
            "gcloud": True,
        }
        assert "codex       a token in ~/.codex/auth.json (switched off: it is Codex's own login" in said
        assert made_up.targets()["best"] == [f"gcloud/{SUGGESTED['gemini'].best}"]
        assert made_up.targets()["gemini-*"] == ["gcloud/gemini-*"]

    def test_a_key_that_codex_keeps_is_used(self, made_up: MadeUp) -> None:
        made_up.has(".codex/auth.json", {"OPENAI_API_KEY": CANARY, "tokens": None})
        made_up.init()
        assert made_up.targets()["best"][0] == f"codex/{SUGGESTED['openai'].best}"

    def test_beside_a_key_in_the_environment_a_file_is_switched_off(self, made_up: MadeUp) -> None:
        made_up.environ["GEMINI_API_KEY"] = CANARY
        made_up.init()
        assert made_up.checked().config.providers["gcloud"].enabled is False
        assert made_up.targets()["best"] == [f"gemini/{SUGGESTED['gemini'].best}"]

    def test_where_all_are_switched_off_the_next_step_is_a_choice(self, made_up: MadeUp) -> None:
        (made_up.home / "gcloud/application_default_credentials.json").unlink()
        said = made_up.init()
        assert "Next: set `enabled: true` at codex or gemini-cli" in said

    def test_a_file_that_is_no_json_is_none(self, made_up: MadeUp) -> None:
        for path in (".codex/auth.json", ".gemini/oauth_creds.json", "gcloud/application_default_credentials.json"):
            made_up.has(path, "half a {")
        with pytest.raises(CommandFailed):
            made_up.init()

    def test_codex_may_have_another_home(self, made_up: MadeUp, tmp_path: Path) -> None:
        made_up.has("elsewhere/auth.json", {"OPENAI_API_KEY": CANARY})
        made_up.environ["CODEX_HOME"] = str(made_up.home / "elsewhere")
        made_up.init()
        assert 'path: "~/elsewhere/auth.json"' in made_up.text()
