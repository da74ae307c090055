"""How long iterations take. The unit-round model ignores it; the serving model lives on it.

Every clock is linear in eight whole numbers that an iteration adds to (`FEATURES`). So the time of any stretch of
iterations is one dot product with exact integer sums: jumping over a stretch and walking through it give the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from kvratio.problem.errors import BadParameter

#: what an iteration adds to, in the order of ``rates``: iterations; key-value tokens of the batch; prompt tokens
#: processed; tokens moved to or from host memory; light iterations (at most ``knee`` tokens computed); tokens computed
#: in the other iterations; decodes; key-value tokens of the decodes
FEATURES = ("iterations", "cached", "prompt", "moved", "light", "tokens", "decodes", "decode_cached")


def _check(clock: Any) -> None:
    for entry in fields(clock):
        value = getattr(clock, entry.name)
        if entry.name != "report" and not (
            isinstance(value, (int, float, np.number)) and math.isfinite(value) and value >= 0
        ):
            raise BadParameter(
                f"{type(clock).__name__}.{entry.name} is {value!r}: give a finite number of seconds >= 0"
            )


def seconds(rates: Sequence[float] | npt.NDArray[np.float64], counts: Sequence[int] | npt.NDArray[np.int64]) -> float:
    """Time of a stretch of iterations, from left to right, so that every engine gets the same bits."""
    total = 0.0
    for rate, count in zip(rates, counts, strict=True):
        total += float(rate) * float(count)
    return total


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
    report : mapping or None
        Of a fitted clock: coefficients with errors, residuals, the range that was seen (`kvratio.problem.fitting`).

    Notes
    -----
    The linear form is that of Ao et al., "Optimizing LLM Inference" (arXiv 2504.11320); ``d2 = 0`` gives the
    model of its theory.
    """

    d0: float
    d1: float
    d2: float = 0.0
    swap: float = 0.0
    report: Any = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        _check(self)
        if self.d0 == 0 and self.d1 == 0 and self.d2 == 0:
            raise BadParameter("Clock: d0, d1 and d2 are all 0, so time would stand still: give at least one of them")

    @property
    def rates(self) -> npt.NDArray[np.float64]:
        """Seconds per unit of each of `FEATURES`, float64[8]."""
        return np.array([self.d0, self.d1, self.d2, self.swap, 0.0, 0.0, 0.0, 0.0])

    @property
    def knee(self) -> int:
        """Most tokens computed in a light iteration: the linear form does not tell them apart."""
        return 0

    def iteration(self, cached_tokens: float, prompt_tokens: float = 0.0, moved_tokens: float = 0.0) -> float:
        """Seconds that one iteration takes."""
        return self.d0 + self.d1 * cached_tokens + self.d2 * prompt_tokens + self.swap * moved_tokens

    def scaled(self, factor: float) -> Clock:
        """Return the clock of a machine on which everything takes ``factor`` times as long."""
        return replace(self, **{name: getattr(self, name) * factor for name in ("d0", "d1", "d2", "swap")})

    @staticmethod
    def preset(name: str) -> Clock | RooflineClock:
        """Return the clock of a preset, by name or from a ``.json`` file of a fitted one; see `presets`."""
        from kvratio.problem.presets import find_preset

        return find_preset(name).clock

    @staticmethod
    def fit(rows: Any, swap: float = 0.0) -> Clock:
        """Fit a clock to measured iterations; see `kvratio.problem.fitting.fit_clock`."""
        from kvratio.problem.fitting import fit_clock

        return fit_clock(rows, swap)


@dataclass(frozen=True)
class RooflineClock:
    """Iteration time ``max(floor, base + token * n) + fixed + decode * B + cached * K`` seconds.

    n counts all tokens computed (prompt tokens and one per decode), B the decodes and K their key-value tokens.
    Reading the weights takes ``floor`` seconds, under cover of which a few tokens are computed for nothing: the linear
    `Clock` charges them in full, which is wrong where prompts are cut into chunks.

    Parameters
    ----------
    floor, base, token, fixed, decode, cached : float
        Seconds, per token or per request as above.
    swap : float
        Seconds per token moved to or from host memory.
    """

    floor: float
    base: float
    token: float
    fixed: float
    decode: float
    cached: float
    swap: float = 0.0

    def __post_init__(self) -> None:
        _check(self)
        if self.token == 0:
            raise BadParameter("RooflineClock.token is 0: use Clock, which is this form without the floor")
        if self.floor < self.base:
            raise BadParameter(
                f"RooflineClock.floor {self.floor} is below base {self.base}: it would never bind, use Clock"
            )

    @property
    def knee(self) -> int:
        """Most tokens that can be computed in ``floor`` seconds."""
        return int((self.floor - self.base) / self.token)

    @property
    def rates(self) -> npt.NDArray[np.float64]:
        """Seconds per unit of each of `FEATURES`, float64[8]."""
        rise = self.floor - self.base
        return np.array([self.base + self.fixed, 0.0, 0.0, self.swap, rise, self.token, self.decode, self.cached])

    def iteration(
        self, cached_tokens: float, prompt_tokens: float = 0.0, moved_tokens: float = 0.0, decodes: float = 0.0
    ) -> float:
        """Seconds that one iteration takes; ``cached_tokens`` are those of the decodes."""
        tokens = prompt_tokens + decodes
        body = self.floor if tokens <= self.knee else self.base + self.token * tokens
        return body + self.fixed + self.decode * decodes + self.cached * cached_tokens + self.swap * moved_tokens

    def scaled(self, factor: float) -> RooflineClock:
        """Return the clock of a machine on which everything takes ``factor`` times as long."""
        return RooflineClock(**{entry.name: getattr(self, entry.name) * factor for entry in fields(self)})
