"""Floor 0: our words and pure machines. No I/O, no threads, no clock of its own."""
