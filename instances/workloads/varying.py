"""Arrival rates that vary over time, as changes of time of a process with rate 1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeGuard

import numpy as np
import numpy.typing as npt

from instances.workloads.checks import positive, share
from kvratio.problem.errors import BadParameter

FloatArray = npt.NDArray[np.float64]


class VaryingRate(Protocol):
    """A rate r(t) >= 0, known by its integral from 0 to t and the inverse of that."""

    @property
    def mean(self) -> float:
        """Long-run requests per second."""
        ...

    def expected(self, seconds: npt.ArrayLike) -> FloatArray:
        """Return the integral of the rate from 0 to each time."""
        ...

    def times(self, units: FloatArray) -> FloatArray:
        """Return the times at which the integral reaches each value: a unit Poisson process becomes this one."""
        ...

    def scaled(self, factor: float) -> VaryingRate:
        """Return the rate ``factor * r(t)``."""
        ...

    def peak(self, window: float) -> float:
        """Return the largest mean rate over a window of so many seconds: what thresholds must keep up with."""
        ...


def varies(rate: object) -> TypeGuard[VaryingRate]:
    """Whether a rate is one of these, not a number."""
    return hasattr(rate, "times") and hasattr(rate, "mean")


@dataclass(frozen=True)
class PiecewiseRate:
    """A rate that is constant between given times.

    Parameters
    ----------
    starts : sequence of float
        Seconds at which each piece starts, increasing from 0.
    rates : sequence of float
        Requests per second of each piece, >= 0.
    period : float, optional
        Seconds after which the pieces repeat. Default: the last piece goes on for ever, at a rate above 0.
    """

    starts: Sequence[float]
    rates: Sequence[float]
    period: float | None = None

    def __post_init__(self) -> None:
        starts, rates = (tuple(float(value) for value in values) for values in (self.starts, self.rates))
        object.__setattr__(self, "starts", starts)
        object.__setattr__(self, "rates", rates)
        if not starts or len(starts) != len(rates):
            raise BadParameter(f"PiecewiseRate: {len(starts)} starts and {len(rates)} rates: give one rate per start")
        if starts[0] != 0 or not (np.isfinite(starts).all() and (np.diff(starts) > 0).all()):
            raise BadParameter(f"PiecewiseRate: starts are {list(starts)}: give increasing seconds, the first 0")
        if not (np.isfinite(rates).all() and min(rates) >= 0 and max(rates) > 0):
            raise BadParameter(f"PiecewiseRate: rates are {list(rates)}: give requests per second >= 0, some above 0")
        if self.period is None and rates[-1] == 0:
            raise BadParameter(
                "PiecewiseRate: the last rate is 0 and goes on for ever: give a period or a rate above 0"
            )
        if self.period is not None and positive("PiecewiseRate: period", self.period, "seconds") <= starts[-1]:
            raise BadParameter(f"PiecewiseRate: period {self.period} is not after the last start {starts[-1]}")

    @property
    def mean(self) -> float:
        """Long-run requests per second."""
        if self.period is None:
            return self.rates[-1]
        return float(self._totals()[-1]) / self.period

    def expected(self, seconds: npt.ArrayLike) -> FloatArray:
        """Return the integral of the rate from 0 to each time."""
        t = np.asarray(seconds, dtype=np.float64)
        turns = np.zeros_like(t) if self.period is None else np.floor(t / self.period)
        rest = t - turns * (self.period or 0.0)
        piece = np.searchsorted(self.starts, rest, side="right") - 1
        totals = self._totals()
        within = totals[piece] + np.asarray(self.rates)[piece] * (rest - np.asarray(self.starts)[piece])
        return np.asarray(turns * totals[-1] + within, dtype=np.float64)

    def times(self, units: FloatArray) -> FloatArray:
        """Return the times at which the integral reaches each value."""
        totals, starts, rates = self._totals(), np.asarray(self.starts), np.asarray(self.rates)
        turns = np.zeros_like(units) if self.period is None else np.floor(units / totals[-1])
        rest = units - turns * totals[-1] if self.period is not None else units
        # Of equal totals around a piece at rate 0 the first counts: that is when the integral gets there.
        piece = np.clip(np.searchsorted(totals[: len(starts)], rest, side="left") - 1, 0, len(starts) - 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            inside = np.where(rates[piece] > 0, (rest - totals[piece]) / rates[piece], 0.0)
        return np.maximum.accumulate(turns * (self.period or 0.0) + starts[piece] + inside)

    def scaled(self, factor: float) -> PiecewiseRate:
        """Return the rate multiplied by a factor."""
        return PiecewiseRate(self.starts, [rate * factor for rate in self.rates], self.period)

    def peak(self, window: float) -> float:
        """Return the largest mean rate over a window of so many seconds; it starts or ends where the rate changes."""
        length = positive("PiecewiseRate: window", window, "seconds")
        edges = np.array(self.starts)
        starts = np.concatenate((edges, edges - length))
        starts = starts[starts >= 0] if self.period is None else starts % self.period
        return float((self.expected(starts + length) - self.expected(starts)).max()) / length

    def _totals(self) -> FloatArray:
        """Return the integral at each start, and with a period at its end."""
        ends = [*self.starts[1:]] if self.period is None else [*self.starts[1:], self.period]
        widths = np.array(ends) - np.array(self.starts[: len(ends)])
        return np.concatenate(([0.0], np.cumsum(np.array(self.rates[: len(ends)]) * widths)))


@dataclass(frozen=True)
class Sinusoid:
    """A rate ``average * (1 + swing * sin(2 pi (t / period + phase)))``: a day of users.

    Parameters
    ----------
    average : float
        Requests per second.
    swing : float
        0 to 1.
    period : float
        Seconds.
    phase : float
        In periods; 0 starts at the average, rising.
    """

    average: float
    swing: float
    period: float
    phase: float = 0.0

    def __post_init__(self) -> None:
        positive("Sinusoid: average", self.average, "requests per second")
        share("Sinusoid: swing", self.swing)
        positive("Sinusoid: period", self.period, "seconds")
        if not math.isfinite(self.phase):
            raise BadParameter(f"Sinusoid: phase is {self.phase!r}: give a finite number of periods")

    @property
    def mean(self) -> float:
        """Long-run requests per second."""
        return self.average

    def expected(self, seconds: npt.ArrayLike) -> FloatArray:
        """Return the integral of the rate from 0 to each time."""
        t, turn = np.asarray(seconds, dtype=np.float64), 2 * math.pi
        wave = math.cos(turn * self.phase) - np.cos(turn * (t / self.period + self.phase))
        return np.asarray(self.average * (t + self.swing * self.period / turn * wave), dtype=np.float64)

    def times(self, units: FloatArray) -> FloatArray:
        """Return the times at which the integral reaches each value, by bisection to the last bit."""
        reach = self.swing * self.period / math.pi
        low, high = np.maximum(units / self.average - reach, 0.0), units / self.average + reach
        for _ in range(80):
            middle = (low + high) / 2
            early = self.expected(middle) < units
            low, high = np.where(early, middle, low), np.where(early, high, middle)
        return np.maximum.accumulate(high)

    def scaled(self, factor: float) -> Sinusoid:
        """Return the rate multiplied by a factor."""
        return Sinusoid(self.average * factor, self.swing, self.period, self.phase)

    def peak(self, window: float) -> float:
        """Return the largest mean rate over a window of so many seconds: one around a crest."""
        turns = positive("Sinusoid: window", window, "seconds") / self.period
        return self.average * (1 + self.swing * abs(float(np.sinc(turns))))
