"""Routing: which targets a model name has, in which order they are asked, and which of them are skipped for now."""
