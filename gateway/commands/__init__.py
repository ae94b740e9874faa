"""The commands besides serve: login, logout, status, explain, reload, check and init. What they print, what they ask, how they end.

They put parts together as `serve` does, so they stand beside it: settings from the catalog, flows and client from auth,
the token store. They meet a running gateway only in the store's file, and over HTTP in `explain`.
"""
