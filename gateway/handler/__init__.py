"""Floor 4: a request's walk, from its body to its answer. Knows no server and no HTTP library."""
