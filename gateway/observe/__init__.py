"""Floor 1: what the gateway says of itself."""
