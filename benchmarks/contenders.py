"""Who is measured: a class each, which knows how to find its program, how to start it and how to ask it.

All of them are given the same job, as far as they can do it: pass a chat on to one OpenAI-compatible upstream.
"""

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from benchmarks.options import Options
from benchmarks.processes import ROOT, Child, free_port
from benchmarks.traffic import CHAT_PATH, Target

KEY: Final = "sk-benchmark-0123456789abcdef"
MODEL: Final = "bench-model"
NO_LIMIT: Final = 1_000_000
"""Requests a minute: more than any contender can do, so that a limit counts and never binds."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a contender is started.

    Attributes:
        folder: its own, for configuration and log.
        upstream: the upstream's port.
        options: of the run.
    """

    folder: Path
    upstream: int
    options: Options


@dataclass(frozen=True, slots=True)
class Served:
    """A contender that has been started; `child` is None where there is no process of its own."""

    target: Target
    child: Child | None


class Contender(Protocol):
    """Someone who passes chats on."""

    name: str

    def missing(self, options: Options) -> str | None:
        """Why it cannot be started here; None where it can."""

    def start(self, place: Place) -> Served:
        """Start it on a free port of 127.0.0.1. It need not answer yet."""


class Direct:
    """Nobody: the upstream itself, which is the floor under all added times and the ceiling over all rates."""

    name = "direct"

    def missing(self, options: Options) -> str | None:
        return None

    def start(self, place: Place) -> Served:
        return Served(Target(place.upstream, "gpt-4o", _bearer()), None)


class Gateway:
    """This project, as a user starts it, with everything on that costs something on the way of a chat.

    Args:
        program: what Python is to run instead of app.py.
    """

    name = "gateway"

    def __init__(self, program: tuple[str, ...] = (str(ROOT / "app.py"),)) -> None:
        self._program = program

    def missing(self, options: Options) -> str | None:
        return None

    def start(self, place: Place) -> Served:
        config = place.folder / "config.yaml"
        config.write_text(json.dumps(gateway_config(place.upstream, place.options.threads)), encoding="utf-8")
        port = free_port()
        command = [sys.executable, *self._program, "-c", str(config), "--port", str(port)]
        return Served(Target(port, MODEL, _bearer()), Child(command, place.folder / "log"))


def gateway_config(upstream: int, threads: int) -> dict[str, object]:
    """A key for callers, an alias with two targets, a limit that counts and never binds, JSON logs."""
    endpoint = f"http://127.0.0.1:{upstream}/v1"
    provider = {"type": "openai", "apiEndpoint": endpoint, "apiKey": "sk-upstream-0123456789"}
    targets = [
        {"provider": "first", "model": "gpt-4o", "priority": 1},
        {"provider": "second", "model": "gpt-4o-mini", "priority": 2},
    ]
    return {
        "gateway": {"apiKeys": [KEY], "threads": threads},
        "modelAliases": [{"alias": MODEL, "providers": targets}],
        "rateLimits": [{"provider": "first", "requestsPerMinute": NO_LIMIT}],
        "providers": {"first": provider, "second": provider},
        "logging": {"level": "info", "format": "json"},
    }


class Nginx:
    """A reverse proxy in C that looks at nothing."""

    name = "nginx"

    def missing(self, options: Options) -> str | None:
        return None if shutil.which("nginx") else "no nginx on PATH"

    def start(self, place: Place) -> Served:
        port = free_port()
        config = place.folder / "nginx.conf"
        config.write_text(_NGINX.format(folder=place.folder, port=port, upstream=place.upstream), encoding="utf-8")
        command = ["nginx", "-p", str(place.folder), "-e", "stderr", "-c", str(config)]
        return Served(Target(port, "gpt-4o", _bearer()), Child(command, place.folder / "log"))


_NGINX: Final = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 8192; }}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_body_buffer_size 256k;
  keepalive_requests 100000000;
  upstream provider {{ server 127.0.0.1:{upstream}; keepalive 1024; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      proxy_pass http://provider;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""


class HAProxy:
    """The same, and the fastest there is."""

    name = "haproxy"

    def missing(self, options: Options) -> str | None:
        return None if shutil.which("haproxy") else "no haproxy on PATH"

    def start(self, place: Place) -> Served:
        port = free_port()
        config = place.folder / "haproxy.cfg"
        config.write_text(_HAPROXY.format(port=port, upstream=place.upstream), encoding="utf-8")
        command = ["haproxy", "-db", "-f", str(config)]
        return Served(Target(port, "gpt-4o", _bearer()), Child(command, place.folder / "log"))


_HAPROXY: Final = """
global
  maxconn 4000
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
  option http-no-delay  # or it holds small chunks back for up to 200 ms
frontend callers
  bind 127.0.0.1:{port} backlog 1024
  default_backend provider
backend provider
  server upstream 127.0.0.1:{upstream}
"""


class LiteLLM:
    """LiteLLM's proxy, in Python, with one worker."""

    name = "litellm"

    def missing(self, options: Options) -> str | None:
        return None if _program(options.litellm, "litellm") else "no litellm on PATH; see --litellm"

    def start(self, place: Place) -> Served:
        port = free_port()
        config = place.folder / "litellm.yaml"
        config.write_text(json.dumps(_litellm_config(place.upstream)), encoding="utf-8")
        program = _program(place.options.litellm, "litellm") or "litellm"
        command = [program, "--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
        # Without this it fetches a price list from the network at its start.
        child = Child(command, place.folder / "log", {"LITELLM_LOCAL_MODEL_COST_MAP": "True"})
        return Served(Target(port, MODEL, _bearer(), health="/health/liveliness"), child)


def _litellm_config(upstream: int) -> dict[str, object]:
    params = {
        "model": "openai/gpt-4o",
        "api_base": f"http://127.0.0.1:{upstream}/v1",
        "api_key": "sk-upstream-0123456789",
    }
    return {
        "model_list": [{"model_name": MODEL, "litellm_params": params}],
        "litellm_settings": {"telemetry": False},
        "general_settings": {"master_key": KEY},
    }


class Portkey:
    """Portkey's gateway, in TypeScript on Node."""

    name = "portkey"

    def missing(self, options: Options) -> str | None:
        if not shutil.which("node"):
            return "no node on PATH"
        return None if _portkey(options.portkey) else "no @portkey-ai/gateway in ./node_modules; see --portkey"

    def start(self, place: Place) -> Served:
        port = free_port()
        loopback = place.folder / "loopback.cjs"
        loopback.write_text(_LOOPBACK, encoding="utf-8")
        program = str(_portkey(place.options.portkey))
        command = ["node", "--require", str(loopback), program, "--headless", f"--port={port}"]
        headers = (
            *_bearer(),
            ("x-portkey-provider", "openai"),
            ("x-portkey-custom-host", f"http://127.0.0.1:{place.upstream}/v1"),
        )
        child = Child(command, place.folder / "log", {"NODE_ENV": "production"})
        return Served(Target(port, "gpt-4o", headers, health="/", path=CHAT_PATH), child)


_LOOPBACK: Final = """
// It listens on every address and has no setting for that; a benchmark is nobody else's to reach.
const net = require('net');
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (first, ...rest) {
  const where = typeof first === 'object' ? first : { port: Number(first) };
  return listen.call(this, { ...where, host: '127.0.0.1' }, ...rest.filter((each) => typeof each === 'function'));
};
"""


def _portkey(told: Path | None) -> Path | None:
    """Its program: in the folder told, which is the package's or has it installed, or in the one we are in."""
    folder = told or Path()
    starts = ("build/start-server.js", "node_modules/@portkey-ai/gateway/build/start-server.js")
    return next((folder.resolve() / start for start in starts if (folder / start).is_file()), None)


def _program(told: Path | None, usual: str) -> str | None:
    if told is not None:
        return str(told) if told.is_file() else None
    return shutil.which(usual)


def _bearer() -> tuple[tuple[str, str], ...]:
    return (("Authorization", f"Bearer {KEY}"),)


ALL: Final[tuple[Contender, ...]] = (Direct(), Gateway(), Nginx(), HAProxy(), LiteLLM(), Portkey())
