"""What a request to OpenAI's two APIs, Chat Completions and Responses, says in the same words.

Sources: https://platform.openai.com/docs/api-reference/chat/create and .../responses/create.
"""

from typing import Final

from gateway.core.request import JsonOutput, Params
from gateway.wires.tool_names import NameRule

NAMES: Final = NameRule("A-Za-z0-9_-", "A-Za-z0-9_-")
"""Of tools (`tools[].function.name`, `tools[].name`) and of the schemas of answers."""
BUDGETS: Final = ((1_024, "minimal"), (4_096, "low"), (16_384, "medium"))
"""The effort for a budget of reasoning tokens: the first whose bound is not exceeded, else high."""


def effort(params: Params) -> str | None:
    """How much to reason, by the effort or by the budget; the most is `xhigh` here."""
    if params.effort is not None:
        return "xhigh" if params.effort == "max" else params.effort
    budget = params.reasoning_budget
    if budget is None:
        return None
    if budget <= 0:
        return "none"
    return next((effort for bound, effort in BUDGETS if budget <= bound), "high")


def schema_name(output: JsonOutput) -> str:
    """The name of the schema of an answer, which both APIs want."""
    name = output.name or "answer"
    return name if NAMES.is_legal(name) else next(NAMES.forms(name))
