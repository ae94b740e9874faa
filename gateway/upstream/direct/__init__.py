"""Calls over connections of our own: for every provider that is reached without a proxy."""
