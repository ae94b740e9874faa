"""How many tokens a call takes of a limit before anyone has counted them: an estimate of its input, and a reserve for
its output.

Each target teaches both: how far the rule for the input is off for it, and how long its answers are. What is kept is a
few numbers a target, for the last 50 answers whose usage was reported.
"""

import threading
from collections import OrderedDict, deque
from typing import Final

from msgspec import Struct

from gateway.core.answer import Usage

SAMPLES: Final = 50
LOWEST_RATIO: Final = 0.5
HIGHEST_RATIO: Final = 2.0
MIN_OUTPUT: Final = 256
"""Tokens that are reserved for an answer at least, where the request sets no limit."""
MAX_TARGETS: Final = 1_000
"""Targets whose samples are kept, as callers may name any model of a provider; the least recently used goes first."""


class RequestSize(Struct, frozen=True):
    """The tokens of a request, as far as the request says.

    Attributes:
        input: by the rule of gateway.core.token_estimate, untaught.
        output: the most that it allows; None where it sets no limit.
    """

    input: int
    output: int | None


class _Samples:
    """The last answers of one target."""

    def __init__(self) -> None:
        self._ratios: deque[float] = deque(maxlen=SAMPLES)
        self._outputs: deque[int] = deque(maxlen=SAMPLES)
        self.ratio = 1.0
        self.output = MIN_OUTPUT

    def add(self, size: RequestSize, usage: Usage) -> None:
        if size.input > 0 and usage.prompt > 0:
            self._ratios.append(usage.prompt / size.input)
            mean = sum(self._ratios) / len(self._ratios)
            self.ratio = min(max(mean, LOWEST_RATIO), HIGHEST_RATIO)
        self._outputs.append(usage.completion)
        self.output = max(MIN_OUTPUT, round(2 * sum(self._outputs) / len(self._outputs)))


class TokenReserves:
    """The reserves of all targets. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._samples: OrderedDict[str, _Samples] = OrderedDict()

    def of(self, target: str, size: RequestSize) -> int:
        """The tokens that a request to a target takes, at least 1."""
        return max(1, sum(self.parts(target, size)))

    def parts(self, target: str, size: RequestSize) -> tuple[int, int]:
        """Of them, those of the input and those of the output."""
        with self._lock:
            samples = self._samples.get(target)
            if samples is not None:
                self._samples.move_to_end(target)
            ratio, output = (samples.ratio, samples.output) if samples else (1.0, MIN_OUTPUT)
        return round(size.input * ratio), output if size.output is None else size.output

    def learn(self, target: str, size: RequestSize, usage: Usage) -> None:
        """An answer of the target is complete, and its usage known."""
        with self._lock:
            samples = self._samples.setdefault(target, _Samples())
            self._samples.move_to_end(target)
            samples.add(size, usage)
            if len(self._samples) > MAX_TARGETS:
                self._samples.popitem(last=False)
