"""What a model is told that has to continue the answer of another one, whatever the wire."""

from typing import Final

CONTINUE: Final = (
    "Your answer was cut off in transmission. Continue it exactly where it ends, with the very next character, as if "
    "it had never been interrupted. Do not repeat anything of it, do not comment, do not begin anew."
)
