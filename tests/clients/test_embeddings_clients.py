"""Embeddings by the clients of others: LangChain, LlamaIndex and openai-node. Slow: they are installed and started.

Each embeds the same texts at the provider itself and through the gateway, and must find the same numbers.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import npm, pypi
from tests.support.passed import embedder, embedder_of_numbers, gemini_embedder, vector_of
from tests.support.running import alias, provider, running
from tests.support.upstream_script import ScriptedUpstream
from tests.support.upstream_steps import Respond

RUN_SECONDS = 120
MODEL = "text-embedding-3-small"
TEXTS = [f"text {number} 안녕" for number in range(300)]
pytestmark = pytest.mark.slow

LANGCHAIN = """
import json, sys
from langchain_openai import OpenAIEmbeddings
base, texts = sys.argv[1], json.load(sys.stdin)
plain = {"check_embedding_ctx_length": False}  # or it sends tokens of a table that it fetches from the network
made = OpenAIEmbeddings(base_url=base, api_key="none", model=sys.argv[2], max_retries=0, **plain)
print(json.dumps([*made.embed_documents(texts), made.embed_query(texts[0])]))
"""
LLAMA_INDEX = """
import json, sys
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
base, texts = sys.argv[1], json.load(sys.stdin)
made = OpenAILikeEmbedding(api_base=base, api_key="none", model_name=sys.argv[2], max_retries=0)
print(json.dumps([*made.get_text_embedding_batch(texts), made.get_query_embedding(texts[0])]))
"""
NODE = """
import OpenAI from 'openai';
import { readFileSync } from 'node:fs';
const texts = JSON.parse(readFileSync(0, 'utf8'));
const client = new OpenAI({ baseURL: process.argv[2], apiKey: 'none', maxRetries: 0 });
const many = await client.embeddings.create({ model: process.argv[3], input: texts });
const one = await client.embeddings.create({ model: process.argv[3], input: texts[0] });
console.log(JSON.stringify([...many.data, ...one.data].map((each) => each.embedding)));
"""
Run = Callable[[str, str], Any]


def run(command: list[str], env: dict[str, str]) -> Any:
    """What the client prints."""
    done = subprocess.run(
        command,
        input=json.dumps(TEXTS),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=RUN_SECONDS,
        env={**os.environ, "NO_PROXY": "*", "PYTHONIOENCODING": "utf-8", **env},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def langchain(cache: Path, base: str, model: str) -> Any:
    folder = pypi.installed(cache, "langchain-openai==1.7.4")
    return run([sys.executable, "-c", LANGCHAIN, base, model], {"PYTHONPATH": str(folder)})


def llama_index(cache: Path, base: str, model: str) -> Any:
    folder = pypi.installed(cache, "llama-index-embeddings-openai-like==0.4.0")
    return run([sys.executable, "-c", LLAMA_INDEX, base, model], {"PYTHONPATH": str(folder)})


def node(cache: Path, base: str, model: str) -> Any:
    modules = npm.installed(cache, "openai@6.49.0")
    script = modules.parent / "embeddings.mjs"
    script.write_text(NODE, "utf-8")
    return run([shutil.which("node") or "node", str(script), base, model], {})


@pytest.mark.parametrize("client", [langchain, llama_index, node], ids=lambda each: each.__name__)
@pytest.mark.parametrize("server", [embedder, embedder_of_numbers], ids=lambda each: each.__name__)
def test_the_same_numbers_come_through_the_gateway(
    up: ScriptedUpstream, pytestconfig: pytest.Config, client: Callable[[Path, str, str], Any], server: Respond
) -> None:
    assert pytestconfig.cache is not None
    cache = pytestconfig.cache.mkdir("clients")
    up.answers(server)
    config = {"providers": {"o": provider(up.base_url)}, "modelAliases": [alias("search", f"o/{MODEL}")]}
    with running(config) as gateway:
        through = client(cache, f"{gateway.url}/v1", "search")
    assert through == [list(vector_of(text)) for text in [*TEXTS, TEXTS[0]]]
    if server is embedder:
        assert through == client(cache, up.base_url, MODEL)


@pytest.mark.parametrize("client", [langchain, llama_index, node], ids=lambda each: each.__name__)
def test_300_texts_onto_gemini_come_back_in_order(
    up: ScriptedUpstream, pytestconfig: pytest.Config, client: Callable[[Path, str, str], Any]
) -> None:
    assert pytestconfig.cache is not None
    up.answers(gemini_embedder)
    gemini = {"type": "gemini", "apiKey": "k", "apiEndpoint": f"{up.url}/v1beta"}
    config = {"providers": {"g": gemini}, "modelAliases": [alias("search", "g/gemini-embedding-001")]}
    with running(config) as gateway:
        found = client(pytestconfig.cache.mkdir("clients"), f"{gateway.url}/v1", "search")
    for vector, text in zip(found, [*TEXTS, TEXTS[0]], strict=True):
        expected = vector_of(text)
        scale = vector[1] / expected[1]
        assert vector == pytest.approx([number * scale for number in expected], rel=1e-6)
