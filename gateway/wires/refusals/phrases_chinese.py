"""The phrases of refusals in Chinese, in the same order of meanings as those in English."""

from typing import Final

from gateway.core.provider_failures import (
    ContextTooLong,
    CredentialRefused,
    GenerationFailed,
    QuotaExhausted,
    RateLimited,
    TargetModelMissing,
    Unavailable,
    UnsupportedByModel,
)
from gateway.wires.refusals.rows import Phrase, said

CHINESE: Final[tuple[Phrase, ...]] = (
    *said(
        ContextTooLong,
        "https://docs.bigmodel.cn/cn/api/api-code, 2026",
        r"上下文.{0,12}(超|过长|限制|上限|溢出)",
        r"超(出|过|了).{0,16}上下文",
        r"超(出|过).{0,10}(输入|提示词|prompt).{0,4}(长度|token|上限)",
        (
            r"(输入|提示词|prompt|对话|消息|请求)(内容|文本|长度|总长度|的|字符数?|token ?数?|tokens|数|总)*\s*"
            r"(过长|超长|超限|过大|超(过|出|了).{0,16}(长度|上限|限制|token))"
        ),
        r"(输入|prompt|最大)\s*token.{0,16}(超|上限)",
        r"tokens?.{0,6}(数|总数|长度).{0,10}超",
        unless=frozenset({429}),
    ),
    *said(
        TargetModelMissing,
        "https://docs.bigmodel.cn/cn/api/api-code, 2026",
        r"模型.{0,24}(不存在|未找到|找不到|下线|未开通|已停用|停止服务|已弃用|已废弃|没有权限|无权限|不可使用)",
        r"(无权|没有权限|无权限|未授权).{0,8}(访问|使用|调用).{0,8}模型",
        r"(未知|无效|错误)的?模型",
        r"(不存在|未找到|找不到).{0,6}模型",
        r"不支持的模型",
        r"未开通.{0,10}模型",
        r"不支持.{0,4}(该|此|这个|当前)模型",
        unless=frozenset({503}),
    ),
    *said(
        CredentialRefused,
        "https://github.com/yuruotong1/autoMate/issues/96, 2025-03",
        r"(令牌|密钥|api.?key|秘钥|(access|auth\w*).?token|凭证|鉴权|授权码).{0,12}(无效|过期|错误|不正确|失效|不存在|禁用|未提供|不可用|非法|为空|已删除|有误|(验证|校验)失败)",
        r"(无效|错误|非法|过期|不正确|未提供)的?.{0,4}(令牌|密钥|api.?key|凭证|秘钥)",
        r"(鉴权|身份验证|认证|身份认证|权限校验).{0,4}(失败|不通过|错误|未通过)",
        r"未登录",
    ),
    *said(
        QuotaExhausted,
        "https://github.com/songquanpeng/one-api, 2026",
        r"余额.{0,8}(不足|为零|为0|用尽|耗尽|过低|已用)",
        r"欠费",
        r"(额度|配额|限额|次数|流量|资源包|点数|积分|免费额度|用量).{0,12}(不足|用尽|耗尽|用完|已用|过期|超限|超出|超过|达到上限)",
        r"充值",
        r"预扣费",
        r"剩余额度",
        r"套餐.{0,12}(到期|过期|用完|耗尽|不足)",
        r"(账户|账号|帐户|帐号).{0,10}(冻结|停用|欠|锁定)",
        r"(使用|用量|每日|每天|每周|每月|当日|小时).{0,10}(上限|限额|额度)",
        r"当日.{0,8}(次数|请求)",
    ),
    *said(
        GenerationFailed,
        "https://www.volcengine.com/docs/82379/1299023, 2026",
        r"(模型|生成).{0,10}(输出|结果|内容)?.{0,6}(格式错误|解析失败|生成失败)",
        r"(工具|函数)调用.{0,8}(解析失败|生成失败)",
    ),
    *said(
        RateLimited,
        "https://github.com/HKUDS/nanobot/pull/3864, 2026-05",
        r"访问量(过|太)大",
        r"速率(限制|超)",
        r"(请求|访问|调用).{0,8}(频繁|频率|过多|过快|太快|太多|限流|并发)",
        r"频率(限制|超|过)",
        r"并发.{0,8}(超|过高|过多|限制|上限)",
        r"限流",
        r"(rpm|tpm|qps).{0,6}(超|限制|上限|达到)",
        r"每分钟",
        r"每秒",
        r"达到.{0,4}(速率|请求).{0,4}(上限|限制)",
    ),
    *said(
        UnsupportedByModel,
        "https://help.aliyun.com/zh/model-studio/error-code, 2026",
        r"(模型|接口|端点|服务商|该版本).{0,12}(不|未)支持",
        r"(不|暂不|尚未)支持.{0,10}(工具|图片|图像|视觉|函数|流式|参数|字段|多模态|思考|音频|视频|文件|联网|tool|function|image|json|stream)",
        r"(未知|无法识别).{0,2}(参数|字段)",
        r"(参数|字段).{0,20}不(被)?支持",
        r"max_tokens.{0,12}(超|范围|不能大于|应在|过大|最大)",
        without=r"(角色|role)",
    ),
    *said(
        Unavailable,
        "https://github.com/labring/FastGPT/issues/1595, 2024-05",
        r"(服务|系统|模型|上游|服务器|引擎|网络)[^\uff0c。]{0,8}(繁忙|不可用|异常|错误|过载|饱和|忙|崩溃|故障|维护)",
        r"稍后(再试|重试)",
        r"无可用渠道",
        r"负载.{0,4}饱和",
        r"(请求|调用|响应|处理)超时",
        r"暂(时)?(不可用|无法)",
    ),
)
