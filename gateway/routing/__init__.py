"""Floor 2: which target is asked, in which order."""
