"""What a vendor's clients hold beyond its schema, as functions that return the faults of an answer."""
