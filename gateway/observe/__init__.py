"""The gateway's log: its records, its format, and the masking of secrets. It knows no call and no provider."""
