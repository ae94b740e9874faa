"""Wire formats, a folder each: pure functions between JSON and the neutral form (gateway.core.request, core.answer)."""
