"""The gateway's peers, each in the place where it is installed, and two plain proxies as the lower bound of cost."""

import json
import shutil
from pathlib import Path
from typing import Final

from benchmarks.contenders import KEY, MODEL, Before, Contender, Direct, Gateway, Place, Served, Workers, bearer
from benchmarks.options import Options
from benchmarks.processes import Child, free_port
from benchmarks.traffic import CHAT_PATH, Target


class Nginx:
    """A reverse proxy in C that does not look into requests."""

    name = "nginx"

    def missing(self, options: Options) -> str | None:
        return None if shutil.which("nginx") else "no nginx on PATH"

    def start(self, place: Place) -> Served:
        port = free_port()
        config = place.folder / "nginx.conf"
        config.write_text(_NGINX.format(folder=place.folder, port=port, upstream=place.upstream), encoding="utf-8")
        command = ["nginx", "-p", str(place.folder), "-e", "stderr", "-c", str(config)]
        return Served(Target(port, "gpt-4o", bearer()), Child(command, place.folder / "log"))


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
    """A reverse proxy in C like nginx, and the fastest one."""

    name = "haproxy"

    def missing(self, options: Options) -> str | None:
        return None if shutil.which("haproxy") else "no haproxy on PATH"

    def start(self, place: Place) -> Served:
        port = free_port()
        config = place.folder / "haproxy.cfg"
        config.write_text(_HAPROXY.format(port=port, upstream=place.upstream), encoding="utf-8")
        command = ["haproxy", "-db", "-f", str(config)]
        return Served(Target(port, "gpt-4o", bearer()), Child(command, place.folder / "log"))


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
        # Without this LiteLLM fetches a price list from the network at its start.
        child = Child(command, place.folder / "log", {"LITELLM_LOCAL_MODEL_COST_MAP": "True"})
        return Served(Target(port, MODEL, bearer(), health="/health/liveliness", translated=_TRANSLATED), child)


_TRANSLATED: Final = "bench-chat"
"""Asked for by other APIs, LiteLLM passes them on to a provider of the type `openai`; to this type it sends a chat."""


def _litellm_config(upstream: int) -> dict[str, object]:
    server = {"api_base": f"http://127.0.0.1:{upstream}/v1", "api_key": "sk-upstream-0123456789"}
    return {
        "model_list": [
            {"model_name": MODEL, "litellm_params": {"model": "openai/gpt-4o", **server}},
            {"model_name": _TRANSLATED, "litellm_params": {"model": "lm_studio/gpt-4o", **server}},
        ],
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
            *bearer(),
            ("x-portkey-provider", "openai"),
            ("x-portkey-custom-host", f"http://127.0.0.1:{place.upstream}/v1"),
        )
        child = Child(command, place.folder / "log", {"NODE_ENV": "production"})
        return Served(Target(port, "gpt-4o", headers, health="/", path=CHAT_PATH), child)


_LOOPBACK: Final = """
// Portkey listens on every address and has no setting for that. No other machine should reach a benchmark.
const net = require('net');
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (first, ...rest) {
  const where = typeof first === 'object' ? first : { port: Number(first) };
  return listen.call(this, { ...where, host: '127.0.0.1' }, ...rest.filter((each) => typeof each === 'function'));
};
"""


def _portkey(given: Path | None) -> Path | None:
    """Portkey's program: in the given folder, which is the package's or has it installed, or in the current one."""
    folder = given or Path()
    starts = ("build/start-server.js", "node_modules/@portkey-ai/gateway/build/start-server.js")
    return next((folder.resolve() / start for start in starts if (folder / start).is_file()), None)


def _program(given: Path | None, usual: str) -> str | None:
    if given is not None:
        return str(given) if given.is_file() else None
    return shutil.which(usual)


class TensorZero:
    """TensorZero's gateway, in Rust; its Python package starts it in its own process."""

    name = "tensorzero"

    def missing(self, options: Options) -> str | None:
        if options.tensorzero is None or not options.tensorzero.is_file():
            return "no Python that has tensorzero; see --tensorzero"
        return None

    def start(self, place: Place) -> Served:
        config, address = place.folder / "tensorzero.toml", place.folder / "address"
        config.write_text(_TENSORZERO.format(model=MODEL, upstream=place.upstream), encoding="utf-8")
        command = [str(place.options.tensorzero), "-c", _TENSORZERO_START, str(config), str(address)]
        child = Child(command, place.folder / "log", {"UPSTREAM_KEY": "sk-upstream-0123456789"})
        child.wait_until(address.is_file)  # it chooses the port itself
        port = int(address.read_text(encoding="utf-8"))
        address.unlink()
        model = f"tensorzero::model_name::{MODEL}"
        return Served(Target(port, model, bearer(), health="", path="/openai" + CHAT_PATH), child)


_TENSORZERO: Final = """
[gateway]
observability.enabled = false
[models.{model}]
routing = ["first", "second"]
[models.{model}.providers.first]
type = "openai"
model_name = "gpt-4o"
api_base = "http://127.0.0.1:{upstream}/v1/"
api_key_location = "env::UPSTREAM_KEY"
[models.{model}.providers.second]
type = "openai"
model_name = "gpt-4o-mini"
api_base = "http://127.0.0.1:{upstream}/v1/"
api_key_location = "env::UPSTREAM_KEY"
"""
_TENSORZERO_START: Final = """
import os, sys, threading
from urllib.parse import urlsplit
from tensorzero.tensorzero import _start_http_gateway
gateway = _start_http_gateway(
    config_file=sys.argv[1], clickhouse_url=None, postgres_url=None, valkey_url=None, async_setup=False
)
with open(sys.argv[2] + ".new", "w") as file:
    file.write(str(urlsplit(gateway.base_url).port))
os.replace(sys.argv[2] + ".new", sys.argv[2])
threading.Event().wait()
"""


ALL: Final[tuple[Contender, ...]] = (
    Direct(),
    Gateway(),
    Gateway(name="unrecorded", recorded=False),
    Workers(),
    Before(),
    Nginx(),
    HAProxy(),
    TensorZero(),
    LiteLLM(),
    Portkey(),
)
