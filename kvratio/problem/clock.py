"""How long one iteration takes. The unit-round model ignores it; the serving model lives on it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kvratio.problem.errors import BadParameter


@dataclass(frozen=True)
class Clock:
    """Iteration time ``d0 + d1 * K + d2 * P`` seconds for K cached tokens and P prompt tokens in the batch.

    Parameters
    ----------
    d0 : float
        Seconds per iteration, whatever is in it.
    d1 : float
        Seconds per token of key-value cache in the batch.
    d2 : float
        Seconds per prompt token processed in the iteration.
    swap : float
        Seconds per token moved to or from host memory.

    Notes
    -----
    The linear form is that of Ao et al., "Optimizing LLM Inference" (arXiv 2504.11320); ``d2 = 0`` gives the
    model of its theory.
    """

    d0: float
    d1: float
    d2: float = 0.0
    swap: float = 0.0

    def __post_init__(self) -> None:
        for field in ("d0", "d1", "d2", "swap"):
            value = getattr(self, field)
            if not math.isfinite(value) or value < 0:
                raise BadParameter(f"Clock.{field} is {value!r}: give a finite number of seconds >= 0")
        if self.d0 == 0 and self.d1 == 0 and self.d2 == 0:
            raise BadParameter("Clock: d0, d1 and d2 are all 0, so time would stand still: give at least one of them")

    def iteration(self, cached_tokens: float, prompt_tokens: float = 0.0, moved_tokens: float = 0.0) -> float:
        """Seconds that one iteration takes."""
        return self.d0 + self.d1 * cached_tokens + self.d2 * prompt_tokens + self.swap * moved_tokens
