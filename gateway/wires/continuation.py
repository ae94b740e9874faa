"""What a model is told that has to continue the answer of another one, whatever the wire."""

from typing import Final

from gateway.core.text_end import anchor

CONTINUE: Final = (
    "Your answer was cut off in transmission. These are its last characters:\n<tail>{tail}</tail>\n"
    "Continue it as if it had never been interrupted. So that both parts can be joined, begin with an exact copy of "
    "these characters:\n<begin>{begin}</begin>\n"
    "Go on right behind them with the very next character. Change nothing of them, leave out the tags, do not comment, "
    "do not open a code block anew, do not begin the answer anew."
)
"""The copy proves where the second stream belongs (gateway.streaming.overlap)."""
TAIL: Final = 200
"""Characters of the text so far that are quoted."""


def wish_to_continue(text_so_far: str) -> str:
    """The user's message behind an answer that broke off after `text_so_far`, whose end is an anchor."""
    return CONTINUE.format(tail=text_so_far[-TAIL:], begin=anchor(text_so_far))
