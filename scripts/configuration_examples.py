"""The examples of docs/configuration.md: each is read as a whole file without a fault."""

from collections.abc import Mapping
from typing import Final

EXAMPLES: Final[Mapping[str, str]] = {
    "gateway": """
# Other machines may call, with a key; one deadline of two minutes for every request.
gateway:
  host: "0.0.0.0"
  exposed: true
  apiKeys: ["${GATEWAY_KEY}"]
  requestTimeoutSeconds: 120
""",
    "auth.watchFiles[]": """
auth:
  watchFiles:
    - path: "~/.config/other-tool/token.json"
      provider: company
providers:
  company:
    type: openai
    apiEndpoint: "https://llm.company.example/v1"
    clientId: llm-gateway
    issuer: "https://sso.company.example/realms/main"
""",
    "modelAliases[].providers[]": """
# A name with a second provider behind the first, and a pattern for clients whose names are fixed.
modelAliases:
  - alias: my-best-model
    providers:
      - {provider: openai, model: gpt-4o, priority: 1}
      - {provider: groq, model: llama-3.3-70b-versatile, priority: 2}
  - alias: "claude-*"
    providers:
      - {provider: anthropic, model: "claude-*"}
providers:
  openai: {apiKey: "${OPENAI_API_KEY}"}
  groq: {apiKey: "${GROQ_API_KEY}"}
  anthropic: {apiKey: "${ANTHROPIC_API_KEY}"}
""",
    "rateLimits[]": """
# A row for a provider, and one for some of its models; a call takes its share of both.
rateLimits:
  - {provider: openai, requestsPerMinute: 60, maxConcurrent: 20, maxWaitSeconds: 10}
  - {provider: openai, model: "gpt-4o*", tokensPerMinute: 30000}
providers:
  openai: {apiKey: "${OPENAI_API_KEY}"}
""",
    "providers.NAME": """
# A vendor that is known by its name, a server on this machine, a server behind a login, and a key in a header.
providers:
  openai: {apiKey: "${OPENAI_API_KEY}"}
  local: {type: openai, apiEndpoint: "http://127.0.0.1:11434/v1"}
  company:
    type: openai
    apiEndpoint: "https://llm.company.example/v1"
    authType: device
    clientId: llm-gateway
    issuer: "https://sso.company.example/realms/main"
    scopes: "openid offline_access"
  azure:
    type: openai
    apiEndpoint: "https://my-resource.openai.azure.com/openai/v1"
    apiKeyEnv: AZURE_OPENAI_API_KEY
    apiKeyHeader: api-key
""",
    "providers.NAME.tokenFile": """
# The token of another tool, in a format that is not known here.
providers:
  borrowed:
    type: openai
    apiEndpoint: "https://llm.company.example/v1"
    tokenFile:
      path: "~/.company/session.json"
      accessTokenPath: session.token
      expiryPath: session.validUntil
""",
    "providers.NAME.timeouts": """
# A model that thinks for long before its first word, and pauses for long.
providers:
  openai:
    apiKey: "${OPENAI_API_KEY}"
    timeouts: {firstTokenSeconds: 300, stallSeconds: 180}
""",
    "prices[]": """
prices:
  - {provider: openai, model: "gpt-4o*", inputPerMillion: 2.5, cachedInputPerMillion: 1.25, outputPerMillion: 10}
providers:
  openai: {apiKey: "${OPENAI_API_KEY}"}
""",
    "logging": """
# Lines for machines, in a file beside this one.
logging: {format: json, file: "./gateway.log"}
""",
    "ledger": """
# Single calls for a week, the sums of days for a year.
ledger: {keepDays: 7, keepSummaryDays: 365}
""",
}
"""By the name of the section that it stands in."""
