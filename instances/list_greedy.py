"""List-greedy: start waiting requests in key order while every future round stays within memory.

The plain policy of the adversarial constructions, for requests whose length is known or over-estimated. It shares no
code with any engine: families use it for witnesses and for the cost that a construction forces on its target.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from kvratio.problem.errors import BadParameter
from kvratio.problem.instance import Instance, IntArray

#: sort keys: arrival, output, peak and volume of a request; ties go by number
KEYS = ("fcfs", "mc_sf", "tsf", "svf")

#: (prompt, planned length): requests of one shape fit or misfit together
Shape = tuple[int, int]


def list_greedy(
    inst: Instance,
    key: str = "mc_sf",
    planned: npt.ArrayLike | None = None,
    skip: bool = False,
    only_at_completions: bool = False,
) -> IntArray:
    """Return the start times of list-greedy, int64[n].

    At each epoch, keep what runs and start waiting requests by (key, number) while memory stays within M in all
    future rounds, if every request runs for its planned length; memory is freed on true completion.

    Parameters
    ----------
    inst : Instance
    key : {"fcfs", "mc_sf", "tsf", "svf"}
        Order by arrival, planned length, prompt + planned length, or planned volume.
    planned : array of int, shape (n,), optional
        Lengths that the memory check and the key assume, at least the output and within M. Default: the output.
    skip : bool
        Go on past a misfit instead of stopping at it.
    only_at_completions : bool
        Look again only when something completes or arrives, not at every epoch: later starts, a weaker policy.

    Returns
    -------
    int64[n]
        Start epochs; running them to the end is feasible, nothing is killed.

    Raises
    ------
    BadParameter
        For an unknown key or a planned length outside [output, M - prompt].

    Notes
    -----
    The list loop of Jaillet et al., arXiv 2502.07115 (shortest first), with the orders of Kong et al., arXiv
    2606.22327 (smallest volume first). Between events it jumps: where the head misfits in round u by d, no start
    before min(t + d, u) fits, because starting one later takes exactly one off round u.
    """
    return _Run(inst, key, _planned_lengths(inst, planned), skip, only_at_completions).starts()


def flow_of(inst: Instance, starts: npt.ArrayLike) -> int:
    """Total flow, in rounds, of starting request i at ``starts[i]`` and never killing it."""
    return int((np.asarray(starts, dtype=np.int64) + inst.output - inst.arrival).sum())


def best_list_greedy(inst: Instance, keys: tuple[str, ...] = KEYS) -> IntArray:
    """Starts of the cheapest list-greedy schedule among ``keys``; ties go to the earlier key."""
    return min((list_greedy(inst, key) for key in keys), key=lambda starts: flow_of(inst, starts))


def _planned_lengths(inst: Instance, planned: npt.ArrayLike | None) -> IntArray:
    if planned is None:
        return inst.output
    lengths = np.asarray(planned, dtype=np.int64)
    if lengths.shape != (inst.n,):
        raise BadParameter(f"planned has shape {lengths.shape}: give {inst.n} integers, one per request")
    bad = np.flatnonzero((lengths < inst.output) | (lengths > inst.memory - inst.prompt))
    if bad.size:
        i = int(bad[0])
        raise BadParameter(
            f"planned: request {i} has {lengths[i]}, outside [output, memory - prompt] = "
            f"[{inst.output[i]}, {inst.memory - inst.prompt[i]}]: list-greedy never kills"
        )
    return lengths


def _sort_key(inst: Instance, key: str, length: IntArray) -> IntArray:
    if key == "fcfs":
        return inst.arrival
    if key == "mc_sf":
        return length
    if key == "tsf":
        return inst.prompt + length
    if key == "svf":
        return inst.prompt * length + length * (length + 1) // 2
    raise BadParameter(f"list-greedy key is {key!r}: choose one of {', '.join(KEYS)}")


class _Run:
    """One execution. ``load[j]`` is the memory that running requests plan to hold in round now + 1 + j."""

    def __init__(self, inst: Instance, key: str, length: IntArray, skip: bool, only_at_completions: bool) -> None:
        self.inst, self.skip, self.only_at_completions = inst, skip, only_at_completions
        rank = np.lexsort((np.arange(inst.n), _sort_key(inst, key, length)))
        position = np.empty(inst.n, np.int64)
        position[rank] = np.arange(inst.n)
        self.by_position: list[int] = rank.tolist()
        self.shape: list[Shape] = list(zip(inst.prompt.tolist(), length.tolist(), strict=True))
        self.position: list[int] = position.tolist()
        self.output: list[int] = inst.output.tolist()
        self.load = np.zeros(int(length.max()) + 1, np.int64)
        self.steps = np.arange(1, len(self.load) + 1)
        self.now = 0
        self.waiting: list[int] = []
        #: (true end, shape, start) of running requests that will end before their planned length
        self.early_ends: list[tuple[int, Shape, int]] = []
        #: true ends, kept only if completions are what we wait for
        self.ends: list[int] = []

    def starts(self) -> IntArray:
        start = np.empty(self.inst.n, np.int64)
        left = self.inst.n
        coming = self._arrivals()
        following = next(coming, None)
        while left:
            if not self.waiting and following is not None:
                self._advance(max(self.now, following[0]))
            while following is not None and following[0] <= self.now:
                heapq.heappush(self.waiting, self.position[following[1]])
                following = next(coming, None)
            started, retry = self._admit()
            start[started] = self.now
            left -= len(started)
            if self.waiting:
                events = self._completions(retry)
                if following is not None:
                    events.append(following[0])
                self._advance(min(events))
        return start

    def _completions(self, retry: int) -> list[int]:
        """Epochs of which the first is when to look again, arrivals aside."""
        if not self.only_at_completions:
            return [retry, *(end for end, *_ in self.early_ends[:1])]
        while self.ends[0] <= self.now:
            heapq.heappop(self.ends)
        return self.ends[:1]

    def _arrivals(self) -> Iterator[tuple[int, int]]:
        order = np.argsort(self.inst.arrival, kind="stable")
        return zip(self.inst.arrival[order].tolist(), order.tolist(), strict=True)

    def _advance(self, to: int) -> None:
        """Move the clock; free the planned memory of requests that truly ended by then."""
        while self.early_ends and self.early_ends[0][0] <= to:
            end, (s, e), start = heapq.heappop(self.early_ends)
            self._shift(end - self.now)
            rest = start + e - end
            self.load[:rest] -= s + (end - start) + self.steps[:rest]
        self._shift(to - self.now)

    def _shift(self, by: int) -> None:
        if by <= 0:
            return
        kept = max(0, len(self.load) - by)
        self.load[:kept] = self.load[len(self.load) - kept :].copy()
        self.load[kept:] = 0
        self.now += by

    def _admit(self) -> tuple[list[int], int]:
        """Start what fits now; return it with the first epoch at which a misfit could fit, all else unchanged."""
        started: list[int] = []
        passed: list[int] = []
        misfits: dict[Shape, int] = {}
        retry = np.iinfo(np.int64).max
        while self.waiting:
            shape = self.shape[self.by_position[self.waiting[0]]]
            room = 0 if shape in misfits else self._room(shape)
            if room == 0:
                misfits.setdefault(shape, self._next_fit(shape))
                retry = min(retry, misfits[shape])
                if not self.skip:
                    break
                passed.append(heapq.heappop(self.waiting))
                continue
            started += self._start_heads(shape, room)
        for position in passed:
            heapq.heappush(self.waiting, position)
        return started, retry

    def _room(self, shape: Shape) -> int:
        """How many requests of this shape can start now, together."""
        s, e = shape
        return int(((self.inst.memory - self.load[:e]) // (s + self.steps[:e])).min())

    def _next_fit(self, shape: Shape) -> int:
        s, e = shape
        excess = self.load[:e] + s + self.steps[:e] - self.inst.memory
        over = np.flatnonzero(excess > 0)
        return self.now + int(np.minimum(excess[over], self.steps[over]).max())

    def _start_heads(self, shape: Shape, room: int) -> list[int]:
        """Start up to ``room`` requests from the head of the list, as long as they have this shape."""
        heads: list[int] = []
        while self.waiting and len(heads) < room and self.shape[self.by_position[self.waiting[0]]] == shape:
            heads.append(self.by_position[heapq.heappop(self.waiting)])
        s, e = shape
        self.load[:e] += len(heads) * (s + self.steps[:e])
        for i in heads:
            if self.only_at_completions:
                heapq.heappush(self.ends, self.now + self.output[i])
            if self.output[i] < e:
                heapq.heappush(self.early_ends, (self.now + self.output[i], shape, self.now))
        return heads


__all__ = ["KEYS", "best_list_greedy", "flow_of", "list_greedy"]
