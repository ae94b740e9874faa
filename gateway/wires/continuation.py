"""What a model is asked when it has to continue an answer that broke off.

Many models refuse an assistant's message at the end of a conversation ("prefill"). So the text so far is followed by a
user's message that asks to continue, and to begin with the end of the text so far. It is the same text in every wire
whose callers get a stream.
"""

from typing import Final

from gateway.core.text_end import anchor

_CONTINUE: Final = (
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
    """The user's message after a text that broke off."""
    return _CONTINUE.format(tail=text_so_far[-TAIL:], begin=anchor(text_so_far))
