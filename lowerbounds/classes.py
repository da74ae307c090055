"""Identical requests grouped: class c = (arrival, prompt, output) with a multiplicity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kvratio.problem import Instance

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Classes:
    """Distinct requests, sorted by (output, prompt, arrival).

    Attributes
    ----------
    arrival, prompt, output, count : int64[k]
    of : int64[n]
        The class of each request.
    memory : int
    """

    arrival: IntArray
    prompt: IntArray
    output: IntArray
    count: IntArray
    of: IntArray
    memory: int

    def __len__(self) -> int:
        return len(self.count)

    @property
    def box(self) -> IntArray:
        """Most members of a class that can start together, min(count, floor(M / peak)): they peak together."""
        return np.minimum(self.count, self.memory // (self.prompt + self.output))


def group(inst: Instance) -> Classes:
    """Group identical requests of an instance. Members are interchangeable, so nothing is lost."""
    order = np.lexsort((inst.arrival, inst.prompt, inst.output))
    columns = [inst.arrival[order], inst.prompt[order], inst.output[order]]
    new = np.ones(inst.n, bool)
    new[1:] = (columns[0][1:] != columns[0][:-1]) | (columns[1][1:] != columns[1][:-1])
    new[1:] |= columns[2][1:] != columns[2][:-1]
    heads = np.flatnonzero(new)
    of = np.empty(inst.n, np.int64)
    of[order] = np.cumsum(new) - 1
    count = np.diff(np.append(heads, inst.n))
    return Classes(columns[0][heads], columns[1][heads], columns[2][heads], count, of, inst.memory)
