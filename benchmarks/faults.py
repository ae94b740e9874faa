"""Why something cannot be measured. The report names the reason; it never becomes a figure."""


class Unmeasurable(Exception):
    """A contender does not start or does not answer correctly, or a tool fails."""
