"""Estimates against the counts of o200k_base, and what media and tools add."""

import base64

import pytest

from gateway.core.request import JsonOutput, Media, Message, Params, Prompt, Text, Tool, ToolCall
from gateway.core.token_estimate import IMAGE, PDF_PAGE, PER_MESSAGE, PER_TOOL, estimate_tokens, tokens_in

PROSE = (
    "Most people who keep bees begin with one colony and a borrowed smoker. They read about swarms, stings and honey, "
    "and learn within a summer that weather decides more than they do. By the second year, however, they have opinions."
)
CODE = '''
def merged(deltas: Sequence[ChoiceDelta]) -> tuple[ChoiceDelta, ...]:
    """One delta a choice, in the order in which the choices first appear."""
    sums: dict[int, ChoiceDelta] = {}
    for further in deltas:
        so_far = sums.get(further.index)
        sums[further.index] = further if so_far is None else add(so_far, further)
    return tuple(sums.values())
'''
JSON = (
    '{"type":"object","properties":{"city":{"type":"string","description":"The city, with its country"},"days":{"type":'
    '"integer","minimum":1,"maximum":14},"units":{"enum":["metric","imperial"]}},"required":["city"],'
    '"additionalProperties":false}'
)
NUMBERS = "[0.13436424411240122, 847.4337369372327, 763.774618976614, 12345, 67, 2550.690257394217, -495.0, 449]"
KOREAN = (
    "게이트웨이는 여러 제공자의 모델을 하나의 주소로 제공합니다. 요청이 실패하면 다음 제공자에게 다시 묻고, "
    "어떤 제공자가 답했는지는 응답 헤더에 적어 둡니다. 설정은 파일 하나로 충분합니다."
)
JAPANESE = (
    "このプログラムは、複数のプロバイダーのモデルを一つのアドレスで提供します。失敗した場合は次の候補に問い合わせます。"
)
RUSSIAN = (
    "Шлюз принимает запросы от разных программ и отправляет их поставщику, который сейчас может ответить быстрее всех."
)


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        pytest.param(PROSE, 49, id="prose"),
        pytest.param(CODE, 92, id="code"),
        pytest.param(JSON, 58, id="json"),
        pytest.param(NUMBERS, 51, id="numbers"),
        pytest.param(KOREAN, 54, id="korean"),
        pytest.param(JAPANESE, 40, id="japanese"),
        pytest.param(RUSSIAN, 25, id="russian"),
    ],
)
def test_an_estimate_is_within_a_third_of_o200k_base(text: str, counted: int) -> None:
    """Counted with gpt-tokenizer's o200k_base, 2026-11-29."""
    assert 0.85 * counted <= tokens_in(text) <= 1.35 * counted


def user(*parts: Text | Media) -> Prompt:
    return Prompt(messages=(Message("user", parts),))


def test_messages_and_tools_cost_more_than_their_texts() -> None:
    prompt = Prompt(
        messages=(Message("system", (Text("a b"),)), Message("assistant", (ToolCall("1", "go", "{}"),))),
        tools=(Tool("go", "runs", {"type": "object"}),),
    )
    texts = sum(map(tokens_in, ("a b", "go", "{}", "go", "runs", '{"type":"object"}')))
    assert estimate_tokens(prompt) == texts + 2 * PER_MESSAGE + PER_TOOL


def test_the_schema_of_an_answer_counts() -> None:
    asked = Prompt(messages=(), params=Params(output=JsonOutput({"type": "object"})))
    assert estimate_tokens(asked) == tokens_in('{"type":"object"}')


def test_a_grammar_counts() -> None:
    with_grammar = Prompt(messages=(), tools=(Tool("patch", kind="custom", grammar=("lark", "start: WORD")),))
    without = Prompt(messages=(), tools=(Tool("patch", kind="custom"),))
    assert estimate_tokens(with_grammar) - estimate_tokens(without) == tokens_in("start: WORD")


def test_base64_is_never_counted_as_text() -> None:
    data = base64.b64encode(b"x" * 60_000).decode()
    assert estimate_tokens(user(Media("image", "image/png", data))) == IMAGE + PER_MESSAGE
    assert estimate_tokens(user(Media("audio", "audio/wav", data))) == 601 + PER_MESSAGE


def test_a_pdf_counts_by_its_pages() -> None:
    pages = base64.b64encode(b"<< /Type /Pages >> << /Type /Page >> <</Type/Page/Parent 1 0 R>>").decode()
    assert estimate_tokens(user(Media("file", "application/pdf", pages))) == 2 * PDF_PAGE + PER_MESSAGE
    assert estimate_tokens(user(Media("file", "application/pdf", uri="https://example.org/a.pdf"))) > PDF_PAGE
