"""Rate limits: how often each provider may be called."""
