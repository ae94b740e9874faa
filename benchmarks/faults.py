"""What keeps something from being measured: told in the report, never turned into a figure."""


class Unmeasurable(Exception):
    """A contender that does not start, does not answer as it should, or a tool that fails."""
