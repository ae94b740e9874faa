"""Floor 2: how often a provider may be called."""
