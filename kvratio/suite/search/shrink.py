"""From a find to a minimal witness: fewer requests, smaller numbers, while the ratio holds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np

from kvratio.problem.instance import Instance
from kvratio.suite.search.island import Task, screen, within_guarantee
from kvratio.suite.search.space import Block, IntArray

#: moves in the order, per request, before a smaller instance is said to lose the ratio
TRIALS = 12
#: steps down that are tried for each number, as what is left of it: nothing, half, three quarters, one less
STEPS = ((0, 1), (1, 2), (3, 4))


def shrink(
    task: Task,
    inst: Instance,
    ratio: Fraction,
    deadline: float | None = None,
    asked: Callable[[], bool] | None = None,
) -> Instance:
    """Return a smaller instance whose proven ratio is at least ``ratio``; none a step below it is known to keep that.

    Parameters
    ----------
    task : Task
    inst : Instance
    ratio : Fraction
        To be kept.
    deadline : float, optional
        Reading of `time.monotonic` at which to stop where it stands.
    asked : callable, optional
        Whether to stop now.
    """
    block = Block.of([inst], task.space.n)
    while True:
        late = deadline is not None and time.monotonic() > deadline
        if late or (asked is not None and asked()):
            break
        smaller = _steps(task, block)
        cost, upper, _ = screen(task, smaller, 0.0, TRIALS * task.space.n)
        keep = next((k for k in range(len(smaller)) if _holds(task, smaller, k, cost, upper, ratio)), None)
        if keep is None:
            break
        block = smaller.take([keep])
    return block.instance(0, task.predicted)


def _holds(task: Task, block: Block, k: int, cost: IntArray, upper: IntArray, ratio: Fraction) -> bool:
    if upper[k] <= 0 or Fraction(int(cost[k]), int(upper[k])) < ratio:
        return False
    return not task.only_guaranteed or within_guarantee(task.target, block.instance(k, task.predicted))


def _steps(task: Task, block: Block) -> Block:
    """Return all instances one step below the only one of a block, the largest steps first."""
    genes, size, memory = block.genes[0], int(block.sizes[0]), int(block.memory[0])
    before = _weight(genes, size, memory)
    found: dict[bytes, tuple[int, IntArray, int, int]] = {}
    for rows, budget in _smaller(genes[:size], memory, task):
        count = len(rows)
        one = Block.empty(1, task.space.n)
        one.genes[0, :count], one.sizes[0], one.memory[0] = rows, count, budget
        one.repair(task.space)
        rows = one.genes[0, :count].copy()
        weight = _weight(rows, count, budget)
        if weight < before:
            found.setdefault(rows.tobytes() + bytes(str(budget), "ascii"), (weight, rows, count, budget))
    steps = sorted(found.values(), key=lambda step: step[0])
    out = Block.empty(len(steps), task.space.n)
    for k, (_, rows, count, budget) in enumerate(steps):
        out.genes[k, :count], out.sizes[k], out.memory[k] = rows, count, budget
    return out


def _weight(genes: IntArray, size: int, memory: int) -> int:
    """How large an instance is to a reader: requests first, then the numbers, then what is said beside the truth."""
    rows = genes[:size]
    beside = int(np.abs(rows[:, 3] - rows[:, 1]).sum())
    kinds = len({row.tobytes() for row in rows})
    return 100_000 * size + 4 * (memory + int(rows[:, :3].sum())) + beside + kinds


def _smaller(rows: IntArray, memory: int, task: Task) -> Iterator[tuple[IntArray, int]]:
    low = task.space.memory[0]
    size = len(rows)
    if size > 1:
        for i in range(size):
            yield np.delete(rows, i, axis=0), memory
    for budget in {max(low, memory // 2), max(low, memory - 1)}:
        yield rows, budget
        # Long requests stay as long against the budget.
        for column in (0, 1):
            moved = rows.copy()
            long = 2 * (rows[:, 0] + rows[:, 1]) > memory
            moved[long, column] = np.maximum(moved[long, column] + budget - memory, column)
            yield moved, budget
        moved = rows.copy()
        for row in np.flatnonzero(2 * (rows[:, 0] + rows[:, 1]) > memory):
            moved[row, int(rows[row, 1] >= rows[row, 0])] += budget - memory
        yield moved, budget
    for column in range(6):
        for value in np.unique(rows[:, column]).tolist():
            like = rows[:, column] == value
            for new in {*(value * up // down for up, down in STEPS), value - 1}:
                if 0 <= new < value:
                    # All that share the number, then one request alone.
                    moved = rows.copy()
                    moved[like, column] = new
                    yield moved, memory
                    for row in np.flatnonzero(like) if like.sum() > 1 else ():
                        alone = rows.copy()
                        alone[row, column] = new
                        yield alone, memory
    for i in range(size):
        exact = rows.copy()
        exact[i, 3] = exact[i, 1]
        yield exact, memory
