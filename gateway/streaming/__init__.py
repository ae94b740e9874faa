"""An answer that has begun: from the provider's bytes to the caller's. It knows nothing of any server."""
