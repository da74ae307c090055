"""The congestion model with whole requests: the stages of arXiv 2606.15555, counted instead of measured.

One iteration: execute (every stage moves on, the last of a class completes), arrivals, evict while memory exceeds M
(least progressed first, over all classes), admit while a request fits. Whole requests leave room after an eviction, so
some may be admitted in the same iteration. Evicted requests join the queue again and have no class until they are
admitted: classes are admitted in rotation by their shares, or drawn. Of the requests of one stage the class with the
most there loses one, ties to the first class: that is how mass is evicted in the continuous model, in proportion.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kvratio.problem.compiled import compiled
from kvratio.problem.errors import BadParameter
from stability.congestion.classes import Classes
from stability.congestion.rates import equilibrium_of
from stability.request_stream import bucket, budget, class_order, whole, whole_classes
from stability.whole_requests import FloatArray, IntArray

#: admissions drawn beyond what memory could serve, as a share
SPARE = 1.1


@dataclass(frozen=True, eq=False)
class Integer:
    """Trajectories of a run; row 0 is the start, in which nothing is admitted, evicted or completed.

    Attributes
    ----------
    prompt, decode, shares : int64[K], int64[K], float64[K]
        Classes with a share.
    equilibrium_rate : float
        x* = M / sum p_k l1_k (l0_k + (l1_k + 1)/2), requests per iteration.
    ratio : float
        Completions per iteration over x*, second half of the run.
    throughput : float
        Completions per iteration, second half.
    mean_fill : float
        Memory in use over M, second half.
    evictions_per_completion : float
        Second half; nan without completions.
    eviction_rate : float
        Evictions per iteration, second half.
    used, admitted, evicted, completed, waiting : int64[steps + 1]
        ``waiting`` is 0 when saturated.
    completed_by_class : int64[K, steps + 1]
    state : int64[K, d]
        Requests of each class in each stage at the end.
    states : int64[steps + 1, K, d]
        The same at all times, where it was asked for; else of length 0.
    """

    prompt: IntArray
    decode: IntArray
    shares: FloatArray
    equilibrium_rate: float
    ratio: float
    throughput: float
    mean_fill: float
    evictions_per_completion: float
    eviction_rate: float
    used: IntArray
    admitted: IntArray
    evicted: IntArray
    completed: IntArray
    waiting: IntArray
    completed_by_class: IntArray
    state: IntArray
    states: IntArray


@compiled(nogil=True)
def _execute(x, decode, done):
    """Move every stage on and write the completions of each class."""
    for k in range(len(decode)):
        last = decode[k] - 1
        done[k] = x[k, last]
        for j in range(last, 0, -1):
            x[k, j] = x[k, j - 1]
        x[k, 0] = 0


@compiled(nogil=True)
def _evict(x, prompt, used, memory):
    """Evict the least progressed, of the class with most in that stage, while memory is short; return how many."""
    number, j = 0, 0
    while used > memory:
        most = 0
        for k in range(1, len(prompt)):
            if x[k, j] > x[most, j]:
                most = k
        if x[most, j] == 0:
            j += 1
            continue
        x[most, j] -= 1
        used -= prompt[most] + 1 + j
        number += 1
    return number


@compiled(nogil=True)
def _tokens(x, prompt, decode):
    """Memory in use, with the slot of the next token."""
    used = 0
    for k in range(len(prompt)):
        for j in range(decode[k]):
            used += x[k, j] * (prompt[k] + 1 + j)
    return used


@compiled(nogil=True)
def _run(x, prompt, decode, kinds, queue, arrivals, memory, cap, burst, given, rows, by_class, states):
    """Fill the rows (used, admitted, evicted, completed, waiting); return how many, fewer where ``kinds`` ran out.

    ``queue`` below 0: infinite backlog. ``given``: row 0 is the state as it stands.
    """
    turn, credit = 0, 0.0
    for t in range(len(rows)):
        row = rows[t]
        row[:] = 0
        if t > 0:
            _execute(x, decode, by_class[:, t])
            row[3] = by_class[:, t].sum()
            if queue >= 0:
                queue += arrivals[t - 1]
        used = _tokens(x, prompt, decode)
        if not (given and t == 0):
            row[2] = _evict(x, prompt, used, memory)
            if row[2] > 0:
                used = _tokens(x, prompt, decode)
                queue += row[2] if queue >= 0 else 0
            if cap < np.inf:
                credit = min(credit, burst) + cap
            while queue != 0:
                if turn == len(kinds):
                    return t
                kind = kinds[turn]
                if used + prompt[kind] + 1 > memory or (cap < np.inf and used > 0 and credit < 1.0):
                    break
                turn += 1
                credit = max(credit - 1.0, 0.0)
                x[kind, 0] += 1
                used += prompt[kind] + 1
                row[1] += 1
                queue -= 1 if queue > 0 else 0
        # Row 0 is the start: how it came about is not an event of the run.
        row[1] *= t > 0
        row[0], row[4] = used, max(queue, 0)
        if len(states) > 0:
            states[t] = x
    return len(rows)


def simulate(
    prompt: npt.ArrayLike,
    decode: npt.ArrayLike,
    memory: float,
    steps: int,
    *,
    shares: npt.ArrayLike | None = None,
    start: npt.ArrayLike | None = None,
    cap: float = math.inf,
    burst: float = 1.0,
    order: str = "rotation",
    queued: int | None = None,
    arrivals: npt.ArrayLike | None = None,
    seed: int = 0,
    states: bool = False,
) -> Integer:
    """Run the congestion model with whole requests.

    Parameters
    ----------
    prompt, decode : int or array of int
        l0, one number or one per class, and l1, one per class.
    memory : float
        M, tokens.
    steps : int
        Iterations.
    shares : array of float, optional
        Default: equal.
    start : array of int, shape (d,) or (K, d), optional
        Requests in each stage; (d,) for one class. Default: an empty worker, which is filled before row 0.
    cap, burst : float
        At most ``cap`` admissions an iteration on average: a token bucket, which keeps at most ``burst`` unused ones.
        An empty worker admits one request in any case.
    order : {"rotation", "random"}
        How the classes of admissions follow each other.
    queued : int, optional
        Requests that wait at the start. Default: a backlog without end.
    arrivals : array of int, shape (steps,), optional
        Requests that join the queue in each iteration; only with ``queued``. Default: none.
    seed : int
        Of random classes.
    states : bool
        Keep the state of every iteration.

    Returns
    -------
    Integer

    Raises
    ------
    BadParameter

    Examples
    --------
    >>> simulate(2, 3, 24, 1, start=[1, 1, 2], queued=8, arrivals=[5]).state.tolist()
    [[5, 1, 1]]
    """
    l0, classes = whole_classes(prompt, decode, shares)
    l1, steps, number = classes.decode, whole("steps", steps, 0), len(classes)
    limit = budget(memory, int((l0 + l1).max()), "prompt + decode")
    x = _start(start, classes)
    if int(_tokens(x, l0, l1)) > limit:
        raise BadParameter(f"start holds {int(_tokens(x, l0, l1))} tokens, beyond memory {limit}: give fewer requests")
    queue = -1 if queued is None else whole("queued", queued, 0)
    joining = _arrivals(arrivals, steps, queued)
    rate, extra = bucket(cap, burst)
    rows, by_class = np.zeros((steps + 1, 5), np.int64), np.zeros((number, steps + 1), np.int64)
    kept = np.zeros((steps + 1 if states else 0, *x.shape), np.int64)
    x_star = equilibrium_of(classes, limit)
    n = math.ceil(SPARE * x_star * (steps + 1)) + limit // (int(l0.min()) + 1) + 1000
    while True:
        kinds, end = class_order(classes.share, n, order, "integer", "classes", seed), x.copy()
        done = _run(end, l0, l1, kinds, queue, joining, limit, rate, extra, start is not None, rows, by_class, kept)
        if done == steps + 1:
            return _result(l0, classes, x_star, limit, rows, by_class, end, kept)
        n *= 2


def _result(
    l0: IntArray,
    classes: Classes,
    x_star: float,
    limit: int,
    rows: IntArray,
    by_class: IntArray,
    end: IntArray,
    states: IntArray,
) -> Integer:
    late = rows[len(rows) // 2 :]
    used, admitted, evicted, completed, waiting = (np.ascontiguousarray(rows[:, k]) for k in range(5))
    finished = int(late[:, 3].sum())
    throughput = finished / len(late)
    return Integer(
        prompt=l0,
        decode=classes.decode,
        shares=classes.share,
        equilibrium_rate=x_star,
        ratio=throughput / x_star,
        throughput=throughput,
        mean_fill=float(late[:, 0].mean()) / limit,
        evictions_per_completion=int(late[:, 2].sum()) / finished if finished else math.nan,
        eviction_rate=float(late[:, 2].mean()),
        used=used,
        admitted=admitted,
        evicted=evicted,
        completed=completed,
        waiting=waiting,
        completed_by_class=by_class,
        state=end,
        states=states,
    )


def _start(start: Any, classes: Classes) -> IntArray:
    """Return the first state, int64[K, d]: given counts, with nothing in stages a class does not have."""
    x = np.zeros((len(classes), classes.d), np.int64)
    if start is None:
        return x
    try:
        counts = np.atleast_2d(np.asarray(start))
    except ValueError:
        raise BadParameter("start has rows of different lengths: give a number for each stage, 0 where none") from None
    if counts.ndim != 2 or counts.shape[0] <= classes.index.max() or counts.shape[1] > classes.d:
        raise BadParameter(
            f"start has shape {np.shape(start)}: give a row for each class, with at most {classes.d} stages"
        )
    if counts.dtype.kind not in "iuf" or (counts != np.floor(counts)).any() or (counts < 0).any():
        raise BadParameter("start holds something other than whole numbers of 0 or more: give requests by stage")
    # Classes without a share are left out, and their rows with them.
    x[:, : counts.shape[1]] = counts[classes.index]
    if any(x[k, length:].any() for k, length in enumerate(classes.decode.tolist())):
        raise BadParameter("start holds requests in stages that their class does not have: give 0 there")
    return x


def _arrivals(arrivals: Any, steps: int, queued: int | None) -> IntArray:
    """Return arrivals of each iteration, int64[steps]."""
    if arrivals is None:
        return np.zeros(steps, np.int64)
    if queued is None:
        raise BadParameter("arrivals mean nothing with an endless backlog: give queued, the requests that wait")
    counts = np.atleast_1d(np.asarray(arrivals))
    if counts.shape != (steps,) or counts.dtype.kind not in "iu" or (counts < 0).any():
        raise BadParameter(f"arrivals: give {steps} whole numbers of 0 or more, one for each iteration")
    return counts.astype(np.int64)
