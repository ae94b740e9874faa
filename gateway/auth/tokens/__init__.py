"""Tokens and the files that hold them: ours, other tools', and what both have in common. Asks no server."""
