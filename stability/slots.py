"""The slot simulator: one worker with chunked prefill and real evictions, against the capacity of theory.

The model is that of arXiv 2605.04595, "one slot = one batch": prompts enter in chunks, outputs grow by a token a slot,
admission is first come, first served and looks one slot ahead. What the paper leaves free costs something here: an
evicted request keeps its state (swap), is prefilled again with all its tokens (recompute) or loses all (restart).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from stability.capacity.lengths import Lengths, means
from stability.request_stream import arrivals_of, bucket, budget, law_of, one_of, requests_of, whole
from stability.whole_requests import COMPLETED, EVICTED, MODES, ROWS, USED, IntArray, Limits, run_slots

#: requests drawn beyond what memory could serve in the time, as a share
SPARE = 1.05


@dataclass(frozen=True, eq=False)
class Slots:
    """What a run measured, after its warm-up, and the trajectories of all slots.

    Attributes
    ----------
    ratio : float
        Completions per slot x E[g] / M; 1 is the capacity of theory.
    throughput : float
        Completions per slot.
    mean_fill : float
        Mean footprint after the slot over M.
    evictions_per_completion : float
        nan without completions.
    mean_area : float
        E[g], token-slots.
    eviction : str
    memory, chunk, warmup, seed : int
    used, admitted, evicted, completed, resident, waiting : int64[warmup + slots]
        Of each slot: tokens held after it, requests admitted, evicted, completed, resident, and waiting (0 when
        saturated).
    """

    ratio: float
    throughput: float
    mean_fill: float
    evictions_per_completion: float
    mean_area: float
    eviction: str
    memory: int
    chunk: int
    warmup: int
    seed: int
    used: IntArray
    admitted: IntArray
    evicted: IntArray
    completed: IntArray
    resident: IntArray
    waiting: IntArray


def simulate(
    lengths: Any,
    memory: float,
    slots: int = 16_000,
    *,
    eviction: str = "swap",
    warmup: int = 6_000,
    chunk: int = 512,
    exact: bool = False,
    rate: float | None = None,
    backlog: int = 0,
    cap: float = math.inf,
    burst: float = 1.0,
    seed: int = 0,
) -> Slots:
    """Run one worker on a stream of requests, first come, first served.

    Parameters
    ----------
    lengths
        What `stability.capacity.as_lengths` reads, or two numbers. Requests are drawn from it: those of a trace with
        equal chances, ``stability.capacity.Independent("uniform:10:1600", 805)`` as it says.
    memory : float
        M, tokens.
    slots : int
        Slots that are measured, after the warm-up.
    eviction : {"swap", "recompute", "restart"}
    warmup : int
        Slots that are not.
    chunk : int
        Prompt tokens processed in a slot.
    exact : bool
        Whether E[g] is that of real chunks rather than the closed form.
    rate : float, optional
        Poisson arrivals per slot. Default: saturated, somebody is always waiting.
    backlog : int
        Requests that wait at the start, beside those of ``rate``.
    cap, burst : float
        At most ``cap`` admissions a slot on average: a token bucket, which keeps at most ``burst`` unused ones. An
        empty worker admits one request in any case.
    seed : int

    Returns
    -------
    Slots

    Raises
    ------
    BadParameter

    Examples
    --------
    >>> round(simulate((805, 805), 65_500, eviction="restart").ratio, 2)
    0.76
    """
    law = law_of(lengths)
    measured, warmup, chunk = whole("slots", slots, 1), whole("warmup", warmup, 0), whole("chunk", chunk, 1)
    total, seed = measured + warmup, whole("seed", seed, 0)
    limits = Limits(
        budget(memory, math.ceil(law.largest), "prompt + output"),
        chunk,
        one_of("eviction", eviction, MODES),
        rate is None,
        *bucket(cap, burst),
    )
    arrivals = np.zeros(0, np.int64)
    if rate is not None:
        arrivals = arrivals_of(rate, total, backlog, "slots", "arrivals", seed)
    mean_area = means(law, chunk, exact).area
    rows = _run(law, limits, arrivals, total, mean_area, seed)
    after = rows[warmup:]
    throughput = float(after[:, COMPLETED].mean())
    completed, evicted = int(after[:, COMPLETED].sum()), int(after[:, EVICTED].sum())
    return Slots(
        ratio=throughput * mean_area / limits.memory,
        throughput=throughput,
        mean_fill=float(after[:, USED].mean()) / limits.memory,
        evictions_per_completion=evicted / completed if completed else math.nan,
        mean_area=mean_area,
        eviction=eviction,
        memory=limits.memory,
        chunk=chunk,
        warmup=warmup,
        seed=seed,
        **{name: np.ascontiguousarray(rows[:, k]) for k, name in enumerate(ROWS)},
    )


def _run(law: Lengths, limits: Limits, arrivals: IntArray, slots: int, mean_area: float, seed: int) -> IntArray:
    """Run all slots; the stream of a saturated run is drawn as far as it is needed."""
    if limits.saturated:
        n = math.ceil(SPARE * limits.memory * slots / mean_area) + 1000
    else:
        n = max(1, int(arrivals.sum()))
    rows = np.zeros((slots, len(ROWS)), np.int64)
    while True:
        prompt, output = requests_of(law, n, "slots", "lengths", seed)
        kind = np.zeros(n, np.int64)
        if run_slots(prompt, output, kind, arrivals, limits, rows, np.zeros((1, slots), np.int64)) == slots:
            return rows
        n *= 2
