"""Requests in the order of the search: identical ones adjacent, and the states a request passes through.

A request of age a (tokens produced up to and with this round) holds m = s + a and still has r = o - a rounds to run.
States (m, r) are shared between requests; ``state_of[offset[j] + a - 1]`` is the number of request j's state at age a.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kvratio.problem import Instance

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Jobs:
    """Columns of the requests, sorted by (arrival, output, prompt).

    Attributes
    ----------
    index : int64[n]
        Position in the instance.
    arrival, prompt, output : int64[n]
    kind : int64[n]
        Class of identical requests, ascending.
    next_twin : int64[n]
        The next identical request, or -1; identical requests start in order of index.
    offset : int64[n + 1]
        Where a request's ages begin in ``state_of``.
    state_of : int64[sum of outputs]
    state_memory, state_left : int64[states]
        m and r of each state, sorted by r descending, then m descending.
    memory : int
    """

    index: IntArray
    arrival: IntArray
    prompt: IntArray
    output: IntArray
    kind: IntArray
    next_twin: IntArray
    offset: IntArray
    state_of: IntArray
    state_memory: IntArray
    state_left: IntArray
    memory: int

    @property
    def n(self) -> int:
        """Number of requests."""
        return len(self.index)

    @property
    def kinds(self) -> int:
        """Number of classes of identical requests."""
        return int(self.kind[-1]) + 1

    @property
    def first_of_kind(self) -> IntArray:
        """One request of each class, int64[kinds]."""
        return np.flatnonzero(np.append(True, self.kind[1:] != self.kind[:-1]))

    @property
    def copies(self) -> IntArray:
        """Members of each class, int64[kinds]."""
        return np.bincount(self.kind, minlength=self.kinds)


def arrange(inst: Instance) -> Jobs:
    """Sort the requests of an instance and number their states."""
    index = np.lexsort((inst.prompt, inst.output, inst.arrival))
    a, s, o = inst.arrival[index], inst.prompt[index], inst.output[index]
    new = np.ones(inst.n, bool)
    new[1:] = (a[1:] != a[:-1]) | (s[1:] != s[:-1]) | (o[1:] != o[:-1])
    kind = np.cumsum(new) - 1
    twin = np.full(inst.n, -1, np.int64)
    twin[:-1] = np.where(new[1:], -1, np.arange(1, inst.n))
    offset = np.concatenate(([0], np.cumsum(o)))
    owner = np.repeat(np.arange(inst.n), o)
    age = np.arange(offset[-1]) - offset[owner] + 1
    pairs = np.column_stack([-(o[owner] - age), -(s[owner] + age)])
    states, state_of = np.unique(pairs, axis=0, return_inverse=True)
    return Jobs(
        index,
        a,
        s,
        o,
        kind,
        twin,
        offset,
        state_of.reshape(-1).astype(np.int64),
        -states[:, 1],
        -states[:, 0],
        inst.memory,
    )
