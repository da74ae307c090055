"""Prices of memory and core rows by the smoothed ascent, in time that does not depend on the length of a run.

A request of memory m with r rounds left is in its core (k, sigma) if m >= sigma and m + k r > M - (k - 1) sigma. At
most k - 1 requests are in their core in any round: of k such, the one with least r still runs when the others have
grown by that r, and memory is then at least m + k r + (k - 1) sigma > M. Cores are intervals of ages, so what a run
pays is a difference of prefix sums over rounds. The rows lift the memory bound most where single requests fill the
memory; the ascent over all profile cuts (`ascend`) goes further but only fits small tables.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kvratio.problem.compiled import compiled
from lowerbounds.exact.ascend import CURVATURE, Prices, accelerate, soft_completions
from lowerbounds.exact.jobs import Jobs
from lowerbounds.exact.tables import BoolArray, Row

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

#: sizes k of the cores
SIZES = (2, 3, 4)


@compiled
def _reduced(price, prompt, output, first, last, share, memory, base, reduced):
    """Fill reduced[j, C] = base[j, C] + what a run that ends in C pays; price[0] is of memory, as a share of M."""
    kinds, width = base.shape
    patterns, rounds = price.shape
    total = np.zeros((patterns + 1, width))
    for k in range(patterns):
        for t in range(1, width):
            total[k, t] = total[k, t - 1] + (price[k, t] if t < rounds else 0.0)
    for t in range(1, width):
        total[patterns, t] = total[patterns, t - 1] + (price[0, t] * t if t < rounds else 0.0)
    for j in range(kinds):
        o = output[j]
        row = reduced[j]
        row[:] = base[j]
        for C in range(o, width):
            start = C - o
            row[C] += (
                total[patterns, C] - total[patterns, start] + (prompt[j] - start) * (total[0, C] - total[0, start])
            ) / memory
        for k in range(1, patterns):
            a, b = first[k, j], last[k, j]
            if b >= a:
                for C in range(o, width):
                    row[C] += share[k] * (total[k, C - o + b] - total[k, C - o + a - 1])


@compiled
def _spread(x, prompt, output, first, last, share, memory, use):
    """Fill use[k, t] with the left-hand sides, divided by the right-hand sides: the adjoint of `_reduced`."""
    kinds, width = x.shape
    patterns, rounds = use.shape
    use[:] = 0.0
    # Second differences of memory: +s + 1 at the first round, +1 a round, back to 0 after the last.
    level, slope = np.zeros(width + 2), np.zeros(width + 2)
    for j in range(kinds):
        o, s = output[j], prompt[j]
        for C in range(o, width):
            v = x[j, C]
            if v > 0.0:
                level[C - o + 1] += v * s
                slope[C - o + 1] += v
                slope[C + 1] -= v
                level[C + 1] -= v * (s + o)
                for k in range(1, patterns):
                    a, b = first[k, j], last[k, j]
                    if b >= a:
                        if C - o + a < rounds:
                            use[k, C - o + a] += v * share[k]
                        if C - o + b + 1 < rounds:
                            use[k, C - o + b + 1] -= v * share[k]
    for k in range(1, patterns):
        for t in range(1, rounds):
            use[k, t] += use[k, t - 1]
    height = growth = 0.0
    for t in range(1, rounds):
        growth += slope[t]
        height += level[t] + growth
        use[0, t] = height / memory


class CoreDual:
    """The dual of the memory rows and of some families of core rows, over given windows.

    Parameters
    ----------
    jobs : Jobs
    allowed : bool[n, T + 2]
    rounds : int
        Rounds 1 .. rounds have prices.
    """

    def __init__(self, jobs: Jobs, allowed: BoolArray, rounds: int) -> None:
        head = jobs.first_of_kind
        self.jobs, self.rounds = jobs, rounds
        width = min(allowed.shape[1], rounds + int(jobs.output.max()) + 1)
        self.base = np.where(allowed[head, :width], np.arange(width, dtype=np.float64), np.inf)
        for k in np.flatnonzero(~allowed[head, :width].any(axis=1)).tolist():
            self.base[k, width - 1] = float(np.flatnonzero(allowed[head[k]])[0])
        self.prompt, self.output = jobs.prompt[head], jobs.output[head]
        self.copies = jobs.copies.astype(np.float64)
        self.cores = self._cores()
        patterns = len(self.cores) + 1
        self.first, self.last = np.zeros((patterns, len(head)), np.int64), np.zeros((patterns, len(head)), np.int64)
        self.share = np.ones(patterns)
        for q, (k, sigma) in enumerate(self.cores, start=1):
            self.first[q] = np.maximum(1, sigma - self.prompt)
            # (k - 1) a < s + k o - M + (k - 1) sigma
            top = self.prompt + k * self.output - jobs.memory + (k - 1) * sigma
            self.last[q] = np.minimum(self.output, -(-top // (k - 1)) - 1)
            self.share[q] = 1.0 / (k - 1)
        self.slope, self.use = np.zeros((patterns, rounds + 1)), np.zeros((patterns, rounds + 1))
        self.reduced, self.x = np.empty_like(self.base), np.empty_like(self.base)

    def _cores(self) -> list[tuple[int, int]]:
        """Return (k, sigma): sigma above all prompts if that fits, and fixed shares of M / k."""
        M = self.jobs.memory
        levels = {
            (k, sigma)
            for k in SIZES
            for sigma in (int(self.jobs.prompt.max()) + 1, M // (3 * k), 2 * M // (3 * k))
            if 1 <= sigma <= M // k
        }
        return sorted(levels)

    def _reduce(self, price: FloatArray) -> None:
        _reduced(
            price,
            self.prompt,
            self.output,
            self.first,
            self.last,
            self.share,
            self.jobs.memory,
            self.base,
            self.reduced,
        )

    def evaluate(self, price: FloatArray) -> float:
        """Return the dual value as a float."""
        self._reduce(price)
        return float(self.reduced.min(axis=1) @ self.copies - price.sum())

    def smooth(self, price: FloatArray, mu: float) -> float:
        """Return the smoothed dual value and leave its derivative in ``slope``."""
        self._reduce(price)
        _, soft = soft_completions(self.reduced, self.copies, mu, self.x)
        _spread(self.x, self.prompt, self.output, self.first, self.last, self.share, self.jobs.memory, self.use)
        np.subtract(self.use, 1.0, out=self.slope)
        self.slope[:, 0] = 0.0
        return float(soft - price.sum())

    def start(self, memory_prices: FloatArray) -> Prices:
        """Return given memory prices (float64[rounds], per token) with core prices 0."""
        price = np.zeros_like(self.use)
        count = min(self.rounds, len(memory_prices))
        price[0, 1 : count + 1] = memory_prices[:count] * self.jobs.memory
        return Prices(price, self.evaluate(price))

    def stage(self, start: Prices, steps: int, mu: float, deadline: float) -> Prices:
        """Climb at one smoothing; return the better of where it began and where it ended."""
        price = accelerate(self, lambda z: self.smooth(z, mu), start.W, steps, CURVATURE / mu, deadline)
        value = self.evaluate(price)
        return Prices(price, value) if value > start.value else start

    def as_rows(self, price: FloatArray) -> tuple[list[Row], FloatArray]:
        """Return the rows with a price, and their prices per unit of weight."""
        jobs, m, r = self.jobs, self.jobs.state_memory, self.jobs.state_left
        rows, prices = [], []
        for q in range(len(price)):
            weight, rhs = m, jobs.memory
            if q:
                k, sigma = self.cores[q - 1]
                weight = ((m >= sigma) & (m + k * r > jobs.memory - (k - 1) * sigma)).astype(np.int64)
                rhs = k - 1
            for t in np.flatnonzero(price[q] > 0.0).tolist():
                rows.append(Row(t, weight, rhs))
                prices.append(price[q, t] / rhs)
        return rows, np.array(prices)
