"""`python app.py` as a process: what it says, how it stops, and how it fails before it serves."""

import ast
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from gateway.__main__ import main as door
from gateway.default_config import without_file
from gateway.greeting import greeting
from gateway.run import stop
from gateway.serve import Gateway
from tests.support.ports import open_listener
from tests.support.running import alias, chat, loaded, on_port, provider
from tests.support.served import HANG, ROOT, Served, environment, posix_only, run, run_here, serving
from tests.support.upstream_script import Done, ScriptedUpstream, Sse, Stall, WaitFor, sse_events


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as scripted:
        yield scripted


@pytest.fixture
def config(tmp_path: Path, upstream: ScriptedUpstream) -> Path:
    path = tmp_path / "gateway.yaml"
    path.write_text(
        json.dumps(
            {
                "gateway": {"drainSeconds": 20},
                "providers": {"a": provider(upstream.base_url)},
                "modelAliases": [alias("best", "a/m")],
            }
        )
    )
    return path


@contextmanager
def terminal() -> Iterator[int]:
    """A terminal, as a process's standard input."""
    if sys.platform == "win32":
        pytest.skip("it has no such terminals")
    ours, theirs = os.openpty()
    try:
        yield theirs
    finally:
        os.close(theirs)
        os.close(ours)


def test_the_greeting_names_what_the_environment_changes_about_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    config = loaded({"providers": {"acme": provider("https://api.acme.invalid/v1", apiKey="sk-1")}})
    said = []
    for value in ("", "http://user:secret@proxy.invalid:3128", "socks5://p.invalid:1"):
        monkeypatch.setenv("HTTPS_PROXY", value)
        with closing(Gateway(on_port(config, 0), {})) as gateway:
            said.append(
                [
                    line
                    for line in greeting(gateway.assembly, gateway.url, {}).splitlines()
                    if "proxy" in line or "trust" in line
                ]
            )
    assert said == [
        [],
        [
            "Connections: trust store: certifi's list",
            f"Connections: acme is asked through the proxy proxy.invalid:3128 ({HTTPS_PROXY})",
        ],
        [
            f"Warning: acme cannot be asked: SOCKS is not supported for the proxy {SOCKS} ({HTTPS_PROXY}): {WAY_ON}",
            "Connections: trust store: certifi's list",
        ],
    ]


SOCKS = "p.invalid:1"
HTTPS_PROXY = "https_proxy" if sys.platform == "win32" else "HTTPS_PROXY"
"""Its name in what is said: Windows does not tell capitals in it, and the first that is looked up is found."""
WAY_ON = "name an http:// proxy, or add the host to NO_PROXY"


@posix_only
class TestStopping:
    def test_a_stream_ends_whole_after_sigterm_and_new_connections_are_refused(
        self, upstream: ScriptedUpstream, config: Path, tmp_path: Path
    ) -> None:
        go_on = threading.Event()
        first, *rest = [sse_events("one two three")[1:2], sse_events("one two three")[2:]]
        upstream.plays(Sse(first), WaitFor(go_on), Sse(rest[0]), Done())
        with serving("-c", str(config), cwd=tmp_path) as gateway:
            connection, response = gateway.stream("best")
            assert b"one" in response.readline()
            gateway.process.send_signal(signal.SIGTERM)
            assert gateway.process.stdout is not None
            while "Stopping" not in gateway.process.stdout.readline():
                pass
            refused = None
            while refused is None:  # the listener closes a moment after the word
                try:
                    socket.create_connection(("127.0.0.1", gateway.port), timeout=HANG).close()
                except ConnectionError as error:
                    refused = error
            go_on.set()
            text = response.read()
            connection.close()
            assert text.rstrip().endswith(b"data: [DONE]")
            assert b"three" in text
            assert gateway.process.wait(HANG) == 0

    def test_an_idle_gateway_leaves_at_once(self, config: Path, tmp_path: Path) -> None:
        with serving("-c", str(config), cwd=tmp_path) as gateway:
            kept_alive = gateway.connect()
            kept_alive.request("GET", "/health")
            assert kept_alive.getresponse().read()
            gateway.process.send_signal(signal.SIGINT)
            assert gateway.process.wait(HANG) == 0
            kept_alive.close()

    def test_an_answer_that_outlasts_the_drain_is_cut_with_an_error(
        self, upstream: ScriptedUpstream, config: Path, tmp_path: Path
    ) -> None:
        config.write_text(config.read_text().replace('"drainSeconds": 20', '"drainSeconds": 0.2'))
        upstream.plays(Sse(sse_events("one two three")[:2]), Stall())
        with serving("-c", str(config), cwd=tmp_path) as gateway:
            connection, response = gateway.stream("best")
            assert b"one" in response.readline() + response.readline() + response.readline()
            gateway.process.send_signal(signal.SIGTERM)
            rest = response.read()
            connection.close()
            assert b'"code":"draining"' in rest
            assert b"[DONE]" not in rest
            assert gateway.process.wait(HANG) == 0

    def test_a_second_signal_leaves_at_once(self, upstream: ScriptedUpstream, config: Path, tmp_path: Path) -> None:
        upstream.plays(Sse(sse_events("one two three")[:2]), Stall())
        with serving("-c", str(config), cwd=tmp_path) as gateway:
            connection, response = gateway.stream("best")
            response.readline()
            gateway.process.send_signal(signal.SIGTERM)
            assert gateway.process.stdout is not None
            while "Stopping" not in gateway.process.stdout.readline():
                pass
            gateway.process.send_signal(signal.SIGTERM)
            assert gateway.process.wait(HANG) == 1
            connection.close()


class TestAStopThatHangs:
    @pytest.mark.parametrize("part", ["drain", "close"])
    def test_ends_in_its_time(
        self, part: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A disk or a name server that does not answer keeps no process."""
        gateway, hangs = Gateway(on_port(without_file({}), 0), {}), threading.Event()
        with monkeypatch.context() as patch:
            patch.setattr(gateway, part, lambda: hangs.wait(HANG))
            assert stop(gateway, drain_seconds=0.0, more=0.1) == 0
        assert "Something did not end" in caplog.text
        [stopping] = [thread for thread in threading.enumerate() if thread.name == "stopping"]
        hangs.set()
        stopping.join(HANG)
        gateway.close()

    def test_one_that_does_not_hang_says_nothing_of_it(self, caplog: pytest.LogCaptureFixture) -> None:
        gateway = Gateway(on_port(without_file({}), 0), {})
        gateway.start()
        assert stop(gateway, drain_seconds=HANG) == 0
        assert caplog.text == ""


@posix_only
class TestAHangup:
    """SIGHUP: where a terminal closes it asks to drain; elsewhere it asks for a reload, and no stream is cut."""

    def test_without_a_terminal_reloads_and_cuts_no_stream(
        self, upstream: ScriptedUpstream, config: Path, tmp_path: Path
    ) -> None:
        go_on = threading.Event()
        upstream.plays(Sse(sse_events("one two")[:2]), WaitFor(go_on), Sse(sse_events("one two")[2:]), Done())
        with serving("-c", str(config), cwd=tmp_path) as gateway:
            connection, response = gateway.stream("best")
            assert b"role" in response.readline()
            gateway.process.send_signal(signal.Signals["SIGHUP"])
            assert gateway.process.stdout is not None
            while "no change; generation 1" not in gateway.process.stdout.readline():
                pass
            go_on.set()
            assert response.read().rstrip().endswith(b"data: [DONE]")
            connection.close()
            gateway.process.send_signal(signal.SIGTERM)
            assert gateway.process.wait(HANG) == 0

    def test_takes_a_changed_file_over_in_the_same_process_on_the_same_socket(
        self, upstream: ScriptedUpstream, config: Path, tmp_path: Path
    ) -> None:
        with serving("-c", str(config), cwd=tmp_path, nohup=True) as gateway:
            kept = gateway.connect()
            kept.request("GET", "/v1/models")
            assert b'"best"' in kept.getresponse().read()
            content = json.loads(config.read_text())
            content["modelAliases"] = [alias("fast", "a/m")]
            content["gateway"]["reload"] = "manual"
            config.write_text(json.dumps(content))
            gateway.process.send_signal(signal.Signals["SIGHUP"])
            assert gateway.process.stdout is not None
            while "generation 2 (gateway ~1, aliases +1 -1)" not in gateway.process.stdout.readline():
                pass
            kept.request("GET", "/v1/models")
            assert b'"fast"' in kept.getresponse().read(), "by the connection of before"
            kept.close()
            config.write_text("gateway: {prot: 1}\n")
            gateway.process.send_signal(signal.Signals["SIGHUP"])
            while "not reloaded, 1 fault; still serving generation 2" not in gateway.process.stdout.readline():
                pass
            gateway.process.send_signal(signal.SIGTERM)
            assert gateway.process.wait(HANG) == 0

    def test_from_a_terminal_drains_however_often_it_comes(
        self, upstream: ScriptedUpstream, config: Path, tmp_path: Path
    ) -> None:
        go_on = threading.Event()
        upstream.plays(Sse(sse_events("one two")[:2]), WaitFor(go_on), Sse(sse_events("one two")[2:]), Done())
        with terminal() as stdin, serving("-c", str(config), cwd=tmp_path, stdin=stdin) as gateway:
            connection, response = gateway.stream("best")
            assert b"role" in response.readline()
            gateway.process.send_signal(signal.Signals["SIGHUP"])
            assert gateway.process.stdout is not None
            while "Stopping" not in gateway.process.stdout.readline():
                pass
            gateway.process.send_signal(signal.Signals["SIGHUP"])
            go_on.set()
            assert response.read().rstrip().endswith(b"data: [DONE]")
            connection.close()
            assert gateway.process.wait(HANG) == 0


def test_callers_that_leave_behind_their_answer_cause_no_line_but_the_calls_own(tmp_path: Path) -> None:
    """One process a call, as with curl: its connection ends as soon as the answer is read."""
    log = tmp_path / "log"
    with serving(cwd=tmp_path, log=log) as gateway:
        body = json.dumps(chat("demo")).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{gateway.port}\r\nContent-Type: application/json"
        for _ in range(60):
            with socket.create_connection(("127.0.0.1", gateway.port), timeout=HANG) as caller:
                caller.sendall(f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
                received = b""
                while b'"finish_reason":"stop"' not in received:
                    received += caller.recv(65_536)
        gateway.process.terminate()
        gateway.process.wait(HANG)
    lines = log.read_text().splitlines()
    assert len(lines) == 60 or sys.platform == "win32", "Windows ends a process before its last lines"
    assert [line for line in lines if "demo -> demo/demo 200" not in line] == []


class TestFailing:
    """One clear line and an exit code; never a traceback."""

    def assert_clear(self, done: subprocess.CompletedProcess[str], code: int, word: str) -> None:
        assert done.returncode == code
        assert word in done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        assert done.stdout == ""

    def test_a_port_in_use_is_exit_code_1(self, tmp_path: Path) -> None:
        with open_listener() as other:
            port = other.getsockname()[1]
            done = run("--port", str(port), cwd=tmp_path)
        self.assert_clear(done, 1, f"127.0.0.1:{port} is in use")
        assert len(done.stderr.splitlines()) == 1

    def test_a_remote_address_is_exit_code_2(self, tmp_path: Path) -> None:
        done = run("--host", "0.0.0.0", cwd=tmp_path)
        self.assert_clear(done, 2, "must be a loopback address")
        assert "gateway.exposed: true and a key" in done.stderr and "python app.py key NAME" in done.stderr

    def test_a_missing_file_is_exit_code_2(self, tmp_path: Path) -> None:
        done = run("-c", "nowhere.yaml", cwd=tmp_path)
        self.assert_clear(done, 2, "nowhere.yaml")
        assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["nowhere.yaml", "to write one"]
        self.assert_clear(run_here("check", cwd=tmp_path, LLM_GATEWAY_CONFIG="gone.yaml"), 2, "gone.yaml")

    def test_a_file_in_an_unknown_home_folder_is_exit_code_2(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os.path, "expanduser", lambda path: path)
        self.assert_clear(
            run_here("check", cwd=tmp_path, LLM_GATEWAY_CONFIG="~/gone.yaml"), 2, str(Path("~/gone.yaml"))
        )

    def test_a_folder_instead_of_a_file_is_exit_code_2(self, tmp_path: Path) -> None:
        self.assert_clear(run_here("-c", str(tmp_path), cwd=tmp_path), 2, "folder")

    def test_all_faults_of_a_file_are_told_with_their_places(self, tmp_path: Path) -> None:
        (tmp_path / "config.yaml").write_text("gateway:\n  prot: 1\n  threads: many\nproviders:\n  groc: {}\n")
        done = run_here("check", cwd=tmp_path)
        self.assert_clear(done, 2, 'config.yaml:2:3 gateway: unknown key "prot"; did you mean "port"?')
        assert "config.yaml:3:12 gateway.threads" in done.stderr
        assert 'did you mean "groq"?' in done.stderr

    @pytest.mark.parametrize("arguments", [["--prot", "1"], ["serve", "--port", "x"], ["--port", "70000"], ["chekc"]])
    def test_bad_usage_is_exit_code_2(self, tmp_path: Path, arguments: list[str]) -> None:
        done = run_here(*arguments, cwd=tmp_path)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


class TestVerbs:
    def test_version(self, tmp_path: Path) -> None:
        done = run_here("--version", cwd=tmp_path)
        assert done.returncode == 0
        assert re.fullmatch(r"llm-gateway \d+\.\d+\.\d+\n", done.stdout)

    def test_help_names_the_verbs(self, tmp_path: Path) -> None:
        done = run("--help", cwd=tmp_path)
        assert done.returncode == 0
        assert "serve" in done.stdout
        assert "check" in done.stdout

    def test_check_prints_the_schema(self, tmp_path: Path) -> None:
        done = run_here("check", "--schema", cwd=tmp_path)
        assert done.returncode == 0
        assert json.loads(done.stdout)["$schema"].startswith("https://json-schema.org")

    def test_check_is_fine_with_the_example(self, tmp_path: Path) -> None:
        done = run_here(
            "check", "-c", str(ROOT / "config.example.yaml"), cwd=tmp_path, OPENAI_API_KEY="sk-test-0123456789"
        )
        assert done.returncode == 0, done.stderr
        assert "fine" in done.stdout
        assert "sk-test" not in done.stdout + done.stderr

    def test_check_says_whom_tls_trusts_and_which_proxies_are_used(self, tmp_path: Path) -> None:
        config = {
            "providers": {"acme": provider("https://api.acme.invalid/v1"), "here": provider("http://localhost:1")}
        }
        (tmp_path / "config.yaml").write_text(json.dumps(config))
        bundle = str(tmp_path / "company.pem")
        proxy = {
            "HTTPS_PROXY": "http://user:secret@proxy.invalid:3128",
            "ALL_PROXY": "",
            "NO_PROXY": "",
            "no_proxy": "",
        }
        trusted = {"REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": "", "SSL_CERT_FILE": bundle}
        done = run("check", cwd=tmp_path, **trusted, **proxy)
        assert done.returncode == 0, done.stderr
        assert f"warning: SSL_CERT_FILE={bundle} cannot be read: name a file of certificates in PEM\n" in done.stdout
        assert f"trust store: SSL_CERT_FILE={bundle}\n" in done.stdout
        assert f"acme is asked through the proxy proxy.invalid:3128 ({HTTPS_PROXY})\n" in done.stdout
        assert "here is" not in done.stdout and "secret" not in done.stdout

    def test_output_survives_an_ascii_console(self, tmp_path: Path) -> None:
        folder = tmp_path / "설정"
        folder.mkdir()
        (folder / "config.yaml").write_text("gateway: {}\n")
        done = run("check", "-c", str(folder / "config.yaml"), cwd=tmp_path, PYTHONIOENCODING="ascii:strict")
        assert done.returncode == 0, done.stderr

    def test_a_key_in_the_environment_joins_in_and_an_empty_one_does_not(self, tmp_path: Path) -> None:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "app.py"), "--port", "0"],
            cwd=tmp_path,
            env=environment(GROQ_API_KEY="gsk_canary_0123456789abcdef", MISTRAL_API_KEY=""),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            assert process.stdout is not None
            process.stdout.readline()
            said = process.stdout.readline()
        finally:
            process.kill()
            process.communicate(timeout=HANG)
        assert "groq" in said
        assert "mistral" not in said
        assert "canary" not in said


@posix_only
def test_a_reader_of_stdout_that_is_gone_stops_nothing(
    upstream: ScriptedUpstream, config: Path, tmp_path: Path
) -> None:
    go_on = threading.Event()
    upstream.plays(Sse(sse_events("one two")[:2]), WaitFor(go_on), Sse(sse_events("one two")[2:]), Done())
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "app.py"), "--port", "0", "-c", str(config)],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        gateway = Served(process)
        connection, response = gateway.stream("best")
        assert b"role" in response.readline()
        assert process.stdout is not None
        process.stdout.close()
        process.send_signal(signal.SIGTERM)
        go_on.set()
        assert response.read().rstrip().endswith(b"data: [DONE]")
        connection.close()
        assert process.wait(HANG) == 0
    finally:
        process.kill()
        process.wait(HANG)


def test_a_python_without_the_packages_is_told_so_in_a_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-S", str(ROOT / "app.py")],  # -S: without the folder that packages are installed in
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"\w+ is not installed here \(.+\)\. README says under Start .+ app\.py\n", done.stderr)


def test_an_older_python_is_told_so_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 13))
    with pytest.raises(SystemExit, match=r"needs Python 3\.11 or newer; this is 3\.10 \("):
        door()


def test_an_older_python_can_read_the_door() -> None:
    for name in ("app.py", "gateway/__init__.py", "gateway/__main__.py"):
        ast.parse((ROOT / name).read_text(encoding="utf-8"), name, feature_version=(3, 7))


@pytest.mark.parametrize("served", [True, False])
def test_the_greeting_names_the_page_where_it_is_served(served: bool) -> None:
    config = loaded({"gateway": {"page": served}, "providers": {"acme": provider("http://127.0.0.1:9/v1")}})
    with closing(Gateway(on_port(config, 0), {})) as gateway:
        shown = [line for line in greeting(gateway.assembly, gateway.url, {}).splitlines() if "Page" in line]
        assert shown == ([f"Page: {gateway.url}/"] if served else [])
