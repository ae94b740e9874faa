"""What a web page of an allowed origin may send and read (https://fetch.spec.whatwg.org, CORS)."""

from typing import Final

EXPOSED_HEADERS: Final = (
    "x-request-id, retry-after, retry-after-ms, x-should-retry, x-gateway-provider, x-gateway-account, "
    "x-gateway-model, x-gateway-attempts, x-gateway-queue-ms, x-gateway-dropped, x-gateway-tokens, request-id"
)
ALLOWED_HEADERS: Final = (
    "authorization, content-type, x-api-key, x-request-id, x-session-id, openai-organization, openai-project, "
    "x-stainless-lang, x-stainless-package-version, x-stainless-os, x-stainless-arch, x-stainless-runtime, "
    "x-stainless-runtime-version, x-stainless-retry-count, x-stainless-timeout, x-stainless-helper-method, "
    "anthropic-version, anthropic-beta, anthropic-dangerous-direct-browser-access"
)
"""By name, because `*` does not cover Authorization. The x-stainless ones are what the JavaScript clients of OpenAI and
Anthropic send."""

PREFLIGHT_HEADERS: Final = (
    ("Access-Control-Allow-Methods", "GET, POST, DELETE, OPTIONS"),
    ("Access-Control-Allow-Headers", ALLOWED_HEADERS),
    ("Access-Control-Max-Age", "600"),
)
