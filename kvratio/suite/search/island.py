"""One population: screens candidates block by block and keeps those with the largest proven ratios."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from kvratio.problem.instance import Instance
from kvratio.problem.seeds import stream
from kvratio.suite.search import placing, variation
from kvratio.suite.search.space import Block, IntArray, Space
from kvratio.suite.search.target import Target

#: candidates kept
POOL = 48
#: candidates screened together, by how the policy is run
BLOCKS = {"packed": 2048, "prepared": 512, "slow": 32}
#: moves in the order for a candidate that comes near the pool, and the share of the pool's ratio that is near
TRIALS, NEAR = 24, 0.85
#: moves for a candidate that enters the pool anyway, and for all while there is no pool yet
FEW = 6
#: placements, per request, for candidates that lead their pool
POLISH = 150
#: leaders polished at the end of an epoch
LEADERS = 6


class Task(NamedTuple):
    """What an island needs to know; the same for all and for the whole search."""

    target: Target
    space: Space
    objective: str
    seed: int = 0
    only_guaranteed: bool = False

    @property
    def predicted(self) -> bool:
        """Whether candidates carry predictions of their own."""
        return self.space.predictions or self.space.intervals


@dataclass
class Island:
    """A pool sorted by ratio, best first; ``cost`` over ``upper`` is proven.

    Attributes
    ----------
    number : int
    pool : Block
    cost, upper : int64[p]
        In the objective; ``upper`` is the cost of a feasible schedule.
    polished : bool[p]
        Whether ``upper`` has been worked on.
    screened : int
        Candidates run and bounded so far, this epoch.
    """

    number: int
    pool: Block
    cost: IntArray
    upper: IntArray
    polished: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    screened: int = 0

    @classmethod
    def empty(cls, number: int, n: int) -> Island:
        """Nothing known yet."""
        return cls(number, Block.empty(0, n), np.zeros(0, np.int64), np.zeros(0, np.int64))

    @property
    def ratio(self) -> Fraction:
        """The best proven ratio; 0 while nothing is known."""
        return Fraction(int(self.cost[0]), int(self.upper[0])) if len(self.cost) else Fraction(0)

    @property
    def ratios(self) -> np.ndarray:
        """Proven ratios, float64[p]."""
        return self.cost / np.maximum(self.upper, 1)


def screen(task: Task, block: Block, floor: float, trials: int = TRIALS) -> tuple[IntArray, IntArray, IntArray]:
    """Return policy cost, cost of a feasible schedule (0: not looked for) and a lower bound of each candidate.

    Parameters
    ----------
    task : Task
    block : Block
    floor : float
        Ratio to exceed: candidates that cannot get no schedule.
    trials : int
        Moves in the order for those that come near.
    """
    cost = task.target.costs(block, task.predicted, task.objective)
    upper, lower = np.zeros(len(block), np.int64), np.zeros(len(block), np.int64)
    scratch = np.zeros((11, block.genes.shape[1]), np.int64)
    flow = task.objective == "flow"
    placing.screen_block(
        block.genes, block.sizes, block.memory, cost, flow, float(floor), NEAR, trials, FEW, scratch, upper, lower
    )
    if _never_keeps(task.target):
        # Without kept tokens the policy's own cost is that of some schedule without kills (docs/model.md, section 4).
        upper = np.where(upper > 0, np.minimum(upper, np.maximum(cost, 1)), 0)
    return cost, upper, lower


def _never_keeps(target: Target) -> bool:
    return (target.eviction or target.card.eviction) == "restart"


def evolve(
    task: Task,
    island: Island,
    epoch: int,
    candidates: int,
    guests: Sequence[Instance] = (),
    fresh: bool = False,
    deadline: float | None = None,
) -> Island:
    """Screen so many more candidates and return the island.

    Parameters
    ----------
    task : Task
    island : Island
    epoch : int
        Names the random numbers: with seed and number of the island they do not depend on who else works.
    candidates : int
    guests : sequence of Instance
        Enter the competition first.
    fresh : bool
        Forget the pool.
    deadline : float, optional
        Reading of `time.monotonic` after which no further block is begun.
    """
    n = task.space.n
    most = BLOCKS[task.target.pace]
    if fresh:
        island = Island.empty(island.number, n)
    rng = stream("search", task.target.name, task.seed, island.number, epoch)
    state = rng.integers(0, 2**63, 1).astype(np.uint64)
    limits = task.space.limits
    island.screened = 0
    if guests:
        _compete(task, island, Block.of(guests, n))
        island.screened += len(guests)
    while island.screened < candidates:
        if deadline is not None and island.screened and time.monotonic() > deadline:
            break
        size = min(most, candidates - island.screened)
        block = Block.empty(size, n)
        if len(island.cost) < POOL // 4:
            variation.scatter(block.genes, block.sizes, block.memory, limits, state)
        else:
            pool = island.pool
            variation.breed(pool.genes, pool.sizes, pool.memory, block.genes, block.sizes, block.memory, limits, state)
        _compete(task, island, block)
        island.screened += size
    _polish(task, island, int(rng.integers(2**31)))
    return island


def _compete(task: Task, island: Island, block: Block) -> None:
    """Screen a block and keep the best of pool and block, one for each pair of costs."""
    floor = float(island.ratios[-1]) if len(island.cost) >= POOL else 0.0
    cost, upper, _ = screen(task, block, floor, TRIALS if floor else FEW)
    good = np.flatnonzero((upper > 0) & (cost > 0))
    ratio = cost[good] / upper[good]
    good = good[np.argsort(-ratio, kind="stable")][: 4 * POOL]
    good = good[cost[good] / upper[good] >= floor]
    if task.only_guaranteed:
        good = np.array([k for k in good if _guaranteed(task, block, int(k))], np.int64)
    # Newcomers first: of equal ratios the newer stays, which lets the pool drift along a plateau.
    merged_cost = np.concatenate([cost[good], island.cost])
    merged_upper = np.concatenate([upper[good], island.upper])
    polished = np.concatenate([np.zeros(len(good), bool), island.polished])
    which, seen = [], set()
    for k in np.argsort(-merged_cost / merged_upper, kind="stable").tolist():
        key = (int(merged_cost[k]), int(merged_upper[k]))
        if key not in seen:
            seen.add(key)
            which.append(k)
            if len(which) == POOL:
                break
    chosen = np.array(which, np.int64)
    genes = np.concatenate([block.genes[good], island.pool.genes])[chosen]
    sizes = np.concatenate([block.sizes[good], island.pool.sizes])[chosen]
    memory = np.concatenate([block.memory[good], island.pool.memory])[chosen]
    island.pool = Block(genes, sizes, memory)
    island.cost, island.upper, island.polished = merged_cost[chosen], merged_upper[chosen], polished[chosen]


def _guaranteed(task: Task, block: Block, k: int) -> bool:
    """Whether the hypotheses of the policy's guarantee hold on a candidate."""
    return within_guarantee(task.target, block.instance(k, task.predicted))


def within_guarantee(target: Target, inst: Instance) -> bool:
    """Whether the hypotheses of the policy's guarantee hold on an instance; False where it has none."""
    guarantee = target.card.guarantee
    return guarantee is not None and guarantee.holds(inst, target.card.settings(inst, target.settings))


def _polish(task: Task, island: Island, coins: int) -> None:
    """Look harder for good schedules of the leaders: a ratio may only be too small, never too large."""
    n = task.space.n
    for k in range(min(LEADERS, len(island.cost))):
        if island.polished[k]:
            continue
        size = int(island.pool.sizes[k])
        upper = best_upper(island.pool.genes[k, :size], int(island.pool.memory[k]), POLISH * n, coins)[0]
        shift = int(island.pool.genes[k, :size, 2].sum()) if task.objective == "flow" else 0
        island.upper[k] = min(int(island.upper[k]), upper - shift)
        island.polished[k] = True
    order = np.argsort(-island.ratios, kind="stable")
    island.pool = island.pool.take(order)
    island.cost, island.upper, island.polished = island.cost[order], island.upper[order], island.polished[order]


def best_upper(rows: IntArray, memory: int, trials: int, coins: int = 0) -> tuple[int, IntArray]:
    """Return total completion and starts of the best schedule that so many moves in the order find.

    Parameters
    ----------
    rows : int64[n, 3 or more]
        Prompt, output, arrival.
    memory, trials, coins : int
    """
    prompt, output, arrival = (np.ascontiguousarray(rows[:, c]) for c in range(3))
    n = len(prompt)
    starts, best, scratch = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros((6, n), np.int64)
    columns = prompt, output, arrival, memory
    least = placing.first_upper(placing.ORDERS, *columns, starts, best, scratch)
    least = placing.improve(*columns, least, starts, best, scratch, trials, coins)
    return int(least), starts
