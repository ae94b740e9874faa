"""A function that does nothing: the default of a callback, and what replaces one that must not be called any more."""


def no_op() -> None:
    """Do nothing."""
