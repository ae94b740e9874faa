"""Which target answers a call: attempts, branches, failover. It knows no server and no HTTP library."""
