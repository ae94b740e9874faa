"""Texts from outside, made safe to show to people: in a message, on a terminal, in a log line."""


def printable(text: str) -> str:
    """A text as one line that cannot move the cursor, hide a part of itself, or write from right to left.

    Letters of all languages stay as they are; an output that cannot show one escapes it by itself.
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
