"""From one worker to many: mixtures of traffic, replicas, and the GPUs that a rate needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kvratio.problem.errors import BadParameter
from stability.capacity.checks import FloatArray, arrival_rate, number, share_of_mu

#: how one worker may be spread over GPUs
PARALLEL = ("none", "tensor")
#: what the theory does not cover: two memories or two kinds of slot stand in a row
REFUSED = ("pipeline", "split-prefill")
#: a quotient may exceed a whole number by this share and still count as it: rounding of the inputs
ROUNDING = 1e-12


def mixture(mus: npt.ArrayLike, fractions: npt.ArrayLike) -> float:
    """Return the capacity of a worker whose traffic is of class l for a fraction q_l of the requests.

    Parameters
    ----------
    mus : array of numbers, shape (m,)
        Capacity for each class alone, requests per second > 0.
    fractions : array of numbers, shape (m,)
        Shares of the requests, >= 0, of sum 1.

    Returns
    -------
    float
        ``1 / sum q_l / mu_l``, the harmonic mean (arXiv 2605.04595).

    Raises
    ------
    BadParameter
        Capacities that are not positive, fractions that do not sum to 1, or different numbers of both.
    """
    rates = _rates(mus)
    try:
        parts = np.atleast_1d(np.asarray(fractions, dtype=np.float64))
    except (TypeError, ValueError):
        raise BadParameter(f"fractions is {fractions!r}: give shares of the requests, of sum 1") from None
    if parts.shape != rates.shape:
        raise BadParameter(f"{parts.size} fractions for {rates.size} capacities: give one for each")
    if not np.isfinite(parts).all() or (parts < 0).any() or abs(parts.sum() - 1) > 1e-9:
        raise BadParameter(f"fractions sum to {parts.sum():g}: give shares of the requests, 0 or more, of sum 1")
    return float(1 / (parts / rates).sum())


def gpus_needed(rate: float, mu: float, utilisation: float = 0.9) -> int:
    """Return ``ceil(rate / (mu utilisation))``: how many equal workers carry a rate at a utilisation.

    Parameters
    ----------
    rate, mu : float
        Requests per second, > 0.
    utilisation : float
        In (0, 1]; 1 gives the count below which nothing can help.

    Raises
    ------
    BadParameter
    """
    asked = arrival_rate(rate) / (number("mu", mu, "requests per second above 0") * share_of_mu(utilisation))
    if not math.isfinite(asked):
        raise BadParameter(f"rate {rate:g} over mu {mu:g} is beyond all numbers: check the units")
    return max(1, math.ceil(asked * (1 - ROUNDING)))


@dataclass(frozen=True, eq=False)
class Fleet:
    """Workers behind a router that sends each its share of the requests at random.

    Attributes
    ----------
    mus : float64[k]
        Capacity of each worker, requests per second.
    shares : float64[k]
        Share of the requests that each should get, proportional to its capacity.
    mu : float
        Capacity of all, their sum.
    safe_rate : float
        ``mu (1 - max delta)``; nan without deltas.
    rate, load : float or None
        Arrivals per second, and over mu.
    """

    mus: FloatArray
    shares: FloatArray
    mu: float
    safe_rate: float
    rate: float | None = None
    load: float | None = None

    @property
    def replicas(self) -> int:
        """Number of workers."""
        return len(self.mus)


def fleet(
    mus: npt.ArrayLike,
    counts: npt.ArrayLike | None = None,
    *,
    deltas: npt.ArrayLike | None = None,
    rate: float | None = None,
    parallel: str = "none",
) -> Fleet:
    """Return the capacity of replicas, equal or not.

    Parameters
    ----------
    mus : array of numbers, shape (m,)
        Capacity of one worker of each kind, requests per second. A tensor-parallel group is one worker, with its own
        measured memory and batch time.
    counts : array of int, shape (m,), optional
        Workers of each kind, >= 0. Default: one.
    deltas : array of numbers, shape (m,), optional
        delta of each kind, for the safe rate.
    rate : float, optional
        Requests per second.
    parallel : {"none", "tensor", "pipeline", "split-prefill"}
        How a worker is spread over its GPUs. The last two are refused: the theory does not cover them.

    Raises
    ------
    BadParameter

    Notes
    -----
    Random routing with probabilities proportional to mu_i brings all workers to the same load, so the sum is reached
    (derived; N equal replicas: N mu, arXiv 2605.04595). The proven-safe share of the worst worker then binds all.
    """
    check_parallel(parallel)
    kinds = _rates(mus)
    numbers = _counts(counts, len(kinds))
    each = np.repeat(kinds, numbers)
    total = float(each.sum())
    safe = math.nan
    if deltas is not None:
        found = np.atleast_1d(np.asarray(deltas, dtype=np.float64))
        if found.shape != kinds.shape or not np.isfinite(found).all() or (found < 0).any() or (found > 1).any():
            raise BadParameter(f"deltas are {found.tolist()}: give one in [0, 1] for each of {len(kinds)} kinds")
        safe = total * (1 - float(found[numbers > 0].max()))
    asked = None if rate is None else arrival_rate(rate)
    return Fleet(each, each / total, total, safe, asked, None if asked is None else asked / total)


def check_parallel(parallel: str) -> None:
    """Refuse ways to spread a worker over GPUs that the theory does not cover."""
    if parallel in REFUSED:
        raise BadParameter(
            f"{parallel} is outside the theory, which knows one memory and one batch time per worker: measure the "
            "throughput of the whole pipeline under load instead"
        )
    if parallel not in PARALLEL:
        raise BadParameter(f"parallel is {parallel!r}: choose one of {', '.join((*PARALLEL, *REFUSED))}")


def _rates(mus: Any) -> FloatArray:
    try:
        rates = np.atleast_1d(np.asarray(mus, dtype=np.float64))
    except (TypeError, ValueError):
        raise BadParameter(f"mus is {mus!r}: give requests per second above 0") from None
    if rates.ndim != 1 or not rates.size or not np.isfinite(rates).all() or (rates <= 0).any():
        raise BadParameter(f"mus is {rates.tolist()}: give a flat list of requests per second above 0")
    return rates


def _counts(counts: npt.ArrayLike | None, kinds: int) -> npt.NDArray[np.int64]:
    if counts is None:
        return np.ones(kinds, np.int64)
    numbers: Sequence[Any] = np.atleast_1d(np.asarray(counts)).tolist()
    whole = all(
        isinstance(k, (int, float)) and not isinstance(k, bool) and 0 <= k < 2**31 and k % 1 == 0 for k in numbers
    )
    if len(numbers) != kinds or not whole or sum(numbers) == 0:
        raise BadParameter(f"counts is {numbers}: give a whole number >= 0 for each of {kinds} kinds, one at least 1")
    return np.array(numbers, dtype=np.int64)
