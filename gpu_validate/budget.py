"""A time budget: what is planned, what has been spent, and what no longer fits."""

from __future__ import annotations

import time
from collections.abc import Callable


class Budget:
    """Seconds that may be spent.

    Parameters
    ----------
    seconds : float
        From now.
    clock : callable
        Seconds that pass, for tests.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.seconds, self._begun = seconds, clock()

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._begun

    @property
    def left(self) -> float:
        """Seconds that remain; negative when overdrawn."""
        return self.seconds - self.spent

    def share(self, parts: int) -> Budget:
        """Return an equal share of what remains, starting now."""
        return Budget(self.left / max(1, parts), self._clock)

    def affords(self, seconds: float) -> bool:
        """Whether so many seconds are left."""
        return seconds <= self.left
