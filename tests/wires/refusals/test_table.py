"""The table of refusals against what providers really say, through both wires, whole and inside an answer."""

from collections import Counter
from collections.abc import Callable, Mapping

import pytest

from gateway.core.provider_failures import (
    ContextTooLong,
    InvalidAnswer,
    ProviderFailure,
    RequestRejected,
    RetryRule,
)
from gateway.core.strict_json import JsonValue, dumps
from gateway.wires.gemini import errors as gemini
from gateway.wires.openai_chat.outbound import errors as openai_chat
from gateway.wires.refusals import table
from tests.wires.refusals.ordinary_faults import ORDINARY
from tests.wires.refusals.wordings import WORDINGS, Wording

NONE: Mapping[str, str] = {}
WIRES = {"openai_chat": openai_chat, "gemini": gemini}
Parse = Callable[[int, Mapping[str, str], bytes], ProviderFailure]
on_both_wires = pytest.mark.parametrize("wire", [openai_chat, gemini], ids=list(WIRES))
each_wording = pytest.mark.parametrize("wording", WORDINGS, ids=lambda it: f"{it.means.__name__}-{it.seen}")


@on_both_wires
@each_wording
def test_a_refusal_means_the_same_on_every_wire(wire: "type[openai_chat]", wording: Wording) -> None: ...
