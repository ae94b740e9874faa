"""A whole gateway in this process, on a free port, for the tests that go through its socket."""

import json
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Final

import openai
import requests

from gateway.config.faults import Faults, Position
from gateway.config.loader import Loaded, from_tree
from gateway.config.nodes import Entry, Kind, Listing, Node, Scalar, Section
from gateway.config.overrides import Overrides
from gateway.config_file import ConfigFile
from gateway.core.clock import Clock
from gateway.default_config import without_file
from gateway.providers import catalog
from gateway.serve import Gateway
from gateway.server.routes import ENDPOINTS, Row

RELAYED = True
"""Whether streams that have begun leave their threads, in every gateway that is run. `each_driver` turns it."""

NOWHERE: Final = Position(1, 1)
KINDS: Final[Mapping[type, Kind]] = {bool: "boolean", int: "integer", float: "number", type(None): "nothing"}
THREADS = 16
"""As many as any test needs. The usual 64 take longer to start than most tests take."""


NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients that speak no TLS: without it each of them reads all certificates of the system, in 20 ms."""


class Running:
    """A gateway that serves, and the clients that talk to it; all of them are closed with it."""

    def __init__(self, gateway: Gateway, closing: ExitStack) -> None:
        self.gateway = gateway
        self.url = gateway.url
        self._closing = closing
        self._session = closing.enter_context(requests.Session())
        self._session.trust_env = False

    def client(self, *, key: str = "none", retries: int = 0) -> openai.OpenAI:
        """The real client, pointed at the gateway."""
        http = openai.DefaultHttpxClient(verify=NO_AUTHORITIES)
        api = openai.OpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=retries, timeout=30, http_client=http)
        return self._closing.enter_context(api)

    def post(
        self, body: object, *, path: str = "/v1/chat/completions", headers: Mapping[str, str] | None = None
    ) -> requests.Response:
        """A POST as curl would send it; bytes go as they are, anything else as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        fields = {"content-type": "application/json", **(headers or {})}
        return self._session.post(self.url + path, data=data, headers=fields, timeout=30)

    def settle(self) -> None:
        """Wait until every call that was answered is recorded and added up, for which no caller waits."""
        assert self.gateway.idle(30) and self.gateway.runtime.ledger.flush(30)

    def get(self, path: str, *, headers: Mapping[str, str] | None = None) -> requests.Response:
        """A GET as curl would send it."""
        return self._session.get(self.url + path, headers=dict(headers or {}), timeout=30)


def loaded(config: Mapping[str, object], env: Mapping[str, str] | None = None) -> Loaded:
    """A configuration from its JSON form. The parser of files takes most of the time of a start, and is left out."""
    environ = env or {}
    return from_tree(_tree(config), Faults("config.yaml"), env=environ, checks=(catalog.check(environ),))


def _tree(value: object) -> Node:
    """What the parser makes of the value's JSON form, but for the places in the file."""
    if isinstance(value, Mapping):
        return Section(NOWHERE, {str(name): Entry(NOWHERE, _tree(each)) for name, each in value.items()})
    if isinstance(value, list | tuple):
        return Listing(NOWHERE, tuple(map(_tree, value)))
    if isinstance(value, str):
        return Scalar(NOWHERE, value, "text")
    return Scalar(NOWHERE, json.dumps(value), KINDS[type(value)])


def on_port(served: Loaded, port: int) -> Loaded:
    """The same configuration, with --port."""
    return replace(served, config=Overrides(port=port).over(served.config))


@contextmanager
def running(
    config: Mapping[str, object] | None = None,
    env: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    endpoints: Sequence[Row] = ENDPOINTS,
    file: ConfigFile | None = None,
    *,
    alone: bool = True,
) -> Iterator[Running]:
    """A gateway that serves `config`, or the file, or what is served without one. Asserts that no thread of it stays,
    where no other one runs in this process."""
    before = set(threading.enumerate())
    if file is not None:
        served = file.parse(file.read())
    else:
        served = without_file(env or {}) if config is None else loaded(_of_few_threads(config), env)
    gateway = Gateway(on_port(served, 0), env or {}, clock, relayed=RELAYED, endpoints=endpoints, file=file)
    if "demo" in vars(gateway.runtime):  # where a configuration has asked for it
        gateway.runtime.demo.word_delay = 0.001  # word by word, but nobody reads along
    try:
        gateway.start()
        with ExitStack() as closing:
            yield Running(gateway, closing)
        assert gateway.idle(timeout=10), "a call has not come to its end"
    finally:
        gateway.close()
    now = threading.enumerate()
    left = [thread for thread in now if thread not in before and not thread.name.startswith("upstream")]
    assert not (left and alone), f"threads of the gateway stay: {left}"


def _of_few_threads(config: Mapping[str, object]) -> Mapping[str, object]:
    """The same, with THREADS where it does not say how many."""
    settings = config.get("gateway", {})
    assert isinstance(settings, Mapping)
    return {**config, "gateway": {"threads": THREADS, **settings}}


def provider(endpoint: str, **settings: object) -> dict[str, object]:
    """An OpenAI-compatible provider at `endpoint`."""
    return {"type": "openai", "apiEndpoint": endpoint, **settings}


def alias(name: str, *targets: str, **settings: object) -> dict[str, object]:
    """An alias whose targets, as `provider/model`, are asked in this order."""
    ranked = []
    for priority, target in enumerate(targets, start=1):
        owner, _, model = target.partition("/")
        ranked.append({"provider": owner, "model": model, "priority": priority})
    return {"alias": name, "providers": ranked, **settings}


def chat(model: str, text: str = "Hello", **fields: object) -> dict[str, object]:
    """A chat request's body."""
    return {"model": model, "messages": [{"role": "user", "content": text}], **fields}


def events(text: str) -> Sequence[object]:
    """The data of a stream's events, [DONE] included."""
    data = [line.removeprefix("data: ") for line in text.split("\n") if line.startswith("data: ")]
    return [each if each == "[DONE]" else json.loads(each) for each in data]
