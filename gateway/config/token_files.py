"""The settings that name a token file of another tool: `auth.watchFiles` and a provider's `tokenFile`."""

from typing import Annotated, Literal

from msgspec import Meta

from gateway.config.setting_types import Name, Struct, Text

Path = Annotated[Text, Meta(description="The file; ~ is your home folder, a relative path starts from this file's.")]
Format = Literal["auto", "plain", "gemini-cli", "codex", "gcloud"]


class WatchFile(Struct, frozen=True):
    """A file that another tool keeps tokens in; read, never written."""

    path: Path
    provider: Annotated[Name, Meta(description="Whose token it is, where the file does not say.")] | None = None
    format: Annotated[
        Format, Meta(description="plain: {provider: {accessToken, expiresAt}}; auto tells by looking.")
    ] = "auto"


class TokenFile(Struct, frozen=True):
    """A provider's token in a file that another tool keeps; read, never written."""

    path: Path
    format: Annotated[Format, Meta(description="auto tells by looking.")] = "auto"
    access_token_path: Annotated[Text, Meta(description="Where the token stands, as keys joined by dots.")] | None = (
        None
    )
    expiry_path: Annotated[Text, Meta(description="Where its expiry stands, as keys joined by dots.")] | None = None
