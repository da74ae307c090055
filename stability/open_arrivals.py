"""Open arrivals: the congestion model (arXiv 2606.15555) with whole requests that arrive at random, and its hysteresis.

Between T_worst and x* a worker is metastable: it keeps up while it is lightly loaded, and after a burst serves only
about T_worst for good. So every question is asked twice, from an empty worker and from a backlog.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stability.congestion.rates import equilibrium_of
from stability.request_stream import arrivals_of, bucket, budget, class_order, one_of, whole, whole_classes
from stability.whole_requests import (
    COMPLETED,
    EVICTED,
    MODES,
    QUEUED,
    ROWS,
    USED,
    FloatArray,
    IntArray,
    Limits,
    run_slots,
)

#: requests drawn beyond what memory could serve in the time, as a share
SPARE = 1.1


@dataclass(frozen=True, eq=False)
class OpenArrivals:
    """What a run measured in its second half, and its trajectories.

    Attributes
    ----------
    rate : float
        Arrivals per iteration that were asked for.
    throughput : float
        Completions per iteration, second half.
    equilibrium_rate : float
        x*, requests per iteration.
    ratio : float
        throughput / x*.
    mean_fill : float
        Memory in use over M, second half.
    evictions_per_completion : float
        Second half; nan without completions.
    queue_end : int
        Requests that wait after the last iteration; 0 when saturated, as all that concerns the queue.
    growth : float
        Slope of the queue over the second half by least squares, requests per iteration.
    emptied : int
        First iteration after which nobody waits; -1 if there is none.
    used, admitted, evicted, completed, resident, waiting : int64[steps]
    completed_by_class : int64[K, steps]
        Of length 0 unless it was asked for.
    """

    rate: float
    throughput: float
    equilibrium_rate: float
    ratio: float
    mean_fill: float
    evictions_per_completion: float
    queue_end: int
    growth: float
    emptied: int
    used: IntArray
    admitted: IntArray
    evicted: IntArray
    completed: IntArray
    resident: IntArray
    waiting: IntArray
    completed_by_class: IntArray

    @property
    def drained(self) -> bool:
        """Whether the queue was empty at some time."""
        return self.emptied >= 0


def simulate(
    prompt: npt.ArrayLike,
    decode: npt.ArrayLike,
    memory: float,
    rate: float,
    steps: int = 40_000,
    *,
    shares: npt.ArrayLike | None = None,
    backlog: int = 0,
    eviction: str = "restart",
    cap: float = math.inf,
    burst: float = 1.0,
    order: str = "random",
    seed: int = 0,
    by_class: bool = False,
) -> OpenArrivals:
    """Run one worker on Poisson arrivals, first come, first served; evicted requests go to the head of the queue.

    Parameters
    ----------
    prompt, decode : int or array of int
        l0, one number or one per class, and l1, one per class.
    memory : float
        M, tokens.
    rate : float
        Arrivals per iteration; infinite: saturated, somebody is always waiting.
    steps : int
        Iterations.
    shares : array of float, optional
        Default: equal.
    backlog : int
        Requests that wait at the start.
    eviction : {"restart", "recompute", "swap"}
        The theory's is ``restart``. Here a prompt is read in one iteration, so ``recompute`` costs an iteration in
        which no token is made.
    cap, burst : float
        At most ``cap`` admissions an iteration on average: a token bucket, which keeps at most ``burst`` unused ones.
        An empty worker admits one request in any case.
    order : {"random", "rotation"}
        How the classes of arrivals follow each other.
    seed : int
    by_class : bool
        Count completions by class.

    Returns
    -------
    OpenArrivals

    Raises
    ------
    BadParameter

    Examples
    --------
    >>> simulate(10, 40, 2000, rate=0.5, steps=2000).queue_end
    0
    """
    l0, classes = whole_classes(prompt, decode, shares)
    l1 = classes.decode
    steps, seed = whole("steps", steps, 2), whole("seed", seed, 0)
    memory_tokens = budget(memory, int((l0 + l1).max()), "prompt + decode")
    # The first slot of a request holds l0 + 1 tokens: its prompt and the place of the first token.
    saturated = rate == math.inf
    limits = Limits(memory_tokens, 2**53, one_of("eviction", eviction, MODES), saturated, *bucket(cap, burst))
    x_star = equilibrium_of(classes, memory_tokens)
    if saturated:
        arrivals, n = np.zeros(0, np.int64), math.ceil(SPARE * x_star * steps) + 1000
    else:
        arrivals = arrivals_of(rate, steps, backlog, "open_arrivals", "arrivals", seed)
        n = max(1, int(arrivals.sum()))
    rows, done = np.zeros((steps, len(ROWS)), np.int64), 0
    while done < steps:
        kind = class_order(classes.share, n, order, "open_arrivals", "classes", seed)
        counted = kind if by_class else np.zeros(n, np.int64)
        of_class = np.zeros((len(classes) if by_class else 1, steps), np.int64)
        done = run_slots((l0 + 1)[kind], (l1 - 1)[kind], counted, arrivals, limits, rows, of_class)
        n *= 2
    late = rows[steps // 2 :]
    throughput, completed = float(late[:, COMPLETED].mean()), int(late[:, COMPLETED].sum())
    empty = np.flatnonzero(rows[:, QUEUED] == 0)
    return OpenArrivals(
        rate=float(rate),
        throughput=throughput,
        equilibrium_rate=x_star,
        ratio=throughput / x_star,
        mean_fill=float(late[:, USED].mean()) / memory_tokens,
        evictions_per_completion=int(late[:, EVICTED].sum()) / completed if completed else math.nan,
        queue_end=int(rows[-1, QUEUED]),
        growth=_slope(late[:, QUEUED].astype(np.float64)),
        emptied=int(empty[0]) if len(empty) else -1,
        **{name: np.ascontiguousarray(rows[:, k]) for k, name in enumerate(ROWS)},
        completed_by_class=of_class if by_class else of_class[:0],
    )


def _slope(values: FloatArray) -> float:
    """Return the least-squares slope of values over their places."""
    time = np.arange(len(values)) - (len(values) - 1) / 2
    return float(time @ values / (time @ time))
