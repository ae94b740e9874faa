"""What a provider's refusal says and means, for all wires.

`error_body.py` finds the words of an error in any of the shapes that servers write. `codes.py`, `phrases.py` and
`statuses.py` are the table that says what such words mean: data, each row with the place where it was seen. The reader
of the table is gateway.wires.failure_classes. The folder knows no wire, no vendor's API and no transport.
"""
