"""Intervals across replications: Student t, never from correlated requests inside one run."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kvratio.problem.errors import BadParameter


def mean_and_half_width(
    values: Sequence[float] | npt.NDArray[np.float64], confidence: float = 0.95
) -> tuple[float, float]:
    """Return mean and half width of its t-interval over independent replications.

    Parameters
    ----------
    values : sequence of R floats
        One per replication. For a comparison of policies on the same draws: the paired differences.
    confidence : float
        Above 0 and below 1.

    Raises
    ------
    BadParameter
        Fewer than two values: one replication has no interval.
    """
    from scipy.special import stdtrit  # slow to import

    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or len(array) < 2:
        raise BadParameter(f"an interval needs at least 2 replications, got {array.size}: run more seeds")
    if not 0 < confidence < 1:
        raise BadParameter(f"confidence is {confidence!r}: give a number above 0 and below 1, such as 0.95")
    error = float(array.std(ddof=1)) / math.sqrt(len(array))
    return float(array.mean()), float(stdtrit(len(array) - 1, (1 + confidence) / 2)) * error
