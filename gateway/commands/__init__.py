"""The commands besides serve: what they print, what they ask, how they end. A file or a folder each.

They put parts together as `serve` does, so they stand beside it: settings from the catalog, flows and client from auth,
the token store. They meet a running gateway only in the store's file, and over HTTP in `explain`.
"""
