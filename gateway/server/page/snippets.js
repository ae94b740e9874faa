// How each client is pointed at the gateway. Names are quoted by the rules of each language, whatever is in them.

const quoted = JSON.stringify; // also a string of Python, JavaScript, TOML and YAML
const inShell = (text) => (/^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** The clients' tabs, in order: id, name, what stands above the code (a key of the words), and the code.
 *
 * base: of OpenAI's clients, with /v1. model: a name to ask for. keyed: whether a key is needed; it is never written
 * out, but read from the variable GATEWAY_KEY. */
export function snippets(base, model, keyed) {
  const plain = withoutVersion(base);
  return [
    { id: "curl", name: "curl", above: "help.shell", code: curl(base, model, keyed) },
    { id: "python", name: "Python", above: "help.python", code: python(base, model, keyed) },
    { id: "node", name: "Node", above: "help.node", code: node(base, model, keyed) },
    { id: "codex", name: "Codex", above: "help.codex", code: codex(base, model, keyed) },
    { id: "claude", name: "Claude Code", above: "help.claude", code: claude(plain, model, keyed) },
    { id: "continue", name: "Continue", above: "help.continue", code: continues(base, model, keyed) },
  ];
}

/** The address for Claude Code and Anthropic's SDKs, which add /v1 themselves. */
export const withoutVersion = (base) => base.replace(/\/v1$/, "");

function curl(base, model, keyed) {
  const body = JSON.stringify({ model, messages: [{ role: "user", content: "Hello" }] });
  const key = keyed ? ` \\\n  -H "Authorization: Bearer $GATEWAY_KEY"` : "";
  return `curl ${base}/chat/completions \\\n  -H 'Content-Type: application/json'${key} \\\n  -d ${inShell(body)}`;
}

function python(base, model, keyed) {
  const key = keyed ? `os.environ["GATEWAY_KEY"]` : `"none"`;
  return `${keyed ? "import os\n\n" : ""}from openai import OpenAI

client = OpenAI(base_url=${quoted(base)}, api_key=${key})
answer = client.chat.completions.create(model=${quoted(model)}, messages=[{"role": "user", "content": "Hello"}])
print(answer.choices[0].message.content)`;
}

function node(base, model, keyed) {
  const key = keyed ? "process.env.GATEWAY_KEY" : `"none"`;
  return `import OpenAI from "openai";

const client = new OpenAI({ baseURL: ${quoted(base)}, apiKey: ${key} });
const answer = await client.chat.completions.create({ model: ${quoted(model)}, messages: [{ role: "user", content: "Hello" }] });
console.log(answer.choices[0].message.content);`;
}

function codex(base, model, keyed) {
  return `model = ${quoted(model)}
model_provider = "gateway"

[model_providers.gateway]
name = "LLM Gateway"
base_url = ${quoted(base)}
wire_api = "responses"${keyed ? `\nenv_key = "GATEWAY_KEY"` : ""}`;
}

function claude(plain, model, keyed) {
  const key = keyed ? `"$GATEWAY_KEY"` : "none";
  return `ANTHROPIC_BASE_URL=${plain} ANTHROPIC_AUTH_TOKEN=${key} claude --model ${inShell(model)}`;
}

function continues(base, model, keyed) {
  const key = keyed ? "\n    apiKey: ${{ secrets.GATEWAY_KEY }}" : "";
  return `name: gateway
version: 0.0.1
schema: v1
models:
  - name: ${quoted(model)}
    provider: openai
    model: ${quoted(model)}
    apiBase: ${quoted(base)}${key}`;
}
