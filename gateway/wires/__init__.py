"""Floor 1: wire formats, a folder each, as pure functions between JSON and our words (gateway.core.request)."""
