"""How many worker processes may share."""

from typing import Final

MAX_WORKERS: Final = 16
"""Workers have numbers from 0 to 15; what is counted for each of them has so many words."""
