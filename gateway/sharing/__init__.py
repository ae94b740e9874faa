"""What several processes or machines have in common, and the ways to it."""
