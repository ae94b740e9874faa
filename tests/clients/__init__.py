"""Real programs as judges: they are installed from npm, and skipped with the reason where that cannot be done."""
