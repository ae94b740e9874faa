"""Measures what the gateway costs: `python -m benchmarks`.

It starts a fast upstream, the gateway as a user starts it, and every installed peer, as real processes on 127.0.0.1.
The contenders take turns within each scenario, so that other load on the machine affects all of them. A figure is the
median of its rounds; only the ratio of two figures of one run can be quoted.

It imports nothing of the gateway, because it measures from outside what a client sees. `profiled` alone runs the
gateway in its own process.
"""
