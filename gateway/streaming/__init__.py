"""An answer that has begun: from a provider's bytes to the caller's. It knows no server."""
