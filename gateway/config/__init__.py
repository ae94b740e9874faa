"""The configuration file: read once, checked as a whole, then frozen. It knows no vendor."""
