"""A ratio as two proven ends."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """An interval that contains a ratio; ``low`` is None where the lower end has no meaning."""

    low: float | None
    high: float

    @property
    def exact(self) -> bool:
        """Whether both ends meet."""
        return self.low is not None and self.low == self.high
