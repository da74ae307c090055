"""Which requests of a run are measured: between warm-up and cool-down, by arrival."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from kvratio.problem.errors import BadParameter
from kvratio.problem.service import Run

FloatArray = npt.NDArray[np.float64]

#: observations per batch of MSER-5
BATCH = 5


class CoolDownTooShort(BadParameter):
    """Requests that only the flush at the end of a WAIT run completes would be measured."""


def measured_range(run: Run, warmup: float | str, cooldown: float) -> tuple[int, int]:
    """Return the first measured request and the one after the last.

    Parameters
    ----------
    run : Run
    warmup : float or "auto"
        Share of the requests left out at the start; ``"auto"``: MSER-5 on the latencies, at most half the run.
    cooldown : float
        Share left out at the end.

    Raises
    ------
    BadParameter
        Shares without meaning, nothing left, or a cool-down too short for WAIT; the last says which n is needed.
    """
    n = run.requests.n
    tail = _share("cooldown", cooldown)
    stop = n - math.floor(tail * n + 1e-9)
    if isinstance(warmup, str):
        if warmup != "auto":
            raise BadParameter(f"warmup is {warmup!r}: give a share of the requests, or 'auto'")
        start = _auto(run, stop)
    else:
        start = math.ceil(_share("warmup", warmup) * n - 1e-9)
    if start >= stop:
        raise BadParameter(f"warmup {warmup} and cooldown {cooldown} leave none of {n} requests: take them smaller")
    _must_cover_wait(run, stop, tail)
    return start, stop


def mser5(series: npt.ArrayLike) -> int:
    """Return how many observations to drop from the start so that the mean of the rest has the least standard error.

    MSER-5: means of batches of 5, and the prefix that minimises their sample variance over the number left (K. P.
    White, M. J. Cobb, S. C. Spratt, "A comparison of five steady-state truncation heuristics for simulation", 2000); at
    most half of the series is dropped.
    """
    values = np.asarray(series, dtype=np.float64)
    count = len(values) // BATCH
    if count < 2:
        return 0
    means = values[: count * BATCH].reshape(count, BATCH).mean(axis=1)
    left = np.arange(count, 0, -1)
    centred = means - means.mean()  # sums of squares then lose no digits
    total = np.cumsum(centred[::-1])[::-1]
    squares = np.cumsum(centred[::-1] ** 2)[::-1]
    spread = (squares - total**2 / left) / left.astype(np.float64) ** 2
    return BATCH * int(np.argmin(spread[: count // 2 + 1]))


def _auto(run: Run, stop: int) -> int:
    seen = np.flatnonzero(run.completed[:stop])
    if not len(seen):
        return 0
    drop = mser5(run.latency[seen])
    return int(seen[drop]) if drop else 0


def _share(what: str, value: Any) -> float:
    number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not number or not 0 <= value < 1:
        raise BadParameter(f"{what} is {value!r}: give a share of the requests, 0 or more and below 1")
    return float(value)


def _must_cover_wait(run: Run, stop: int, cooldown: float) -> None:
    """Refuse a cool-down in which requests that only the flush completes would be measured.

    When arrivals stop, WAIT keeps about o_j n_j admitted requests of type j and fewer than n_j waiting ones. Groups of
    types have no common o, and are measured like the types of any other policy.
    """
    thresholds = run.params.get("thresholds") if run.policy == "wait" else None
    if thresholds is None or run.params.get("cuts") is not None:
        return
    mix = run.requests.mix
    arrived = np.bincount(run.requests.type_of[stop:], minlength=len(mix))
    need = np.array([(kind.output + 1) * int(n) for kind, n in zip(mix, thresholds, strict=True)])
    short = np.flatnonzero(arrived <= need)
    if not len(short):
        return
    j = int(short[0])
    what = f"type {j} has {arrived[j]} arrivals in the cool-down, WAIT needs more than (o+1) n = {need[j]}"
    if cooldown == 0:
        raise CoolDownTooShort(f"{what}: give a cool-down above 0")
    rate = np.array([kind.rate for kind in mix])
    n = math.ceil(float(((need + 1) / (cooldown * rate / rate.sum())).max()))
    raise CoolDownTooShort(f"{what}: take n at least {n} requests, or a longer cool-down")
