"""Floor 1: what the user wrote, checked once and then frozen."""
