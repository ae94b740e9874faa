"""Floor 5: the gateway as a server. HTTP in, replies out; the only floor that knows Flask and waitress."""
