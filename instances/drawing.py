"""Drawing request lengths and arrivals for the random families."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from instances.card import REQUIRED, Parameter
from instances.list_greedy import best_list_greedy
from kvratio.problem.errors import BadParameter
from kvratio.problem.instance import Instance, IntArray

#: a family whose draws fit memory less often than this refuses its parameters instead of redrawing for ever
LEAST_ACCEPTANCE = 0.01

PROMPT_LAW = (4.5, 1.0)
OUTPUT_LAW = (5.0, 0.8)
LONGEST = 1000

COUNT = Parameter("count", REQUIRED, "n requests", low=1)
MEMORY = Parameter("memory", REQUIRED, "memory M (tokens)", low=1)
PROMPT = Parameter("prompt", REQUIRED, "prompt s of all requests (tokens)", low=0)
RATE = Parameter("rate", None, "Poisson arrivals per round; default: all at 0", "float", low=0, open_low=True)


def clipped_lognormal(rng: np.random.Generator, law: tuple[float, float], count: int) -> IntArray:
    """Draw clip(floor(lognormal(mean, sigma)), 1, 1000), int64[count]."""
    return np.clip(np.floor(rng.lognormal(*law, count)), 1, LONGEST).astype(np.int64)


def clipped_lognormal_chances(law: tuple[float, float]) -> np.ndarray:
    """Return the probability of each value 1..1000 of `clipped_lognormal`, float64[1000]."""
    below = [(1 + math.erf((math.log(k) - law[0]) / law[1] / math.sqrt(2))) / 2 for k in range(2, LONGEST + 1)]
    return np.diff(np.concatenate(([0.0], below, [1.0])))


def arrivals(rng: np.random.Generator, count: int, rate: float | None) -> IntArray:
    """Draw the epochs of a Poisson process: floor of summed exponential gaps of mean 1/rate; all 0 without a rate."""
    if rate is None:
        return np.zeros(count, np.int64)
    total = np.cumsum(rng.exponential(1 / rate, count))
    if not math.isfinite(total[-1]) or total[-1] > 2.0**62:
        raise BadParameter(f"rate is {rate}: arrivals leave int64, take it larger")
    return np.floor(total).astype(np.int64)


def must_fit(family: str, prompt: int, output: int, memory: int) -> None:
    """Refuse parameters whose largest request does not fit, whether or not this seed draws it."""
    if prompt + output > memory:
        raise BadParameter(
            f"{family}: prompt {prompt} + output {output} = {prompt + output} > memory {memory}: take memory larger"
        )


def redraw(
    rejected: Callable[[], np.ndarray], draw: Callable[[np.ndarray], None], chance: float, family: str, memory: int
) -> int:
    """Redraw rejected requests, all of them at once, until none is left; return how many draws were rejected.

    Parameters
    ----------
    rejected : callable
        Returns the indices of requests that do not fit.
    draw : callable
        Redraws the requests at these indices, in place.
    chance : float
        Probability that one draw fits; below `LEAST_ACCEPTANCE` the parameters are refused.
    """
    if chance < LEAST_ACCEPTANCE:
        raise BadParameter(
            f"{family}: memory is {memory}: a drawn request fits with probability {chance:.2g}, below "
            f"{LEAST_ACCEPTANCE}: take memory larger"
        )
    total = 0
    while (bad := rejected()).size:
        total += len(bad)
        draw(bad)
    return total


def shortest_or_smallest(inst: Instance) -> IntArray:
    """Witness of the random families: the cheaper of list-greedy by output and by volume."""
    return best_list_greedy(inst, ("mc_sf", "svf"))


__all__ = [
    "COUNT",
    "LONGEST",
    "MEMORY",
    "OUTPUT_LAW",
    "PROMPT",
    "PROMPT_LAW",
    "RATE",
    "arrivals",
    "clipped_lognormal",
    "clipped_lognormal_chances",
    "must_fit",
    "redraw",
    "shortest_or_smallest",
]
