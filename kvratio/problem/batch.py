"""Many small instances packed end to end, for search and for tables of tiny cases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from kvratio.problem.errors import BadInstance
from kvratio.problem.fields import INT64_MAX, as_int64
from kvratio.problem.instance import PROBLEM_FIELDS, Instance, IntArray


@dataclass(frozen=True, eq=False)
class InstanceBatch:
    """Instances as concatenated columns: instance k owns rows ``offsets[k]:offsets[k + 1]``.

    Parameters
    ----------
    instances : iterable of Instance
        At least one. Use `from_arrays` where building the instances one by one would take too long.

    Attributes
    ----------
    prompt, output, arrival, predicted, predicted_low, predicted_high : int64[total requests]
    memory : int64[k]
    offsets : int64[k + 1]
    """

    prompt: IntArray = field(init=False)
    output: IntArray = field(init=False)
    arrival: IntArray = field(init=False)
    predicted: IntArray = field(init=False)
    predicted_low: IntArray = field(init=False)
    predicted_high: IntArray = field(init=False)
    memory: IntArray = field(init=False)
    offsets: IntArray = field(init=False)

    def __init__(self, instances: Iterable[Instance]) -> None:
        packed = tuple(instances)
        if not packed:
            raise BadInstance("InstanceBatch is empty: give at least one instance")
        columns = {name: np.concatenate([getattr(inst, name) for inst in packed]) for name in PROBLEM_FIELDS}
        memory = np.array([inst.memory for inst in packed], dtype=np.int64)
        self._fill(columns, memory, np.array([inst.n for inst in packed], dtype=np.int64))

    @classmethod
    def from_arrays(
        cls,
        prompt: npt.ArrayLike,
        output: npt.ArrayLike,
        memory: npt.ArrayLike,
        sizes: npt.ArrayLike,
        arrival: npt.ArrayLike | None = None,
        predicted: npt.ArrayLike | None = None,
        predicted_low: npt.ArrayLike | None = None,
        predicted_high: npt.ArrayLike | None = None,
    ) -> InstanceBatch:
        """Pack columns directly; the same rules hold as for `Instance`, checked on all rows at once.

        Parameters
        ----------
        prompt, output : int[total]
        memory : int[k] or int
        sizes : int[k]
            Requests of each instance, each at least 1.
        arrival, predicted, predicted_low, predicted_high : int[total], optional
            Defaults as for `Instance`.

        Raises
        ------
        BadInstance
        """
        size = as_int64("sizes", sizes, low=1)
        if size.size == 0:
            raise BadInstance("InstanceBatch is empty: give at least one instance")
        budget = as_int64("memory", np.broadcast_to(np.asarray(memory), size.shape), low=1)
        n = int(size.sum())
        s, o = as_int64("prompt", prompt, low=0), as_int64("output", output, low=1)
        for name, column in (("prompt", s), ("output", o)):
            if len(column) != n:
                raise BadInstance(f"{name} has {len(column)} entries but sizes add up to {n}")
        rows = np.repeat(budget, size)
        over = np.flatnonzero((o > rows) | (s > rows - np.minimum(o, rows)))
        if over.size:
            i = int(over[0])
            raise BadInstance(
                f"output: request {i} has prompt {s[i]} + output {o[i]} > memory {rows[i]} of its instance"
            )
        columns = {"prompt": s, "output": o, "arrival": np.zeros(n, np.int64), "predicted": o}
        columns |= {"predicted_low": np.ones(n, np.int64), "predicted_high": rows - s}
        given = {
            "arrival": arrival,
            "predicted": predicted,
            "predicted_low": predicted_low,
            "predicted_high": predicted_high,
        }
        for name, value in given.items():
            if value is not None:
                columns[name] = as_int64(name, value, n=n, low=0 if name == "arrival" else None)
        horizon = float(columns["arrival"].max()) + float(o.astype(np.float64).sum())
        if max(float(budget.max()), float(n)) * horizon > INT64_MAX / 4:
            raise BadInstance(
                f"memory x horizon is about {float(budget.max()) * horizon:.3g}, beyond int64; use coarser units"
            )
        batch = cls.__new__(cls)
        batch._fill(columns, np.array(budget), size)
        return batch

    def _fill(self, columns: dict[str, IntArray], memory: IntArray, sizes: IntArray) -> None:
        offsets = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
        for name, value in {**columns, "memory": memory, "offsets": offsets}.items():
            value.flags.writeable = False
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.memory)

    @property
    def sizes(self) -> IntArray:
        """Number of requests of each instance, int64[k]."""
        return np.diff(self.offsets)

    def __getitem__(self, k: int) -> Instance:
        k = range(len(self))[k]
        rows = slice(self.offsets[k], self.offsets[k + 1])
        return Instance(memory=int(self.memory[k]), **{name: getattr(self, name)[rows] for name in PROBLEM_FIELDS})

    def __iter__(self) -> Iterator[Instance]:
        return (self[k] for k in range(len(self)))

    def sum_by_instance(self, values: IntArray) -> IntArray:
        """Add up a column over the requests of each instance, int64[k]."""
        return np.add.reduceat(values, self.offsets[:-1])
