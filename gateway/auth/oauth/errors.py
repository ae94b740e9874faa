"""The failures of OAuth requests: the server refused, or it could not be asked.

The difference decides what follows. A refusal needs a person or another setting; an unreachable server may answer
later. The flows, the client and the renewal share these types, so they are a module without imports.
"""


class OAuthError(Exception):
    """A login, a renewal or a revocation failed. The text is for people and contains no secret."""


class OAuthUnreachable(OAuthError):
    """The server could not be asked, or its answer was unusable (5xx, 429, HTML, cut off). A later try may succeed."""


class OAuthRefused(OAuthError):
    """The server refused the request.

    Args:
        code: its error code (RFC 6749 section 5.2, RFC 8628 section 3.5).
        description: its error description, shortened.
        interval: seconds between two polls, where a device flow's answer asks for that.
    """

    def __init__(self, code: str, description: str = "", *, interval: float | None = None) -> None:
        super().__init__(f"{code}: {description}" if description else code)
        self.code = code
        self.description = description
        self.interval = interval
