"""The rolling search for schedules of many requests.

Requests are taken in the order of the starts of a good schedule and fixed segment by segment. A list schedule is
chaotic: an improvement early on spoils every later one that was tuned for the old memory profile. So the search goes
through time once, and spends its whole budget on the segment at hand. Each segment is improved by several candidates
that differ in window and random numbers; each then places the next requests in their old order to see what its end
is worth, by the prices of the dual, and the best one is fixed. Candidates are independent, so they run on threads.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kvratio.problem.seeds import stream
from lowerbounds import prices, windows
from lowerbounds.decode import Decoder, Incumbent

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

#: threads that work on candidates; the result does not depend on their timing when work is limited
WORKERS = 2
#: segments that a schedule is cut into, and requests per segment at most and at least
SEGMENTS, SEGMENT_MOST, SEGMENT_LEAST = 32, 4096, 256
#: requests placed beyond a segment to judge its end, in multiples of those running at a time, and at least
LOOK_AHEAD, LOOK_LEAST = 8, 256
#: placements per request of one candidate, at most: beyond that more candidates are of more use
EFFORT = 200.0
#: passes through time at most: a pass can end badly, so several cheaper ones beat one
PASSES = 6
#: a placement costs as much time as this many rounds of output, and so much more for each round of its own
OVERHEAD = 64
#: seconds per placement, before the first is measured
FIRST_GUESS = 1.5e-6
#: rounds up to which this search is tried: each candidate holds a memory profile of about twice as many
MAX_ROUNDS = 8_000_000


@dataclass(frozen=True)
class Shape:
    """How a candidate works: requests per window, how many of them move and are fixed, move length, quantile of R."""

    width: int
    movable: int
    step: int
    spread: float
    quantile: float


#: candidates take turns; short windows are cheap, long ones avoid peaks that coincide later on
SHAPES = (
    Shape(64, 64, 32, 20.0, 0.9),
    Shape(64, 64, 32, 20.0, 0.8),
    Shape(256, 64, 16, 40.0, 0.8),
    Shape(64, 64, 32, 30.0, 0.9),
    Shape(128, 64, 32, 20.0, 0.85),
    Shape(64, 64, 16, 12.0, 0.9),
)


@dataclass
class _Candidate:
    """What one candidate made of a segment and its look-ahead."""

    value: float
    order: IntArray
    starts: IntArray
    floors: IntArray


class _Horizon:
    """The part of the schedule that is fixed, and the requests still to come."""

    def __init__(self, decoder: Decoder, starts: IntArray, rates: FloatArray) -> None:
        inst = decoder.inst
        self.request = (decoder.arrival, np.array(inst.prompt), np.array(inst.output))
        self.order = np.argsort(starts, kind="stable")
        makespan = int((starts + inst.output).max())
        self.free = np.full(2 * makespan + 2 * int(inst.output.max()) + 64, inst.memory, np.int64)
        self.sums = np.concatenate(([0.0], np.cumsum(rates)))
        self.moments = np.concatenate(([0.0], np.cumsum(rates * np.arange(1, len(rates) + 1))))
        self.floors = np.zeros(2, np.int64)
        self.starts = np.empty(inst.n, np.int64)
        running = int(inst.output.sum()) // makespan + 1
        self.look = max(LOOK_LEAST, LOOK_AHEAD * running)
        self.done = 0

    def slice_of(self, count: int) -> IntArray:
        """Return the next ``count`` requests and those of the look-ahead."""
        return self.order[self.done : self.done + count + self.look].copy()

    def frontier(self, part: IntArray) -> int:
        """Return the round beyond which the memory of these requests is charged."""
        starts = np.empty(len(part), np.int64)
        windows.place_all(self.free.copy(), part, *self.request, int(self.floors.min()), starts)
        return int(np.sort(starts)[int(0.9 * (len(part) - 1))])

    def candidate(self, part: IntArray, count: int, R: int, shape: Shape, effort: float, seed: int) -> _Candidate:
        """Improve the next ``count`` requests in one way; changes nothing here, so threads may call it."""
        free, order, floors = self.free.copy(), part.copy(), self.floors.copy()
        starts = np.empty(len(order), np.int64)
        state = np.array([seed], np.uint64)
        value = windows.advance(
            free, order, count, floors, *self.request, R, self.sums, self.moments, shape.width, shape.movable,
            shape.step, shape.spread, shape.quantile, effort, state, starts,
        )  # fmt: skip
        return _Candidate(float(value), order, starts, floors)

    def fix(self, chosen: _Candidate, count: int) -> None:
        """Fix the first ``count`` requests as the candidate has them; the rest keep its order."""
        self.order[self.done : self.done + len(chosen.order)] = chosen.order
        self.floors = chosen.floors
        fixed, starts = chosen.order[:count], chosen.starts[:count]
        self.starts[fixed] = starts
        _, prompt, output = self.request
        for i, t in zip(fixed.tolist(), starts.tolist(), strict=True):
            self.free[t : t + output[i]] -= np.arange(prompt[i] + 1, prompt[i] + output[i] + 1)
        self.done += count


def _prices(decoder: Decoder) -> FloatArray | None:
    """Closed-form prices on the decoder's time axis, None when they would be too many."""
    inst = decoder.inst
    if int(decoder.arrival.max()) + int(inst.volume.sum()) // inst.memory > MAX_ROUNDS:
        return None
    if inst.is_batch:
        return prices.batch_prices(inst)
    return prices.potential_prices(inst.replace(arrival=decoder.arrival, witness=None))


def improve_windows(
    incumbent: Incumbent,
    seed: int,
    deadline: float,
    work: int | None = None,
    workers: int = WORKERS,
) -> None:
    """Improve the incumbent through time, window by window, in one or several passes; keep what is cheaper.

    Parameters
    ----------
    incumbent : Incumbent
        Must hold a schedule.
    seed : int
    deadline : float
        On the monotonic clock; the effort is chosen to use the time up, unless ``work`` is given.
    work : int, optional
        Placements in all. Given, the result depends on nothing else, unless the deadline comes first: then the
        rest is placed as it comes.
    workers : int
        Threads, >= 1. Changes the result only where time limits it.
    """
    inst = incumbent.inst
    if incumbent.starts is None or inst.n < 2 or incumbent.decoder.long:
        return
    rates = _prices(incumbent.decoder)
    if rates is None:
        return
    if work is None:
        per_request = (deadline - time.monotonic()) * workers / FIRST_GUESS / inst.n
    else:
        per_request = work / inst.n
    passes = max(1, min(PASSES, int(per_request / (4 * EFFORT))))
    began = time.monotonic()
    with ThreadPoolExecutor(workers) as pool:
        for k in range(passes):
            if k and time.monotonic() >= deadline:
                return
            stop = began + (deadline - began) * (k + 1) / passes if work is None else deadline
            budget = None if work is None else work / passes / inst.n
            rng = stream("lowerbounds windows", seed, k)
            starts = _one_pass(incumbent, rates, rng, stop, budget, _Crew(pool, workers, k))
            if starts is not None:
                incumbent.offer(int((starts + inst.output).sum()), starts)
                incumbent.try_order(np.argsort(starts, kind="stable"))


@dataclass(frozen=True)
class _Crew:
    """Who works on candidates; ``turn`` is the shape that comes first."""

    pool: ThreadPoolExecutor
    workers: int
    turn: int


def _one_pass(
    incumbent: Incumbent,
    rates: FloatArray,
    rng: np.random.Generator,
    deadline: float,
    per_request: float | None,
    crew: _Crew,
) -> IntArray | None:
    """Go through time once; return the starts, or None when they outgrow the profile. No trials past the deadline."""
    assert incumbent.starts is not None
    decoder, n = incumbent.decoder, incumbent.inst.n
    horizon = _Horizon(decoder, incumbent.starts - decoder.moved, rates)
    segment = min(SEGMENT_MOST, max(SEGMENT_LEAST, n // SEGMENTS))
    # Long outputs take longer to place; seconds per placement are per unit of this measure.
    burden = np.cumsum(incumbent.inst.output[horizon.order] + OVERHEAD)
    least = FIRST_GUESS / float(burden[-1]) * n / 1e3
    speed = 1e3 * least
    while horizon.done < n:
        began, count = time.monotonic(), min(segment, n - horizon.done)
        before = float(burden[horizon.done - 1]) if horizon.done else 0.0
        here = float(burden[horizon.done + count - 1]) - before
        left = max(0.0, deadline - began)
        effort = per_request
        if left == 0.0:
            effort = 0.0
        elif effort is None:
            effort = left * crew.workers / (speed * (float(burden[-1]) - before))
        try:
            spent = _segment(horizon, count, effort, rng, crew)
        except IndexError:
            # The profile has room for twice the makespan; a schedule that needs more is of no use.
            return None
        speed = max(least, (time.monotonic() - began) * crew.workers / (spent / count * here))
    return horizon.starts + decoder.moved


def _segment(horizon: _Horizon, count: int, per_request: float, rng: np.random.Generator, crew: _Crew) -> float:
    """Fix the next segment by the best of its candidates; return the placements spent."""
    part = horizon.slice_of(count)
    R = horizon.frontier(part)
    # Candidates come in twos, whatever the number of threads.
    if per_request == 0.0:
        horizon.fix(horizon.candidate(part, count, R, SHAPES[0], 0.0, 1), count)
        return float(len(part))
    pairs = max(1, int(per_request / (2 * EFFORT)))
    effort = max(0.0, per_request / (2 * pairs) - len(part) / count)
    seeds = rng.integers(1, 2**62, 2 * pairs).tolist()
    jobs = [
        crew.pool.submit(horizon.candidate, part, count, R, SHAPES[(k + crew.turn) % len(SHAPES)], effort, seeds[k])
        for k in range(2 * pairs)
    ]
    found = [job.result() for job in jobs]
    best = min(range(len(found)), key=lambda k: (found[k].value, k))
    horizon.fix(found[best], count)
    return 2 * pairs * (effort * count + len(part))
