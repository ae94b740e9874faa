"""The gateway as a Windows program under Wine, from outside: what a person sees, and what a service manager does.

    python windows_walk.py FOLDER

FOLDER/python has CPython for Windows, and the environment names the Wine prefix. It needs the standard library only.
"""

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import smoke

ROOT = Path(__file__).resolve().parent.parent
WAIT_SECONDS = 90.0
LONG = " ".join(f"word{number}" for number in range(50))
"""The demo says it again, word by word, in some two seconds."""
SERVICE = "llm-gateway-walk"


def main() -> None:
    """Run the checks in order; the first that fails ends it with one line and exit code 1."""
    work = Path(sys.argv[1])
    machine = Machine(work)
    try:
        for check in (from_a_terminal, without_handles, as_a_service, as_a_service_with_faults, dry_run):
            print(f"{check.__name__}: {check(machine)}", flush=True)
    except (smoke.SmokeError, OSError, ValueError, LookupError, TypeError, subprocess.SubprocessError) as fault:
        sys.exit(f"windows: {type(fault).__name__}: {fault}")


def windows_path(path: Path) -> str:
    """A path of this machine as Windows programs know it."""
    return "Z:" + str(path).replace("/", "\\")


class Machine:
    """The Windows machine that Wine is, and a folder on it.

    Args:
        work: has `python`; the checks write their files there.
    """

    def __init__(self, work: Path) -> None:
        self.work = work
        self.app = windows_path(ROOT / "app.py")

    def python(self, name: str = "python.exe") -> str:
        return str(self.work / "python" / name)

    def config(self, name: str, port: int, more: str = "") -> Path:
        """A configuration with the demo provider."""
        folder = self.work / name
        folder.mkdir()
        path = folder / "config.yaml"
        path.write_text(
            f"gateway: {{port: {port}}}\nlogging: {{file: gateway.log}}\nproviders: {{demo: {{}}}}\n"
            f"modelAliases: [{{alias: demo, providers: [{{provider: demo, model: demo}}]}}]\n{more}"
        )
        return path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A program of Python's, to its end. Its standard handles are pipes, as it needs them here."""
        return subprocess.run(
            ["wine", self.python(), *arguments],
            input="",
            capture_output=True,
            text=True,
            errors="replace",
            cwd=ROOT,
            timeout=WAIT_SECONDS,
            check=False,
        )

    def evaluate(self, expression: str) -> str:
        """The text of a value of the service's modules."""
        code = f"from gateway.service import stop_event, windows_service as w; print({expression})"
        done = self.run("-c", code)
        smoke.expect(done.returncode == 0, f"{expression}: {(done.stderr or done.stdout)[-1200:]}")
        return done.stdout.strip()


@contextmanager
def program(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A Windows program that runs until the end of the block."""
    process = subprocess.Popen(
        ["wine", *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=WAIT_SECONDS)


def from_a_terminal(machine: Machine) -> str:
    """`python app.py` serves; Ctrl-C lets a stream end whole."""
    path = machine.config("terminal", 0)
    with program(machine.python(), machine.app, "-c", windows_path(path)) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        found = smoke.ADDRESS.search(first)
        smoke.expect(found is not None, f"the first line is {first!r}")
        assert found is not None
        for check in (smoke.models, smoke.whole, smoke.streamed):
            print(f"  {check.__name__}: {check(found[0])}", flush=True)
        words = drained(int(found[0].rpartition(":")[2]), lambda: process.send_signal(signal.SIGINT))
        code = process.wait(WAIT_SECONDS)
    smoke.expect(code == 0, f"exit code {code} after Ctrl-C")
    return f"Ctrl-C: a stream of {words} words ended whole, exit code 0"


def without_handles(machine: Machine) -> str:
    """pythonw serves though sys.stdout is None, and drains when its event is set."""
    port = free_port()
    path = machine.config("pythonw", port)
    told = machine.work / "pythonw" / "handles"
    script = machine.work / "pythonw" / "start.py"
    script.write_text(  # Wine gives a program the handles of its parent, which pythonw of Windows does not have
        "import runpy, sys\nsys.stdin = sys.stdout = sys.stderr = None\n"
        f"open({windows_path(told)!r}, 'w').write(sys.executable)\n"
        f"sys.argv = [{machine.app!r}, 'serve', '-c', {windows_path(path)!r}]\n"
        f"sys.path.insert(0, {windows_path(ROOT)!r})\nrunpy.run_path({machine.app!r}, run_name='__main__')\n"
    )
    with program(machine.python("pythonw.exe"), windows_path(script)) as process:
        await_health(port)
        print(f"  whole: {smoke.whole(f'http://127.0.0.1:{port}')}", flush=True)
        asked: list[str] = []
        words = drained(port, lambda: asked.append(machine.evaluate(f"stop_event.set_event({port})")))
        code = process.wait(WAIT_SECONDS)
    smoke.expect(asked == ["True"] and code == 0, f"the event said {asked}, exit code {code}")
    smoke.expect("pythonw" in told.read_text(), "it was no pythonw")
    smoke.expect("demo -> demo/demo 200" in (path.parent / "gateway.log").read_text(), "the log file lacks the calls")
    return f"the event: a stream of {words} words ended whole, exit code 0"


def as_a_service(machine: Machine) -> str:
    """The service is installed twice, started, drained, stopped and removed."""
    port = free_port()
    path = machine.config("service", port)
    for _ in range(2):
        install(machine, path)
    states = [state(machine)]
    machine.evaluate(f"w.start({SERVICE!r})")
    states.append(state(machine))
    print(f"  whole: {smoke.whole(f'http://127.0.0.1:{port}')}", flush=True)

    def stop() -> None:
        sc("stop", SERVICE)
        states.append(state(machine))

    words = drained(port, stop)
    machine.evaluate(f"w.stop({SERVICE!r}, 60)")
    states.append(state(machine))
    machine.evaluate(f"w.uninstall({SERVICE!r})")
    states.append(state(machine))
    smoke.expect(states == ["stopped", "running", "stopping", "stopped", "None"], f"the states were {states}")
    return f"{', '.join(states)}; a stream of {words} words ended whole"


def as_a_service_with_faults(machine: Machine) -> str:
    """A configuration with faults is told to the manager and in the log file."""
    path = machine.config("faults", 8080, "nonsense: 1\n")
    install(machine, path)
    starting = f"from gateway.service import windows_service as w; w.start({SERVICE!r})"
    said = machine.run("-c", starting).stderr.strip().rpartition("OSError: ")[2]
    machine.evaluate(f"w.uninstall({SERVICE!r})")
    smoke.expect(said.endswith("exit code 2"), f"the manager said {said!r}")
    log = (path.parent / "gateway.log").read_text()
    smoke.expect('unknown key "nonsense"' in log, f"the log file has {log!r}")
    return said


def dry_run(machine: Machine) -> str:
    """`service install --dry-run` shows the task and the service, and installs neither."""
    path = machine.config("dry-run", 8080)
    shown = []
    for options in ((), ("--system",)):
        done = machine.run(machine.app, "service", "install", *options, "--dry-run", "-c", windows_path(path))
        smoke.expect(done.returncode == 0, f"service install --dry-run: {(done.stderr or done.stdout)[-1200:]}")
        shown.append(done.stdout.replace("\0", ""))  # the task's file is UTF-16
    smoke.expect("<ExecutionTimeLimit>PT0S" in shown[0], f"the task is {shown[0]!r}")
    smoke.expect("--windows-service" in shown[1], f"the service is {shown[1]!r}")
    smoke.expect(machine.evaluate("w.state('llm-gateway')") == "None", "it was installed")
    return "a task, a service, and nothing installed"


def sc(*arguments: str) -> None:
    """Windows' own command for services."""
    done = subprocess.run(
        ["wine", "sc", *arguments], input="", capture_output=True, text=True, timeout=WAIT_SECONDS, check=False
    )
    smoke.expect(done.returncode == 0, f"sc {' '.join(arguments)}: {done.stdout[-200:]}")


def install(machine: Machine, config: Path) -> None:
    """Install the service."""
    program, app = windows_path(Path(machine.python("pythonw.exe"))), machine.app
    command = f'"{program}" "{app}" serve --windows-service {SERVICE} -c "{windows_path(config)}"'
    machine.evaluate(f"w.install({SERVICE!r}, 'Walk', {command!r})")


def state(machine: Machine) -> str:
    """The service's state in a word; None where there is none."""
    return machine.evaluate(f"w.state({SERVICE!r})")


def drained(port: int, stop: Callable[[], object]) -> int:
    """How many words a stream has that runs while the gateway is stopped; it has to end whole.

    Args:
        port: of the gateway.
        stop: asks it to drain.
    """
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_SECONDS)) as connection:
        asked = {"model": "demo", "stream": True, "messages": [{"role": "user", "content": LONG}]}
        connection.request("POST", "/v1/chat/completions", json.dumps(asked), {"content-type": "application/json"})
        response = connection.getresponse()
        begin = response.readline()
        stop()
        text = (begin + response.read()).decode()
    smoke.expect(text.rstrip().endswith("data: [DONE]"), f"the stream ends with {text[-200:]!r}")
    events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
    content = "".join(choice["delta"].get("content") or "" for event in events for choice in event["choices"])
    smoke.expect(LONG in content, f"the stream says {content!r}")
    return len(content.split())


def await_health(port: int) -> None:
    """Return when the gateway serves."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not smoke.healthy(f"http://127.0.0.1:{port}"):
        smoke.expect(time.monotonic() < deadline, f"nothing serves port {port}")
        time.sleep(smoke.PAUSE_SECONDS)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


if __name__ == "__main__":
    main()
