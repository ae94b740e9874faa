"""Why a gateway does not start because of what it is to share."""


class UnusableServer(Exception):
    """The server cannot be shared. The text says why, in a sentence without secrets."""
