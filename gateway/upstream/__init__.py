"""Connections to providers. Only this folder and auth know an HTTP client library."""
