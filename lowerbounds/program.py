"""The time-indexed integer program with grouped classes, as sparse arrays."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from lowerbounds.classes import Classes

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TimeIndexed:
    """Minimise sum (t + o_c) x[c, t] under one assignment row per class and one memory row per round.

    Attributes
    ----------
    classes : Classes
    cls, start, cost : int64[v]
        Class, start t and objective t + o of each variable, sorted by (class, start).
    rounds : int
        Memory rows stand for rounds 1 .. rounds.
    """

    classes: Classes
    cls: IntArray
    start: IntArray
    cost: IntArray
    rounds: int

    @property
    def nonzeros(self) -> int:
        """Entries of the memory rows."""
        return int(self.classes.output[self.cls].sum())

    @property
    def box(self) -> IntArray:
        """Upper bound of each variable, int64[v]."""
        return self.classes.box[self.cls]

    def memory_rows(self) -> sparse.csr_array:
        """Return the memory rows, shape (rounds, v)."""
        length = self.classes.output[self.cls]
        column = np.repeat(np.arange(len(self.cls)), length)
        age = np.arange(len(column)) - np.repeat(np.cumsum(length) - length, length) + 1
        row = self.start[column] + age - 1
        value = (self.classes.prompt[self.cls[column]] + age).astype(np.float64)
        return sparse.csr_array((value, (row, column)), shape=(self.rounds, len(self.cls)))

    def assignment_rows(self) -> sparse.csr_array:
        """Return the assignment rows, shape (classes, v)."""
        ones = np.ones(len(self.cls))
        return sparse.csr_array((ones, (self.cls, np.arange(len(self.cls)))), shape=(len(self.classes), len(self.cls)))

    @property
    def digest(self) -> str:
        """sha256 over classes, memory and windows: which program a solver's word is about."""
        c = self.classes
        digest = hashlib.sha256(b"kvratio-time-indexed-1" + str(c.memory).encode())
        for array in (c.arrival, c.prompt, c.output, c.count, self.cls, self.start):
            digest.update(array.astype("<i8").tobytes() + b"|")
        return digest.hexdigest()


def count_nonzeros(classes: Classes, latest: IntArray) -> int:
    """Return the entries of the memory rows of the program with these latest completions, without building it."""
    width = np.maximum(latest - classes.output - classes.arrival + 1, 0)
    return int((width.astype(object) * classes.output).sum())


def build(classes: Classes, latest: IntArray) -> TimeIndexed:
    """Return the program whose class c completes by ``latest[c]`` (int64[k])."""
    width = np.maximum(latest - classes.output - classes.arrival + 1, 0)
    cls = np.repeat(np.arange(len(classes)), width)
    start = np.arange(len(cls)) - np.repeat(np.cumsum(width) - width, width) + classes.arrival[cls]
    cost = start + classes.output[cls]
    return TimeIndexed(classes, cls, start, cost, int(cost.max(initial=0)))


def keep(program: TimeIndexed, mask: npt.NDArray[np.bool_]) -> TimeIndexed:
    """Return the program without the variables that ``mask`` excludes."""
    cls, start, cost = program.cls[mask], program.start[mask], program.cost[mask]
    return TimeIndexed(program.classes, cls, start, cost, program.rounds)


def spread(program: TimeIndexed, counts: IntArray) -> IntArray:
    """Turn integer counts per variable into one start per request, int64[n]; earlier starts go to earlier members.

    The caller checks that the counts of each class add up to its multiplicity.
    """
    starts_of_class = np.repeat(program.start, counts)
    members = np.argsort(program.classes.of, kind="stable")
    starts = np.empty(len(members), np.int64)
    starts[members] = starts_of_class
    return starts
