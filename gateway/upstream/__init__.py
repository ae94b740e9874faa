"""Floor 2: connections to providers. Only this folder and auth know an HTTP client library."""
