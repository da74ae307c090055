"""The sampling error of mu: a trace is one draw of the requests that might have come."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from kvratio.problem.errors import BadParameter
from kvratio.problem.seeds import stream
from stability.capacity.areas import decode_area, prefill_area
from stability.capacity.checks import chunk_tokens, memory_tokens, number
from stability.capacity.lengths import Joint, Means, as_lengths
from stability.capacity.seconds import IterationModel, SlotTime, clock_of, seconds_at, slot_time

#: resamplings; their percentiles then move by about a tenth of the interval's half-width between seeds
REPLICATIONS = 1000


@dataclass(frozen=True)
class MuInterval:
    """A percentile bootstrap interval.

    Attributes
    ----------
    low, high : float
        Requests per second.
    level : float
        Coverage aimed at.
    requests : int
        In the sample.
    block : int
        Requests that are resampled together.
    """

    low: float
    high: float
    level: float
    requests: int
    block: int


def mu_interval(
    lengths: Any,
    memory: float,
    slot_seconds: float | SlotTime | None = None,
    *,
    chunk: int = 512,
    exact: bool = False,
    iteration_model: IterationModel | None = None,
    level: float = 0.95,
    replications: int = REPLICATIONS,
    block: int | None = None,
    seed: int = 0,
) -> MuInterval | None:
    """Return an interval for mu from the sampling error of a trace.

    Parameters
    ----------
    lengths, memory, slot_seconds, chunk, exact, iteration_model
        Of `capacity`. With an iteration model, b is computed anew for every resampling.
    level : float
        In (0, 1).
    replications : int
        Resamplings with replacement, >= 1.
    block : int, optional
        Requests that stand together in the trace and are resampled together, in a circle. Default: about sqrt(n) of
        a trace with times, since lengths drift over the day; 1 of a sample without.
    seed : int
        Of the stream ``("capacity", "bootstrap", seed)``.

    Returns
    -------
    MuInterval or None
        None for a distribution, which has no sampling error, and for fewer than two requests.

    Notes
    -----
    Percentile bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13) over the blocks of a
    circle (Politis and Romano, "A circular block-resampling procedure for stationary data", 1992). It knows nothing
    of requests longer than any in the trace, of another day's traffic, or of the error of b.
    """
    budget, piece = memory_tokens(memory), chunk_tokens(chunk)
    if not 0 < number("level", level, "a coverage between 0 and 1") < 1:
        raise BadParameter(f"level is {level!r}: give a coverage between 0 and 1, such as 0.95")
    for name, value in (("replications", replications), ("block", 1 if block is None else block)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise BadParameter(f"{name} is {value!r}: give a whole number, 1 or more")
    who = as_lengths(lengths)
    if not isinstance(who, Joint) or who.n < 2:
        return None
    if block is None:
        block = 1 if who.seconds is None else math.ceil(math.sqrt(who.n))
    order = np.arange(who.n) if who.seconds is None else np.argsort(who.seconds, kind="stable")
    s, o = who.prompt[order], who.output[order]
    table = np.stack([prefill_area(s, piece, exact), decode_area(s, o), s, o, np.ones(who.n)], axis=1)
    table *= who.weight[order, None]
    clock = None if iteration_model is None else clock_of(iteration_model)
    fixed = slot_time(Means(*(table[:, :4].sum(axis=0))), budget, slot_seconds, iteration_model).seconds
    rng = stream("capacity", "bootstrap", seed)
    found = np.empty(replications)
    for k in range(replications):
        total = _counts(rng, who.n, block) @ table
        drawn = Means(*(total[:4] / total[4]))
        seconds = fixed if clock is None else seconds_at(clock, budget, drawn)
        found[k] = budget / (seconds * drawn.area)
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return MuInterval(float(low), float(high), level, who.n, int(block))


def _counts(rng: np.random.Generator, n: int, block: int) -> Any:
    """Return how often each of n requests is drawn, float64[n]: whole blocks, as many as cover n requests."""
    starts = rng.integers(n, size=-(-n // block))
    at = starts if block == 1 else ((starts[:, None] + np.arange(block)) % n).ravel()
    return np.bincount(at, minlength=n).astype(np.float64)
