"""Prices of all profile cuts at once: smoothed dual ascent over one price per state and round.

Let W[q, t] >= 0 be what a request pays for being in state q in round t. The states of the requests that are active in a
round must fit from then on (profiles.py), so they pay together at most the heaviest fitting set, and

    D(W) = sum over requests of min over C of rc(C)  -  sum over rounds of max over fitting sets S of W[S, t]

bounds every schedule from below. Maximising D over W is the dual of the LP with every profile cut there is: for each
round the maximum is the right-hand side of the row with weights W[., t]. No cut has to be found, a cut is what the
ascent leaves behind.

D is concave and piecewise linear. Minima are replaced by -mu log sum exp(-rc / mu), maxima by mu log sum exp(W[S] / mu)
(Y. Nesterov, Smooth minimization of non-smooth functions, 2005). The sum over all fitting sets comes from the knapsack
recursion over (number k, memory sum S) that also finds the heaviest one, and a second pass gives its derivative: how
often each state is in the set. Accelerated gradient steps, restarted when the momentum points downhill (B. O'Donoghue
and E. Candes, arXiv 1204.3982), climb the smooth function while mu falls. The result is only a proposal: weights are
rounded down to integers and each right-hand side is recomputed exactly.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from kvratio.problem.compiled import compiled
from lowerbounds.exact.jobs import Jobs
from lowerbounds.exact.tables import BoolArray, PriceTable, Row

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

#: threads; rounds are independent, so the result does not depend on it
WORKERS = 2
#: every sum over sets starts from exp(-SHIFT), so that sums up to exp(1000 - SHIFT) and their products stay finite
SHIFT = 300.0
#: heaviest set / mu that a round may start a stage with; the rest up to 1000 is room for growth
REACH = 750.0
#: steps between renewals of the metric
RENEWAL = 25
#: added to how often a state is used: its weight in the metric
FLOOR = 0.05
#: curvature assumed at first, times mu
CURVATURE = 10.0
#: how much sharper the maxima over sets are than the minima over completions
SHARPER = 8.0
#: a step is taken back when the function bends this many times more than assumed
BENT = 2.0
#: a state that pays nothing and is used less than this stays out of a round's recursion
UNUSED = 1e-3
#: integer weights are prices times this (or times the denominator, if that is smaller)
WEIGHT = 1 << 20


@compiled
def _reduced(W, output, offset, state_of, base, reduced):
    """Fill reduced[j, C] = base[j, C] + prices along the run; rounds beyond the last column of W cost nothing."""
    kinds, width = base.shape
    rounds = W.shape[1]
    for j in range(kinds):
        o = output[j]
        row = reduced[j]
        row[:] = base[j]
        for a in range(1, o + 1):
            # Age a is reached in round C - o + a.
            price = W[state_of[offset[j] + a - 1]]
            count = min(width, rounds + o - a) - o
            into, of = row[o:], price[a:]
            for c in range(count):
                into[c] += of[c]


@compiled
def soft_completions(reduced, copies, mu, x):
    """Fill x with the share of each completion; return the sums of the minima and of the smoothed minima."""
    hard, soft = 0.0, 0.0
    kinds, width = reduced.shape
    for j in range(kinds):
        low = np.inf
        for c in range(width):
            low = min(low, reduced[j, c])
        total = 0.0
        for c in range(width):
            d = (reduced[j, c] - low) / mu
            x[j, c] = np.exp(-d) if d < 30.0 else 0.0
            total += x[j, c]
        for c in range(width):
            x[j, c] *= copies[j] / total
        hard += copies[j] * low
        soft += copies[j] * (low - mu * np.log(total))
    return hard, soft


@compiled
def _spread(x, output, offset, state_of, use):
    """Fill use[q, t] with the mass of completions x in state q in round t: the adjoint of `_reduced`."""
    use[:] = 0.0
    kinds, width = x.shape
    rounds = use.shape[1]
    for j in range(kinds):
        o = output[j]
        for a in range(1, o + 1):
            count = min(width, rounds + o - a) - o
            into, of = use[state_of[offset[j] + a - 1]][a:], x[j, o:]
            for c in range(count):
                into[c] += of[c]


@compiled(nogil=True)
def _soft_profiles(W, use, most, m, r, memory, sizes, mu, first, step, slope, soft, forward, backward, items, factor):
    """Smooth maxima over fitting sets for rounds first, first + step, ..; ``slope`` receives use minus derivative.

    forward[k, S] sums exp(W / mu) over the sets of the items so far with k members and memory sum S; backward[i, k, S]
    over what items i, i + 1, .. can add. Items come by r descending, so after item i only k r + S <= memory is left.
    """
    least = m.min()
    start = np.exp(-SHIFT)
    for t in range(first, W.shape[1], step):
        n = 0
        for q in range(len(m)):
            slope[q, t] = 0.0
            if most[t, q] > 0 and (W[q, t] > 0.0 or use[q, t] > UNUSED):
                # The root, since the factor itself can exceed what a float holds.
                e = np.exp(0.5 * W[q, t] / mu[t])
                slope[q, t] = use[q, t]
                for _ in range(most[t, q]):
                    items[n] = q
                    factor[n] = e
                    n += 1
        soft[t] = 0.0
        if n == 0:
            continue
        backward[n] = start
        for i in range(n - 1, -1, -1):
            e, mi, ri = factor[i], m[items[i]], r[items[i]]
            before = r[items[i - 1]] if i > 0 else memory + 1
            for k in range(min(i, sizes, memory // (before + least)) + 1):
                high = memory - k * before
                top = min(high, memory - (k + 1) * ri - mi) if k < sizes else -1
                into, skip = backward[i, k], backward[i + 1, k]
                for S in range(k * least, high + 1):
                    into[S] = skip[S]
                if top >= k * least:
                    take = backward[i + 1, k + 1]
                    for S in range(k * least, top + 1):
                        into[S] += e * (e * take[S + mi])
        forward[:] = 0.0
        forward[0, 0] = start
        total = start * backward[0, 0, 0]
        soft[t] = mu[t] * (np.log(total) + 2.0 * SHIFT)
        for i in range(n):
            e, mi, ri = factor[i], m[items[i]], r[items[i]]
            share = 0.0
            for k in range(min(i, sizes - 1, (memory - ri - mi) // (ri + least)), -1, -1):
                of, into, rest = forward[k], forward[k + 1], backward[i + 1, k + 1]
                for S in range(k * least, memory - (k + 1) * ri - mi + 1):
                    v = e * (e * of[S])
                    share += v * rest[S + mi]
                    into[S + mi] += v
            slope[items[i], t] -= share / total


@compiled(nogil=True)
def heaviest(W, most, m, r, memory, sizes, best, value):
    """Fill best[t] with the largest sum of W[q, t] (int64 or float64) over the sets that fit; states by r descending.

    ``value`` is a workspace of shape (sizes + 1, memory + 1) and of W's type.
    """
    for t in range(W.shape[1]):
        value[:] = -1
        value[0, 0] = 0
        reach = 0
        top = value[0, 0]
        for q in range(len(m)):
            w = W[q, t]
            if w <= 0:
                continue
            for _ in range(most[t, q]):
                for k in range(min(reach, sizes - 1), -1, -1):
                    of, into = value[k], value[k + 1]
                    for S in range(memory - (k + 1) * r[q] - m[q] + 1):
                        if of[S] >= 0 and of[S] + w > into[S + m[q]]:
                            into[S + m[q]] = of[S] + w
                            top = max(top, of[S] + w)
                reach = min(reach + 1, sizes)
        best[t] = top


@compiled
def _compare(z, z_old, g, g_old, metric):
    """Return the squared length of d = z - z_old in the metric, g_old . d and g . d."""
    square = below = above = 0.0
    for q in range(z.shape[0]):
        for t in range(z.shape[1]):
            d = z[q, t] - z_old[q, t]
            square += metric[q, t] * d * d
            below += g_old[q, t] * d
            above += g[q, t] * d
    return square, below, above


@compiled
def _climb(z, g, curvature, metric, new):
    """Fill new = max(z + g / (curvature metric), 0) and return g . (new - old), where ``new`` holds old on entry."""
    rise = 0.0
    for q in range(z.shape[0]):
        for t in range(z.shape[1]):
            v = max(z[q, t] + g[q, t] / (curvature * metric[q, t]), 0.0)
            rise += g[q, t] * (v - new[q, t])
            new[q, t] = v
    return rise


@dataclass(frozen=True)
class Prices:
    """Prices per state and round, float64[states, rounds + 1], and their dual value (a float, never a bound)."""

    W: FloatArray
    value: float


class Ascent:
    """The dual over given windows.

    Parameters
    ----------
    jobs : Jobs
    allowed : bool[n, T + 2]
        Completions that a schedule may use, as in `tables.tabulate`.
    most : int64[T + 2, states]
        How many requests may be in a state in a round.
    sizes : int
        Most requests that can be active at once.
    rounds : int
        Rounds 1 .. rounds have prices; later ones are free.
    """

    def __init__(self, jobs: Jobs, allowed: BoolArray, most: IntArray, sizes: int, rounds: int) -> None:
        head = jobs.first_of_kind
        self.jobs, self.sizes, self.rounds = jobs, sizes, rounds
        # Beyond the last price a later completion only costs more.
        width = min(allowed.shape[1], rounds + int(jobs.output.max()) + 1)
        self.base = np.where(allowed[head, :width], np.arange(width, dtype=np.float64), np.inf)
        late = np.flatnonzero(~allowed[head, :width].any(axis=1))
        for k in late.tolist():
            self.base[k, width - 1] = float(np.flatnonzero(allowed[head[k]])[0])
        self.output, self.offset = jobs.output[head], jobs.offset[head]
        self.copies = jobs.copies.astype(np.float64)
        self.most = np.minimum(most[: rounds + 1], sizes)
        items = max(1, int(self.most.sum(axis=1).max()))
        shape = (len(jobs.state_left), rounds + 1)
        self.slope, self.use = np.zeros(shape), np.zeros(shape)
        self.soft, self.best = np.zeros(rounds + 1), np.zeros(rounds + 1)
        self.reduced, self.x = np.empty_like(self.base), np.empty_like(self.base)
        table = (sizes + 1, jobs.memory + 1)
        self.value = np.empty(table)
        self.work: list[tuple[Any, ...]] = [
            (np.empty(table), np.empty((items + 1, *table)), np.empty(items, np.int64), np.empty(items))
            for _ in range(WORKERS)
        ]

    @property
    def effort(self) -> int:
        """Return a bound on the entries that one step touches."""
        return int(self.most.sum()) * self.value.size

    def evaluate(self, W: FloatArray) -> float:
        """Return D(W) as a float."""
        jobs = self.jobs
        heaviest(W, self.most, jobs.state_memory, jobs.state_left, jobs.memory, self.sizes, self.best, self.value)
        _reduced(W, self.output, self.offset, jobs.state_of, self.base, self.reduced)
        return float(self.reduced.min(axis=1) @ self.copies - self.best.sum())

    def smooth(self, W: FloatArray, mu: float, mu_rounds: FloatArray, pool: ThreadPoolExecutor) -> float:
        """Return the smoothed D(W) and leave its derivative in ``slope``."""
        jobs = self.jobs
        _reduced(W, self.output, self.offset, jobs.state_of, self.base, self.reduced)
        _, soft = soft_completions(self.reduced, self.copies, mu, self.x)
        _spread(self.x, self.output, self.offset, jobs.state_of, self.use)
        parts = [
            pool.submit(
                _soft_profiles,
                W,
                self.use,
                self.most,
                jobs.state_memory,
                jobs.state_left,
                jobs.memory,
                self.sizes,
                mu_rounds,
                1 + k,
                WORKERS,
                self.slope,
                self.soft,
                *self.work[k],
            )
            for k in range(WORKERS)
        ]
        for part in parts:
            part.result()
        return float(soft - self.soft.sum())

    def stage(self, start: Prices, steps: int, mu: float, deadline: float) -> Prices:
        """Climb for a number of steps at one smoothing; return the better of where it began and where it ended."""
        self.evaluate(start.W)
        mu_rounds = np.maximum(mu / SHARPER, self.best / REACH)
        with ThreadPoolExecutor(WORKERS) as pool:
            W = accelerate(
                self, lambda z: self.smooth(z, mu, mu_rounds, pool), start.W, steps, CURVATURE / mu, deadline
            )
        value = self.evaluate(W)
        return Prices(W, value) if value > start.value else start


class Dual(Protocol):
    """What `accelerate` reads after each evaluation: the derivative, and how much rows are used."""

    slope: FloatArray
    use: FloatArray


def accelerate(
    dual: Dual, smooth: Callable[[FloatArray], float], W: FloatArray, steps: int, curvature: float, deadline: float
) -> FloatArray:
    """Take accelerated gradient steps from W on a concave function of W >= 0; return the last iterate.

    Parameters
    ----------
    smooth : callable
        Value at a point; leaves the derivative in ``dual.slope``.
    curvature : float
        A guess at the largest second derivative in the metric of use; adapted to what is seen.
    """
    # z is where the derivative is taken, x the iterate behind it.
    z, x, momentum = W, W.copy(), 1.0
    metric = np.ones_like(W)
    last: tuple[FloatArray, float, FloatArray] | None = None
    for step in range(steps):
        if time.monotonic() > deadline:
            break
        value = smooth(z)
        if step % RENEWAL == 0:
            # The second derivative is at most (run length) use / mu + (set size) share / mu: long steps where both
            # are small.
            metric = np.maximum(dual.use, dual.use - dual.slope) + FLOOR
            last = None
        seen = curvature
        if last is not None:
            square, below, above = _compare(z, last[0], dual.slope, last[2], metric)
            if square > 0.0:
                # What a concave function must satisfy between the last two points, both ways.
                seen = 2.0 * max(last[1] + below - value, value - above - last[1]) / square
        if not np.isfinite(value) or seen > BENT * curvature:
            # The step was too long (perhaps a sum left the range of floats): back to the last iterate.
            curvature = max(2.0 * curvature, seen) if np.isfinite(seen) else 4.0 * curvature
            z, momentum, last = x, 1.0, None
            continue
        curvature = max(1.05 * seen if seen > curvature else 0.98 * curvature, seen)
        last = (z, value, dual.slope.copy())
        new = x.copy()
        rise = _climb(z, dual.slope, curvature, metric, new)
        after = (1.0 + np.sqrt(1.0 + 4.0 * momentum * momentum)) / 2.0
        if rise < 0.0:
            after, z = 1.0, new
        else:
            z = np.maximum(new + (momentum - 1.0) / after * (new - x), 0.0)
        x, momentum = new, after
    return x


def spread_table(jobs: Jobs, table: PriceTable, rounds: int) -> FloatArray:
    """Return the prices of a table per state and round, float64[states, rounds + 1]."""
    W = np.zeros((len(jobs.state_left), rounds + 1))
    W[jobs.state_of] = table.priced[: rounds + 1].T / table.denominator
    return W


def as_rows(jobs: Jobs, W: FloatArray, most: IntArray, sizes: int, Q: int) -> tuple[list[Row], FloatArray]:
    """Round W down to one valid integer row per round, and return the rows with their prices."""
    scale = min(WEIGHT, Q)
    weight = np.floor(W * scale).astype(np.int64)
    rounds = W.shape[1]
    cap = np.minimum(most[:rounds], sizes)
    weight[cap.T == 0] = 0
    rhs = np.zeros(rounds, np.int64)
    value = np.empty((sizes + 1, jobs.memory + 1), np.int64)
    heaviest(weight, cap, jobs.state_memory, jobs.state_left, jobs.memory, sizes, rhs, value)
    rows = [Row(t, weight[:, t].copy(), int(rhs[t])) for t in range(rounds) if rhs[t] > 0]
    return rows, np.full(len(rows), 1.0 / scale)
