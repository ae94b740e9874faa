"""Calls through requests: for providers behind a proxy, and for the requests of a login."""
