"""The instances among which a search looks, and candidates packed as arrays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kvratio.problem.batch import InstanceBatch
from kvratio.problem.errors import BadParameter
from kvratio.problem.instance import Instance

IntArray = npt.NDArray[np.int64]

#: columns of a candidate, in the order of the last axis of `Block.genes`
FIELDS = ("prompt", "output", "arrival", "predicted", "predicted_low", "predicted_high")
#: largest budget tried where none is given: what it finds can still be read
MEMORY_MOST = 64


@dataclass(frozen=True)
class Space:
    """Which instances are allowed.

    Parameters
    ----------
    n : int
        Most requests.
    memory : (int, int)
        Least and largest budget.
    arrivals : bool
        Whether requests may arrive after epoch 0.
    horizon : int, optional
        Latest arrival; default: twice the largest budget.
    predictions, intervals : bool
        Whether point predictions, interval predictions may differ from what is true or known without them.
    error : float
        Predictions lie within this factor of the output, intervals have u <= error * l; 0: any.
    equal_prompts : bool
    alpha : float
        Largest peak as a share of the budget.
    """

    n: int = 8
    memory: tuple[int, int] = (2, MEMORY_MOST)
    arrivals: bool = False
    horizon: int | None = None
    predictions: bool = False
    intervals: bool = False
    error: float = 0.0
    equal_prompts: bool = False
    alpha: float = 1.0

    def __post_init__(self) -> None:
        low, high = self.memory
        if self.n < 1:
            raise BadParameter(f"search: n is {self.n}: give a number of requests >= 1")
        if not 1 <= low <= high or high > 10**6:
            raise BadParameter(f"search: memory is {low}..{high}: give budgets in 1..10^6, the least first")
        if not 0 < self.alpha <= 1 or int(self.alpha * low + 1e-9) < 1:
            raise BadParameter(f"search: alpha is {self.alpha}: give a share in (0, 1] with room for one token")
        if self.error and self.error < 1:
            raise BadParameter(f"search: error is {self.error}: give a factor >= 1, or 0 for any")
        if self.horizon is not None and self.horizon < 0:
            raise BadParameter(f"search: horizon is {self.horizon}: give an epoch >= 0")

    @property
    def limits(self) -> IntArray:
        """The space as the numbers that `variation.breed` reads, int64[9]."""
        horizon = 0 if not self.arrivals else 2 * self.memory[1] if self.horizon is None else self.horizon
        shares = int(self.alpha * 1000 + 1e-6), int(self.error * 1000 + 1e-6)
        flags = int(self.predictions), int(self.intervals), int(self.equal_prompts)
        return np.array([self.n, *self.memory, horizon, *flags, *shares], np.int64)

    def holds(self, inst: Instance) -> bool:
        """Whether an instance lies in the space."""
        if not (inst.n <= self.n and self.memory[0] <= inst.memory <= self.memory[1]):
            return False
        one = Block.of([inst], self.n)
        before = one.genes.copy()
        one.repair(self)
        return bool((before == one.genes).all())


@dataclass
class Block:
    """Candidates of up to n requests each.

    Attributes
    ----------
    genes : int64[k, n, 6]
        Columns `FIELDS`; rows beyond a candidate's size have no meaning.
    sizes, memory : int64[k]
    """

    genes: IntArray
    sizes: IntArray
    memory: IntArray

    @classmethod
    def empty(cls, count: int, n: int) -> Block:
        """Room for ``count`` candidates."""
        return cls(np.zeros((count, n, len(FIELDS)), np.int64), np.zeros(count, np.int64), np.zeros(count, np.int64))

    @classmethod
    def of(cls, instances: Iterable[Instance], n: int) -> Block:
        """Pack instances of up to n requests."""
        given = list(instances)
        block = cls.empty(len(given), n)
        for k, inst in enumerate(given):
            block.sizes[k], block.memory[k] = inst.n, inst.memory
            for column, name in enumerate(FIELDS):
                values = getattr(inst, name)
                block.genes[k, : inst.n, column] = values if column < 3 else inst.clamp(values)
        return block

    def __len__(self) -> int:
        return len(self.sizes)

    def take(self, which: Any) -> Block:
        """Return a copy of some candidates."""
        return Block(self.genes[which].copy(), self.sizes[which].copy(), self.memory[which].copy())

    def put(self, k: int, other: Block, j: int) -> None:
        """Copy candidate j of another block to place k."""
        self.genes[k], self.sizes[k], self.memory[k] = other.genes[j], other.sizes[j], other.memory[j]

    def batch(self, predicted: bool) -> InstanceBatch:
        """Return the candidates end to end; without ``predicted`` the lengths are exact and the intervals wide."""
        inside = np.arange(self.genes.shape[1]) < self.sizes[:, None]
        rows = self.genes[inside]
        columns = {name: np.ascontiguousarray(rows[:, c]) for c, name in enumerate(FIELDS)}
        kept = FIELDS if predicted else FIELDS[:3]
        return InstanceBatch.from_arrays(memory=self.memory, sizes=self.sizes, **{name: columns[name] for name in kept})

    def instance(self, k: int, predicted: bool) -> Instance:
        """Return one candidate; without ``predicted`` its lengths are exact."""
        rows = self.genes[k, : self.sizes[k]]
        kept = FIELDS if predicted else FIELDS[:3]
        columns: dict[str, Any] = {name: rows[:, c].copy() for c, name in enumerate(FIELDS) if name in kept}
        return Instance(memory=int(self.memory[k]), **columns)

    def repair(self, space: Space) -> None:
        """Bring every candidate into the space, in place."""
        from kvratio.suite.search.variation import repair

        for k in range(len(self)):
            repair(self.genes[k], self.sizes[k], self.memory[k], space.limits)
