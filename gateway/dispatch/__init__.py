"""Chooses the target that answers a call: attempts, branches, hedging, failover. It knows no server, no wire and no
HTTP."""
