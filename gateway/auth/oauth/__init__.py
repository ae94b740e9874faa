"""OAuth 2.0 as a client: the settings, the requests, the two login flows. Stores no token and chooses none."""
