"""The codes, types and reasons of errors, and what they mean. A code of one more vendor is one more line."""

from typing import Final

from gateway.core.provider_failures import (
    ContentRefused,
    ContextTooLong,
    CredentialRefused,
    GenerationFailed,
    QuotaExhausted,
    RateLimited,
    TargetModelMissing,
    Unavailable,
    UnsupportedByModel,
)
from gateway.wires.refusals.rows import Code, coded

_OPENAI: Final = "https://platform.openai.com/docs/guides/error-codes, 2026"
_AZURE: Final = "https://learn.microsoft.com/azure/ai-foundry/openai/concepts/content-filter, 2026"
_GROQ: Final = "https://console.groq.com/docs/errors, 2026"
_GOOGLE: Final = "https://ai.google.dev/gemini-api/docs/troubleshooting, 2026"
_AWS: Final = "https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html, 2026"
_CLAUDE: Final = "https://docs.claude.com/en/api/errors, 2026"
_LITELLM: Final = "https://docs.litellm.ai/docs/exception_mapping, 2026"
_GITHUB: Final = "https://docs.github.com/en/github-models, 2026"
_ALIYUN: Final = "https://help.aliyun.com/zh/model-studio/error-code, 2026"
_VOLC: Final = "https://www.volcengine.com/docs/82379/1299023, 2026"
_ZHIPU: Final = "https://docs.bigmodel.cn/cn/api/api-code, 2026"
_MINIMAX: Final = "https://platform.minimax.io/docs/api-reference/errorcode, 2026"
_MOONSHOT: Final = "https://platform.moonshot.cn/docs/api/chat, 2026"
_BAIDU: Final = "https://cloud.baidu.com/doc/WENXINWORKSHOP/s/tlmyncueh, 2026"
_SILICON: Final = "https://docs.siliconflow.cn/cn/faqs/error-code, 2026"
_TENCENT: Final = "https://cloud.tencent.com/document/product/1729, 2026"
_TOGETHER: Final = "https://docs.together.ai/docs/error-codes, 2026"
_MISTRAL: Final = "https://docs.mistral.ai/deployment/laplateforme/tier, 2026"
_ONE_API: Final = "https://github.com/songquanpeng/one-api, 2026"
_DEEPSEEK: Final = "https://api-docs.deepseek.com/quick_start/error_codes, 2026"
_LLAMA: Final = "https://github.com/ggml-org/llama.cpp/tree/master/tools/server, 2026"


CODES: Final[tuple[Code, ...]] = (
    *coded(ContentRefused, _OPENAI, "content_policy_violation content_filter moderation_blocked invalid_prompt"),
    *coded(ContentRefused, _AZURE, "ResponsibleAIPolicyViolation content_filter_error"),
    *coded(ContentRefused, _LITELLM, "ContentPolicyViolationError"),
    *coded(ContentRefused, _ALIYUN, "DataInspectionFailed InternalError.Algo.DataInspectionFailed"),
    *coded(ContentRefused, _ALIYUN, "IPInfringementSuspect"),
    *coded(ContentRefused, _VOLC, "SensitiveContentDetected InputTextSensitiveContentDetected"),
    *coded(ContentRefused, _VOLC, "OutputTextSensitiveContentDetected InputImageSensitiveContentDetected"),
    *coded(ContentRefused, _VOLC, "SensitiveContentDetected.PolicyViolation SensitiveContentDetected.SevereViolation"),
    *coded(ContentRefused, _MINIMAX, "base_resp.1026 base_resp.1027"),
    *coded(ContentRefused, _GOOGLE, "PROHIBITED_CONTENT BLOCKED_CONTENT"),
    *coded(ContentRefused, _AWS, "guardrail_intervened"),
    *coded(ContextTooLong, _OPENAI, "context_length_exceeded context_window_exceeded max_context_length_exceeded"),
    *coded(ContextTooLong, _LITELLM, "ContextWindowExceededError"),
    *coded(ContextTooLong, _GITHUB, "tokens_limit_reached model_max_prompt_tokens_exceeded"),
    *coded(ContextTooLong, _LLAMA, "exceed_context_size_error context_exceeded"),
    *coded(ContextTooLong, _ZHIPU, "1261 model_context_window_exceeded"),
    *coded(ContextTooLong, _MOONSHOT, "exceeded_model_token_limit"),
    *coded(ContextTooLong, _BAIDU, "error_code.336007 prompt_too_long"),
    *coded(TargetModelMissing, _OPENAI, "model_not_found model_not_available invalid_model model_not_exist"),
    *coded(TargetModelMissing, _AZURE, "DeploymentNotFound unknown_model unavailable_model"),
    *coded(TargetModelMissing, _GROQ, "model_decommissioned model_not_active model_permission_blocked_org"),
    *coded(TargetModelMissing, "https://github.com/decolua/9router/issues/2568, 2026-07", "INVALID_MODEL_ID"),
    *coded(TargetModelMissing, _GITHUB, "model_not_supported unsupported_model"),
    *coded(TargetModelMissing, _ALIYUN, "ModelNotFound Model.NotFound Model.AccessDenied ModelNotOpen"),
    *coded(TargetModelMissing, _VOLC, "InvalidEndpointOrModel.NotFound InvalidEndpointOrModel ModelNotOpen"),
    *coded(TargetModelMissing, _VOLC, "InvalidEndpoint.NotFound AccessDenied.EndpointNotFound"),
    *coded(TargetModelMissing, _ZHIPU, "1211 1220 1311"),
    *coded(TargetModelMissing, _SILICON, "20012 30003"),
    *coded(TargetModelMissing, _TENCENT, "InvalidParameterValue.Model ResourceNotFound.Model"),
    *coded(CredentialRefused, _OPENAI, "invalid_api_key account_deactivated invalid_authentication incorrect_api_key"),
    *coded(CredentialRefused, _MOONSHOT, "invalid_authentication_error incorrect_api_key_error"),
    *coded(CredentialRefused, _CLAUDE, "authentication_error"),
    *coded(CredentialRefused, _GROQ, "expired_api_key organization_restricted"),
    *coded(CredentialRefused, _GOOGLE, "API_KEY_INVALID API_KEY_EXPIRED API_KEY_SERVICE_BLOCKED ACCESS_TOKEN_EXPIRED"),
    *coded(CredentialRefused, _AWS, "UnrecognizedClientException InvalidSignatureException ExpiredTokenException"),
    *coded(CredentialRefused, _AWS, "IncompleteSignature MissingAuthenticationToken InvalidClientTokenId"),
    *coded(CredentialRefused, _ALIYUN, "InvalidApiKey invalid_api-key InvalidAccessKeyId"),
    *coded(CredentialRefused, _VOLC, "AuthenticationError InvalidAuthorization AccountIdNotMatch"),
    *coded(CredentialRefused, _TENCENT, "AuthFailure.SecretIdNotFound AuthFailure.SignatureFailure AuthFailure"),
    *coded(CredentialRefused, _MINIMAX, "base_resp.1004 base_resp.2049"),
    *coded(CredentialRefused, _BAIDU, "error_code.110 error_code.111 invalid_iam_token"),
    *coded(QuotaExhausted, _OPENAI, "insufficient_quota billing_hard_limit_reached billing_not_active"),
    *coded(QuotaExhausted, _MOONSHOT, "exceeded_current_quota_error"),
    *coded(QuotaExhausted, _LITELLM, "BudgetExceededError budget_exceeded"),
    *coded(QuotaExhausted, _CLAUDE, "billing_error"),
    *coded(QuotaExhausted, _GROQ, "blocked_api_access spend_limit_reached"),
    *coded(QuotaExhausted, _GOOGLE, "BILLING_DISABLED QUOTA_EXHAUSTED"),
    *coded(QuotaExhausted, _ONE_API, "insufficient_user_quota pre_consume_token_quota_failed"),
    *coded(QuotaExhausted, _DEEPSEEK, "insufficient_balance"),
    *coded(QuotaExhausted, _TOGETHER, "credit_limit insufficient_credits credits_exhausted"),
    *coded(QuotaExhausted, _ALIYUN, "Arrearage AllocationQuota.FreeTierOnly PrepaidBillOverdue PostpaidBillOverdue"),
    *coded(QuotaExhausted, _ALIYUN, "CommodityNotPurchased"),
    *coded(QuotaExhausted, _VOLC, "AccountOverdueError QuotaExceeded SetLimitExceeded"),
    *coded(QuotaExhausted, _ZHIPU, "1112 1113 1304 1308 1309 1310"),
    *coded(QuotaExhausted, _MINIMAX, "base_resp.1008 base_resp.2056"),
    *coded(QuotaExhausted, _BAIDU, "error_code.17 error_code.19"),
    *coded(QuotaExhausted, _SILICON, "30001"),
    *coded(QuotaExhausted, _TENCENT, "FailedOperation.ResourcePackExhausted FailedOperation.ServiceStopArrears"),
    *coded(GenerationFailed, _GROQ, "tool_use_failed json_validate_failed output_parse_failed"),
    *coded(GenerationFailed, _GOOGLE, "MALFORMED_FUNCTION_CALL MALFORMED_RESPONSE UNEXPECTED_TOOL_CALL"),
    *coded(RateLimited, _OPENAI, "rate_limit_exceeded tokens_per_min_exceeded requests_per_min_exceeded slow_down"),
    *coded(RateLimited, _MOONSHOT, "rate_limit_reached_error"),
    *coded(RateLimited, _MISTRAL, "service_tier_capacity_exceeded rate_limited"),
    *coded(RateLimited, _GITHUB, "RateLimitReached"),
    *coded(RateLimited, _AWS, "ThrottlingException TooManyRequestsException"),
    *coded(RateLimited, _ALIYUN, "Throttling Throttling.RateQuota Throttling.BurstRate LimitRequests limit_requests"),
    *coded(RateLimited, _ALIYUN, "Throttling.AllocationQuota limit_burst_rate"),
    *coded(RateLimited, _VOLC, "RateLimitExceeded.EndpointRPMExceeded RateLimitExceeded.EndpointTPMExceeded"),
    *coded(RateLimited, _VOLC, "AccountRateLimitExceeded RequestBurstTooFast InflightBatchsizeExceeded"),
    *coded(RateLimited, _ZHIPU, "1302 1303 1305"),
    *coded(RateLimited, _MINIMAX, "base_resp.1002 base_resp.1039 base_resp.1041 base_resp.2045"),
    *coded(RateLimited, _BAIDU, "error_code.4 error_code.18 error_code.336501 error_code.336502"),
    *coded(RateLimited, _TENCENT, "LimitExceeded RequestLimitExceeded"),
    *coded(UnsupportedByModel, _OPENAI, "unsupported_parameter unsupported_value unknown_parameter"),
    *coded(UnsupportedByModel, _OPENAI, "unsupported_modality"),
    *coded(UnsupportedByModel, _ZHIPU, "1212"),
    *coded(UnsupportedByModel, _CLAUDE, "request_too_large"),
    *coded(UnsupportedByModel, _LITELLM, "UnsupportedParamsError"),
    *coded(UnsupportedByModel, "https://docs.pydantic.dev/latest/errors/validation_errors/, 2026", "extra_forbidden"),
    *coded(UnsupportedByModel, "https://vercel.com/docs/errors, 2026", "FUNCTION_PAYLOAD_TOO_LARGE"),
    *coded(Unavailable, _OPENAI, "unsupported_country_region_territory engine_overloaded"),
    *coded(Unavailable, _MOONSHOT, "engine_overloaded_error"),
    *coded(Unavailable, _GROQ, "capacity_exceeded flex_capacity_exceeded"),
    *coded(Unavailable, _CLAUDE, "overloaded_error timeout_error"),
    *coded(Unavailable, _AWS, "ServiceUnavailableException ModelNotReadyException ModelTimeoutException"),
    *coded(Unavailable, _ALIYUN, "ModelServingError ServiceUnavailable RequestTimeOut ModelUnavailable"),
    *coded(Unavailable, _VOLC, "ServerOverloaded InternalServiceError ModelLoadingError"),
    *coded(Unavailable, _ZHIPU, "1230 1234 1312"),
    *coded(Unavailable, _MINIMAX, "base_resp.1000 base_resp.1001 base_resp.1013 base_resp.1024 base_resp.1033"),
    *coded(Unavailable, _BAIDU, "error_code.2 error_code.336000 error_code.336100"),
    *coded(Unavailable, _SILICON, "50501 50505 50507"),
)  # fmt: skip
"""A code counts before any phrase, but for those that say no more than a status (statuses.BY_NAME) and for a refusal of
the content, which no code hides."""
