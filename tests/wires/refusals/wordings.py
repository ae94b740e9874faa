"""Real refusals of providers, and what each means. An entry is a meaning, a status, a body and where it was seen."""

from typing import NamedTuple

from gateway.core.provider_failures import (
    ContentRefused,
    ContextTooLong,
    CredentialRefused,
    GenerationFailed,
    ProviderFailure,
    QuotaExhausted,
    RateLimited,
    TargetModelMissing,
    Unavailable,
    UnsupportedByModel,
)
from gateway.core.strict_json import JsonObject, JsonValue


class Wording(NamedTuple):
    """A refusal. `seen`: a public issue, or the page of the vendor's documentation."""

    means: type[ProviderFailure]
    status: int
    body: JsonValue
    seen: str


def openai(message: str, kind: str | None = "invalid_request_error", code: str | None = None) -> JsonObject:
    """An error in OpenAI's shape."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def anthropic(kind: str, message: str) -> JsonObject:
    """An error in Anthropic's shape."""
    return {"type": "error", "error": {"type": kind, "message": message}}


def hub(raw: str, code: int) -> JsonObject:
    """An error in OpenRouter's shape."""
    return {
        "error": {
            "message": "Provider returned error",
            "code": code,
            "metadata": {"raw": raw, "provider_name": "X"},
        }
    }


CONTEXT = tuple(
    Wording(ContextTooLong, *rest)
    for rest in (
        (400, openai("This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens.", code="context_length_exceeded"), "ferrislucas/promptr#26"),
        (400, openai("Your input exceeds the context window of this model. Please adjust your input and try again."), "openai/codex#4106"),
        (400, anthropic("invalid_request_error", "prompt is too long: 207791 tokens > 200000 maximum"), "whoz-oss/coday#26"),
        (400, anthropic("invalid_request_error", "input length and `max_tokens` exceed context limit: 199759 + 8192 > 200000, decrease input length or `max_tokens` and try again"), "continuedev/continue#6080"),
        (400, {"code": "Client specified an invalid argument", "error": "This model's maximum prompt length is 131072 but the request contains 150213 tokens."}, "earendil-works/pi#6937"),
        (422, {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens and 200 `max_new_tokens`", "error_type": "validation"}, "huggingface/text-generation-inference"),
        (400, openai("Invalid request: Your request exceeded model token limit: 262144 (requested: 269030)"), "MoonshotAI/kimi-cli#2011"),
        (400, {"error": {"message": "Input length 877338 exceeds the maximum allowed input length of 639968 tokens", "code": "400"}}, "earendil-works/pi#4943"),
        (400, {"error": {"code": "InvalidParameter", "message": "Input length 203743 exceeds the maximum length 202752"}}, "langgenius/dify#32221"),
        (400, {"error": {"code": 400, "message": "The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).", "status": "INVALID_ARGUMENT"}}, "google-gemini/gemini-cli"),
        (400, openai("This endpoint's maximum context length is 32768 tokens. However, you requested about 42832 tokens (42832 of text input)."), "refly-ai/refly#1177"),
        (413, openai("Request body too large for gpt-4o model. Max size: 8000 tokens.", None, "tokens_limit_reached"), "github/models"),
        (400, openai("prompt token count of 130000 exceeds the limit of 128000", None, "model_max_prompt_tokens_exceeded"), "microsoft/vscode-copilot-release"),
        (400, {"error": {"code": "1261", "message": "Prompt exceeds max length"}}, "docs.bigmodel.cn api-code"),
        (400, {"object": "error", "message": "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length", "type": "invalid_request_prompt", "code": "3051"}, "mistralai/client-python"),
        (400, {"error": {"code": 400, "message": "the request exceeds the available context size, try increasing it", "type": "exceed_context_size_error", "n_prompt_tokens": 9000, "n_ctx": 4096}}, "ggml-org/llama.cpp#14566"),
        (400, {"error": "Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens, which is not enough."}, "lmstudio-ai/lmstudio-bug-tracker#237"),
        (400, {"error": "The number of tokens to keep from the initial prompt is greater than the context length."}, "lmstudio-ai/lmstudio-bug-tracker"),
        (400, {"message": "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 5000. Try using a shorter prompt, or enable prompt truncating."}, "docs.cohere.com/reference/errors"),
        (400, openai("Please reduce the length of the messages or completion. Current length is 9000 while limit is 8192"), "inference-docs.cerebras.ai"),
        (400, {"code": "InvalidParameter", "message": "Range of input length should be [1, 129024]", "request_id": "r"}, "help.aliyun.com error-code"),
        (400, {"base_resp": {"status_code": 2013, "status_msg": "invalid params, context window exceeds limit (2013)"}}, "minimax error codes"),
        (400, {"message": "Input is too long for requested model."}, "aws bedrock ValidationException"),
        (500, {"error": {"code": 500, "message": "Context size has been exceeded.", "type": "server_error"}}, "ggml-org/llama.cpp"),
        (400, {"object": "error", "message": "The input (40000 tokens) is longer than the model's context length (32768 tokens).", "type": "BadRequestError", "code": 400}, "sgl-project/sglang"),
        (400, openai("This model's maximum context length is 262144 tokens. However, you requested 128000 output tokens and your prompt contains at least 134145 input tokens, for a total of at least 262145 tokens."), "AIDotNet/OpenCowork#82"),
        (413, openai("Request too large for model `m` in organization `org_x` service tier `on_demand` on tokens per minute (TPM): Limit 6000, Requested 12328, please reduce your message size and try again.", "tokens", "rate_limit_exceeded"), "cline/cline#4971"),
        (429, openai("Request too large for gpt-4-turbo in organization org-x on tokens per min (TPM): Limit 30000, Requested 40000. The input or output tokens must be reduced in order to run successfully.", "tokens", "rate_limit_exceeded"), "community.openai.com"),
        (400, openai("litellm.ContextWindowExceededError: litellm.BadRequestError: AnthropicException - prompt is too long: 210000 tokens > 200000 maximum", None, "400"), "BerriAI/litellm#10793"),
        (400, {"error": {"message": "Prompt tokens (9000) exceeds context size (8192)", "type": "context_exceeded"}}, "antirez/ds4#150"),
        (400, {"error_code": 336007, "error_msg": "the max input characters is 11200"}, "cloud.baidu.com error codes"),
        (400, openai("输入内容过长，超过模型最大上下文长度限制", None), "docs.bigmodel.cn"),
        (400, {"code": 20015, "message": "输入的 tokens 总数超过了模型的上下文长度", "data": None}, "docs.siliconflow.cn"),
        (400, hub('{"error": {"message": "The prompt has 9000 tokens, but the configured context size is 8192 tokens"}}', 400), "zed-industries/zed#64424"),
        (422, {"detail": "Requested token count exceeds the model's maximum context length of 131072 tokens."}, "NVIDIA-NeMo/Switchyard#314"),
    )
)  # fmt: skip

MODEL = tuple(
    Wording(TargetModelMissing, *rest)
    for rest in (
        (404, openai("The model `gpt-none` does not exist or you do not have access to it.", code="model_not_found"), "continuedev/continue#10832"),
        (400, openai("Model Not Exist", code="invalid_request_error"), "openclaw/openclaw#97564"),
        (400, openai("The model `old` has been decommissioned and is no longer supported.", code="model_decommissioned"), "RooCodeInc/Roo-Code#439"),
        (400, openai("The model `old` has been decommissioned and is no longer supported. Please refer to the page of deprecations."), "RooCodeInc/Roo-Code#439"),
        (400, openai("/chat/completions: Invalid model name passed in model=gpt-none. Call `/v1/models` to view available models for your key.", code="400"), "decolua/9router#4263"),
        (400, {"message": "Invalid model. Please select a different model to continue.", "reason": "INVALID_MODEL_ID"}, "decolua/9router#2568"),
        (400, {"error": {"message": "deepseek-r1t-chimera:free is not a valid model ID", "code": 400}}, "continuedev/continue#10322"),
        (400, {"message": "The provided model identifier is invalid."}, "iOfficeAI/AionCore#377"),
        (400, openai("The requested model 'gpt-4-1106-preview' does not exist.", code="model_not_found"), "skorokithakis/sysaidmin#9"),
        (400, openai("No model found: routeway/none", None), "tashfeenahmed/freellmapi#1143"),
        (404, {"error": "model 'llama9' not found, try pulling it first"}, "ollama/ollama"),
        (404, {"error": {"code": 404, "message": "models/gemini-0 is not found for API version v1beta, or is not supported for generateContent.", "status": "NOT_FOUND"}}, "google-gemini/cookbook"),
        (404, {"error": {"code": "DeploymentNotFound", "message": "The API deployment for this resource does not exist."}}, "learn.microsoft.com azure openai"),
        (400, {"error": {"code": "InvalidEndpointOrModel.NotFound", "message": "The model or endpoint doubao-x does not exist or you do not have access to it."}}, "volcengine error codes"),
        (400, {"code": 20012, "message": "Model does not exist. Please check it carefully.", "data": None}, "docs.siliconflow.cn error-code"),
        (400, {"error": {"code": "1211", "message": "模型不存在，请检查模型代码。"}}, "docs.bigmodel.cn api-code"),
        (400, {"error": "The requested model 'org/none' is not supported by any provider you have enabled."}, "huggingface/huggingface_hub"),
        (400, openai("Unknown model: none", None), "github/models"),
        (403, openai("Project `proj_x` does not have access to model `gpt-4`", code="model_not_found"), "community.openai.com"),
        (400, openai("Unable to access model X. Please visit https://api.together.ai/models to view the list of supported models.", code="model_not_available"), "docs.together.ai"),
        (404, {"error": {"message": "No endpoints found for mistralai/none.", "code": 404}}, "openrouter.ai"),
        (400, {"object": "error", "message": "Invalid model: mistral-none", "type": "invalid_model", "code": "1500"}, "mistralai/client-python"),
        (400, {"error": {"message": "该模型已下线，请使用其他模型", "type": "invalid_request_error"}}, "cherryhq/cherry-studio"),
        (422, {"detail": "Model not found: none"}, "deepinfra"),
        (400, openai("Unsupported model: none"), "perplexity docs"),
    )
)  # fmt: skip

KEY = tuple(
    Wording(CredentialRefused, *rest)
    for rest in (
        (401, openai("Incorrect API key provided: sk-no. You can find your API key at https://platform.openai.com/account/api-keys.", code="invalid_api_key"), "stepanogil/autonomous-hr-chatbot#4"),
        (400, {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: na***ys. You can obtain an API key from https://console.x.ai."}, "openai/codex#1352"),
        (401, openai("Authentication Fails, Your api key: ****De99 is invalid", "authentication_error", "invalid_request_error"), "BerriAI/litellm#23640"),
        (400, {"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT"}}, "google-gemini/generative-ai-js"),
        (401, anthropic("authentication_error", "invalid x-api-key"), "docs.claude.com errors"),
        (400, openai("Invalid API Key"), "console.groq.com errors"),
        (401, {"error": {"message": "No auth credentials found", "code": 401}}, "openrouter.ai"),
        (400, {"code": "InvalidApiKey", "message": "Invalid API-key provided.", "request_id": "r"}, "help.aliyun.com error-code"),
        (401, openai("[proj]无效的令牌 (request id: 1)", "shell_api_error"), "yuruotong1/autoMate#96"),
        (400, {"error": {"code": "1002", "message": "Authorization Token 非法，请确认 Authorization Token 正确传递。"}}, "docs.bigmodel.cn api-code"),
        (400, {"base_resp": {"status_code": 1004, "status_msg": "login fail: Please carry the API secret key in the 'Authorization' field"}}, "minimax error codes"),
        (403, {"message": "The security token included in the request is invalid."}, "aws bedrock"),
        (401, {"error": "Invalid username or password."}, "huggingface hub"),
        (401, {"detail": "Unauthorized"}, "mistral"),
        (400, openai("Invalid Authentication", "invalid_authentication_error"), "platform.moonshot.cn"),
        (422, {"message": "Unauthorized: your API key has expired"}, "nvidia nim"),
        (403, {"status": 403, "title": "Forbidden", "detail": "Authorization failed"}, "nvidia nim"),
        (400, openai("litellm.AuthenticationError: AuthenticationError: OpenAIException - Incorrect API key provided", None), "BerriAI/litellm#23640"),
        (400, {"error_code": 110, "error_msg": "Access token invalid or no longer valid"}, "cloud.baidu.com error codes"),
        (400, openai("Missing bearer or basic authentication in header"), "platform.openai.com"),
    )
)  # fmt: skip

CREDIT = tuple(
    Wording(QuotaExhausted, *rest)
    for rest in (
        (429, openai("You have run out of credits or reached your maximum monthly spend.", "insufficient_quota", "insufficient_quota"), "platform.openai.com error-codes"),
        (400, anthropic("invalid_request_error", "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits."), "anthropics/claude-code#4684"),
        (402, openai("Insufficient Balance", "unknown_error", "invalid_request_error"), "oficcejo/aiagents-stock#33"),
        (402, {"error": {"message": "This request requires more credits, or fewer max_tokens. You requested up to 64000 tokens, but can only afford 3000.", "code": 402}}, "openrouter.ai"),
        (400, {"error": {"message": "credit insufficient balance: balance=0 required=4560"}}, "api.b.ai, one-api"),
        (412, {"error": {"message": "Account acme is suspended, possibly due to reaching the monthly spending limit or failure to pay past invoices."}}, "docs.fireworks.ai"),
        (400, {"code": "Arrearage", "message": "Access denied, please make sure your account is in good standing.", "request_id": "r"}, "help.aliyun.com error-code"),
        (403, {"code": "AllocationQuota.FreeTierOnly", "message": "The free tier of the model has been exhausted. If you wish to continue access the model on a paid basis, please disable the mode."}, "help.aliyun.com error-code"),
        (403, {"error": {"code": "AccountOverdueError", "message": "The request failed because your account has an overdue balance."}}, "volcengine error codes"),
        (429, {"error": {"code": "1113", "message": "余额不足或无可用资源包,请充值。"}}, "docs.bigmodel.cn api-code"),
        (200, {"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}, "minimax error codes"),
        (403, {"code": 30001, "message": "Sorry, your account balance is insufficient", "data": None}, "docs.siliconflow.cn"),
        (403, openai("用户额度不足, 剩余额度: $0.00", "new_api_error", "insufficient_user_quota"), "songquanpeng/one-api"),
        (401, openai("该令牌额度已用尽", "new_api_error"), "songquanpeng/one-api"),
        (400, openai("Budget has been exceeded! Current cost: 10.1, Max budget: 10.0", "budget_exceeded", "400"), "docs.litellm.ai"),
        (429, openai("Your account balance is insufficient, please recharge your account", "exceeded_current_quota_error"), "platform.moonshot.cn"),
        (402, {"message": "You have exceeded your monthly included credits for Inference Providers. Subscribe to PRO to get 20x more."}, "huggingface"),
        (429, {"error": {"message": "Rate limit exceeded: free-models-per-day", "code": 429}}, "openrouter.ai limits"),
        (403, {"error": {"code": 403, "message": "This API method requires billing to be enabled.", "status": "PERMISSION_DENIED", "details": [{"reason": "BILLING_DISABLED"}]}}, "google cloud billing"),
        (400, openai("您的账户已欠费，请充值后使用", None), "whatwewant/chatgpt-for-chatbot-feishu#80"),
    )
)  # fmt: skip

RATE = tuple(
    Wording(RateLimited, *rest)
    for rest in (
        (429, openai("Rate limit reached for gpt-4 in organization org-x on tokens per min (TPM): Limit 10000, Used 9000, Requested 2000. Please try again in 6s.", "tokens", "rate_limit_exceeded"), "platform.openai.com error-codes"),
        (429, anthropic("rate_limit_error", "This request would exceed your organization's rate limit of 50 requests per minute"), "docs.claude.com errors"),
        (429, hub("z-ai/glm is temporarily rate-limited upstream. Please retry shortly.", 429), "reVrost/go-openrouter#21"),
        (429, openai("Your account x / proj-y request reached project TPM rate limit, current: 1410, limit: 100", "rate_limit_reached_error"), "LLM-Red-Team/kimi-cc#41"),
        (429, openai("Your account x request reached max request: 3, please try again after 1 seconds", "rate_limit_reached_error"), "harry0703/MoneyPrinterTurbo#339"),
        (429, {"error": {"code": "1302", "message": "您当前使用该API的并发数过高，请降低并发"}}, "docs.bigmodel.cn api-code"),
        (429, {"error": {"code": "1305", "message": "该模型当前访问量过大，请您稍后再试"}}, "HKUDS/nanobot#3864"),
        (200, {"base_resp": {"status_code": 1002, "status_msg": "rate limit"}}, "minimax error codes"),
        (429, {"message": "Too many tokens, please wait before trying again.", "__type": "ThrottlingException"}, "aws bedrock"),
        (400, {"message": "Too many requests, please slow down"}, "mistral"),
        (429, {"code": "Throttling.RateQuota", "message": "Requests rate limit exceeded, please try again later.", "request_id": "r"}, "help.aliyun.com error-code"),
        (403, {"error_code": 18, "error_msg": "Open api qps request limit reached"}, "cloud.baidu.com error codes"),
        (400, openai("请求过于频繁，请稍后再试", None), "songquanpeng/one-api"),
        (403, {"message": "You have reached the max concurrency of requests"}, "perplexity"),
        (503, openai("Requests to the API have exceeded call rate limit of your current pricing tier", None, "429"), "azure openai"),
        (400, openai("litellm.RateLimitError: VertexAIException - Resource exhausted. Please try again later.", None), "docs.litellm.ai"),
    )
)  # fmt: skip

CANNOT = tuple(
    Wording(UnsupportedByModel, *rest)
    for rest in (
        (400, openai("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", code="unsupported_parameter"), "decolua/9router#846"),
        (400, openai("Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is supported.", code="unsupported_value"), "community.openai.com"),
        (400, openai("hub.example/library/gemma:2b does not support tools", "api_error"), "ollama/ollama#6027"),
        (400, openai("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]", code="invalid_request_error"), "musistudio/claude-code-router#644"),
        (404, {"error": {"message": "No endpoints found that support tool use. To learn more about provider routing, visit: https://openrouter.ai/docs", "code": 404}}, "dnakov/anon-kode#2"),
        (404, {"error": {"message": "No endpoints found that support image input", "code": 404}}, "openrouter.ai"),
        (400, anthropic("invalid_request_error", "max_tokens: 100000 > 8192, which is the maximum allowed number of output tokens for claude-3-5-sonnet"), "docs.claude.com"),
        (400, openai("max_tokens is too large: 100000. This model supports at most 16384 completion tokens, whereas you provided 100000."), "community.openai.com"),
        (400, {"error": {"code": 400, "message": "Function calling is not enabled for models/gemma-3-27b-it", "status": "INVALID_ARGUMENT"}}, "ai.google.dev"),
        (400, {"object": "error", "message": '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set', "type": "BadRequestError", "code": 400}, "vllm-project/vllm"),
        (400, {"error": {"message": "Failed to deserialize the JSON body into the target type: messages[0]: unknown variant `image_url`, expected `text` at line 1 column 90", "type": "invalid_request_error"}}, "deepseek"),
        (400, {"error": {"code": 400, "message": "The model does not support image input", "type": "invalid_request_error"}}, "continuedev/continue"),
        (400, openai("Invalid content type. image_url is only supported by certain models."), "community.openai.com"),
        (400, {"object": "error", "message": "At most 0 image(s) may be provided in one prompt.", "type": "BadRequestError", "code": 400}, "vllm-project/vllm"),
        (422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted", "input": {}}]}, "NousResearch/hermes-agent#109143"),
        (400, openai("Unrecognized request argument supplied: reasoning_effort"), "davidmigloz/langchain_dart#712"),
        (422, {"title": "Unprocessable Entity", "status": 422, "detail": "body -> frequency_penalty\n  Extra inputs are not permitted (type=extra_forbidden)\nbody -> n\n  Extra inputs are not permitted (type=extra_forbidden)"}, "NVIDIA/garak#748"),
        (400, openai("'messages.1' : for 'role:assistant' the following must be satisfied[('messages.1' : property 'reasoning_content' is unsupported)]"), "console.groq.com"),
        (413, anthropic("request_too_large", "Request exceeds the maximum size"), "docs.claude.com errors"),
        (400, {"code": "InvalidParameter", "message": "Range of max_tokens should be [1, 8192]"}, "help.aliyun.com error-code"),
        (400, openai("`max_tokens` must be less than or equal to `32768`, the maximum value for `max_tokens` is less than the `context_window` for this model"), "console.groq.com"),
        (400, anthropic("invalid_request_error", "`temperature` and `top_p` cannot both be specified for this model. Please use only one."), "docs.claude.com"),
        (400, openai("Unsupported value: 'messages[0].role' does not support 'system' with this model.", code="unsupported_value"), "community.openai.com"),
        (400, openai("当前模型不支持图片输入", None), "docs.bigmodel.cn"),
        (400, {"message": "Unsupported parameter(s): `documents`, `add_special_tokens`", "type": "Bad Request", "code": 400}, "ai-dynamo/dynamo#4021"),
        (400, openai("Invalid 'tools': array too long. Expected an array with maximum length 128, but got an array with length 200 instead."), "community.openai.com"),
        (400, openai("litellm.UnsupportedParamsError: mistral does not support parameters: ['logit_bias'], for model=m.", None), "docs.litellm.ai"),
    )
)  # fmt: skip

GENERATION = tuple(
    Wording(GenerationFailed, *rest)
    for rest in (
        (400, {"error": {"message": "Failed to call a function. Please adjust your prompt. See 'failed_generation' for more details.", "type": "invalid_request_error", "code": "tool_use_failed", "failed_generation": "<function=f>"}}, "pydantic/pydantic-ai#4354"),
        (400, openai("Failed to generate JSON. Please adjust your prompt. See 'failed_generation' for more details.", code="json_validate_failed"), "console.groq.com errors"),
        (400, openai("Parsing failed. The model generated output that could not be parsed.", code="output_parse_failed"), "console.groq.com errors"),
        (400, openai("Tool choice is required, but model did not call a tool"), "groq/groq-typescript#28"),
        (400, openai("Generated JSON does not match the expected schema. Please adjust your prompt."), "console.groq.com errors"),
        (400, openai("tool call validation failed: attempted to call tool 'f' which was not in request.tools"), "anomalyco/opencode#1018"),
        (500, {"error": "error parsing tool call: raw='{\"a\":1]', err=invalid character ']' after object key:value pair"}, "ollama/ollama#12064"),
        (400, {"error": {"code": 400, "message": "Model generated invalid JSON syntax and the output could not be parsed", "status": "INVALID_ARGUMENT"}}, "scriptit-fr/GenAIApp#101"),
        (500, openai("The model produced invalid content. Consider modifying your prompt if you are seeing this error persistently.", "model_error"), "community.openai.com"),
        (424, {"error": "Request failed during generation: Server error: probability tensor contains nan", "error_type": "generation"}, "huggingface/text-generation-inference"),
        (400, {"message": "Malformed function call", "code": "MALFORMED_FUNCTION_CALL"}, "google"),
        (400, openai("Failed to parse tool call: unexpected end of input", None), "tashfeenahmed/freellmapi#168"),
        (400, openai("The model output an invalid tool call and it could not be repaired", None), "vllm-project/vllm"),
        (422, {"detail": "The model returned malformed JSON for the function arguments"}, "deepinfra"),
    )
)  # fmt: skip

FAULT = tuple(
    Wording(Unavailable, *rest)
    for rest in (
        (498, openai("Flex tier capacity exceeded", code="capacity_exceeded"), "laravel/ai#925"),
        (529, anthropic("overloaded_error", "Overloaded"), "docs.claude.com errors"),
        (503, {"error": {"code": 503, "message": "The model is overloaded. Please try again later.", "status": "UNAVAILABLE"}}, "google-gemini/gemini-cli"),
        (400, openai("The engine is currently overloaded, please try again later", "engine_overloaded_error"), "MoonshotAI/MoonshotAI-Cookbook#16"),
        (200, {"message": "Model is overloaded", "code": 50505}, "jekalmin/extended_openai_conversation#228"),
        (200, {"detail": "Engine died"}, "nashsu/llm_wiki#619"),
        (500, {"error": "当前上游负载已饱和，请稍后再试。"}, "labring/FastGPT#1595"),
        (400, openai("Internal server error", None), "groq"),
        (422, openai("upstream connect error or disconnect/reset before headers. reset reason: connection timeout", None), "envoy"),
        (400, {"error": {"code": 400, "message": "User location is not supported for the API use.", "status": "FAILED_PRECONDITION"}}, "ai.google.dev available-regions"),
        (403, openai("Country, region, or territory not supported", "request_forbidden", "unsupported_country_region_territory"), "openai/openai-python"),
        (400, {"error": {"message": "Upstream idle timeout", "code": 502}}, "genkit-ai/genkit#6259"),
        (503, {"error": "Model org/m is currently loading", "estimated_time": 20}, "huggingface inference api"),
        (424, {"message": "The model has crashed without additional information."}, "lmstudio-ai/lmstudio-bug-tracker"),
        (400, {"error": {"code": "ServerOverloaded", "message": "The service is currently unable to handle more requests."}}, "volcengine error codes"),
        (500, {"base_resp": {"status_code": 1013, "status_msg": "unknown error, 999"}}, "minimax error codes"),
        (503, openai("当前分组 default 下对于模型 m 无可用渠道", "new_api_error"), "songquanpeng/one-api"),
    )
)  # fmt: skip

CONTENT = tuple(
    Wording(ContentRefused, *rest)
    for rest in (
        (400, openai("Your request was rejected as a result of our safety system. Your prompt may contain text that is not allowed by our safety system.", code="content_policy_violation"), "community.openai.com"),
        (400, {"error": {"message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.", "type": None, "param": "prompt", "code": "content_filter", "status": 400, "innererror": {"code": "ResponsibleAIPolicyViolation"}}}, "learn.microsoft.com content-filter"),
        (403, hub('{"error": {"message": "Your request was rejected by our safety system.", "type": "invalid_request_error", "param": null, "code": "content_policy_violation"}}', 403), "prism-php/prism#813"),
        (403, {"error": {"code": 403, "message": "openai/gpt-4 requires moderation on OpenAI. Your input was flagged for \"violence\". No credits were charged.", "metadata": {"reasons": ["violence"], "flagged_input": "x"}}}, "openrouter.ai errors"),
        (400, openai("Content Exists Risk", code="invalid_request_error"), "deepseek-ai/awesome-deepseek-integration#13"),
        (400, {"error": {"code": "data_inspection_failed", "param": None, "message": "Input data may contain inappropriate content.", "type": "data_inspection_failed"}}, "Samueli924/chaoxing#539"),
        (400, openai("<400> InternalError.Algo.DataInspectionFailed: Input text data may contain inappropriate content.", None), "QwenLM/qwen-code#3145"),
        (400, {"error": {"code": "1301", "message": "系统检测到输入或生成内容可能包含不安全或敏感内容，请您避免输入易产生敏感内容的提示语，感谢您的配合。"}, "contentFilter": [{"level": 1, "role": "user"}]}, "docs.bigmodel.cn api-code"),
        (400, openai("The request was rejected because it was considered high risk", "content_filter"), "platform.moonshot.cn"),
        (200, {"base_resp": {"status_code": 1026, "status_msg": "input new_sensitive"}}, "minimax error codes"),
        (400, openai("Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again with a different prompt.", code="invalid_prompt"), "openai/openai-python#2183"),
        (403, {"code": "The caller does not have permission to execute the specified operation", "error": "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_CSAM"}, "docs.x.ai"),
        (400, anthropic("invalid_request_error", "Output blocked by content filtering policy"), "anthropics/claude-code"),
        (400, {"error": {"code": "SensitiveContentDetected", "message": "The request failed because the input text may contain sensitive information."}}, "volcengine error codes"),
        (500, openai("litellm.ContentPolicyViolationError: litellm.BadRequestError: AzureException - The response was filtered", None), "docs.litellm.ai"),
        (403, openai("抱歉，您的请求包含不安全内容，已被系统拦截", None), "NousResearch/hermes-agent#59306"),
        (400, {"message": "Content Security Warning: The content may contain inappropriate content."}, "ZyphrZero/z.ai2api_python#58"),
        (400, {"message": "The prompt was blocked by the guardrail"}, "aws bedrock guardrails"),
    )
)  # fmt: skip

WORDINGS = (*CONTENT, *CONTEXT, *MODEL, *KEY, *CREDIT, *RATE, *CANNOT, *GENERATION, *FAULT)
