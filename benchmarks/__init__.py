"""What the gateway costs, measured: `python -m benchmarks`.

A fast upstream, the gateway as a user starts it, and whatever else of its kind is installed, all of them real processes
on 127.0.0.1. Contenders take turns within each scenario, so that what the machine does meanwhile hits them alike;
figures are medians of the rounds, and what can be quoted is the ratio of two figures of one run.

Imports nothing of the gateway: it is measured from outside, by what a client sees.
"""
