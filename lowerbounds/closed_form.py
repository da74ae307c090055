"""Closed-form lower bounds LB0 to LB4 on the total completion time, exact in integers and fractions.

LB1 is the squashed-area bound (arXiv 2606.22327). The others relax the memory rows to a single preemptive
machine of speed M: mean busy times (LB2, LB4) and shortest remaining volume first (LB3).
All values are for total completion; subtract the sum of arrivals for total flow.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kvratio.problem import Instance
from kvratio.problem.compiled import compiled
from kvratio.problem.errors import UnknownName
from lowerbounds.exact_sums import SAFE, DirectedSum, ceil, exact_sum, sum_fractions
from lowerbounds.machine import Pieces, run_machine

IntArray = npt.NDArray[np.int64]


class ClosedForm(NamedTuple):
    """A rational lower bound on the total completion time.

    ``bits`` is 0 when ``value`` is exact; otherwise sums of fractions were rounded down at denominator 2**bits,
    which keeps the bound valid.
    """

    name: str
    value: Fraction
    bits: int

    @property
    def integer(self) -> int:
        """The least integer not below ``value``: valid since the optimum is an integer."""
        return ceil(self.value)


def latency(inst: Instance) -> ClosedForm:
    """LB0, sum of a + o: every request needs its own rounds."""
    return ClosedForm("LB0", Fraction(exact_sum(inst.arrival + inst.output)), 0)


def squashed_area(inst: Instance) -> ClosedForm:
    """LB1 = (1/M) sum over j of the total of the j smallest volumes (arXiv 2606.22327)."""
    return ClosedForm("LB1", Fraction(exact_sum(np.cumsum(np.sort(inst.volume))), inst.memory), 0)


def squashed_area_rounded(inst: Instance) -> ClosedForm:
    """LB1r = sum over j of max(ceil(V_j / M), j-th smallest a + o)."""
    total = np.cumsum(np.sort(inst.volume))
    earliest = np.sort(inst.arrival + inst.output)
    return ClosedForm("LB1r", Fraction(exact_sum(np.maximum(-(-total // inst.memory), earliest))), 0)


def squashed_area_star(inst: Instance) -> ClosedForm:
    """LB1* = sum over j of the least T by which j requests with a + o <= T have volumes that fit into M T."""
    earliest = inst.arrival + inst.output
    rank = np.empty(inst.n, np.int64)
    rank[np.argsort(inst.volume, kind="stable")] = np.arange(inst.n)
    times = _least_times(np.argsort(earliest, kind="stable"), earliest, rank, inst.volume, inst.memory)
    return ClosedForm("LB1*", Fraction(exact_sum(times)), 0)


@compiled
def _least_times(by_earliest, earliest, rank, volume, memory):
    """Return the least T for each j, int64[n]; a Fenwick tree over volume ranks holds who has a + o <= T."""
    n = len(rank)
    count = np.zeros(n + 1, np.int64)
    total = np.zeros(n + 1, np.int64)
    top = 1
    while top * 2 <= n:
        top *= 2
    times = np.empty(n, np.int64)
    inside = 0
    now = np.int64(0)
    for j in range(1, n + 1):
        while True:
            need = np.int64(-1)
            if inside >= j:
                place, left, volumes, step = 0, j, np.int64(0), top
                while step > 0:
                    if place + step <= n and count[place + step] <= left:
                        place += step
                        left -= count[place]
                        volumes += total[place]
                    step >>= 1
                need = max(now, -(-volumes // memory))
            if inside == n or (need >= 0 and need < earliest[by_earliest[inside]]):
                break
            now = max(now, earliest[by_earliest[inside]])
            while inside < n and earliest[by_earliest[inside]] <= now:
                i = by_earliest[inside]
                k = rank[i] + 1
                while k <= n:
                    count[k] += 1
                    total[k] += volume[i]
                    k += k & -k
                inside += 1
        now = need
        times[j - 1] = now
    return times


def offsets(inst: Instance) -> DirectedSum:
    """Sum of delta: how long after its mean busy time a contiguous run completes."""
    s, o = _wide(inst, inst.prompt), _wide(inst, inst.output)
    return sum_fractions(6 * s * o + (o + 1) * (2 * o + 1), 6 * (2 * s + o + 1))


def mean_busy_time(inst: Instance) -> ClosedForm:
    """LB2: mean busy times of the smallest-volume-first machine, arrivals ignored."""
    total = np.cumsum(np.sort(inst.volume))
    twice = 2 * exact_sum(total) - int(total[-1])
    delta = offsets(inst)
    return ClosedForm("LB2", Fraction(twice, 2 * inst.memory) + delta.value, delta.bits)


def mean_busy_time_rounded(inst: Instance) -> ClosedForm:
    """LB2r: LB2 with volume counted at the midpoints of whole rounds."""
    batch = inst if inst.is_batch else inst.replace(arrival=np.zeros(inst.n, np.int64), arrival_seconds=None)
    return busy_time_rounded(batch)._replace(name="LB2r")


def machine_flow(inst: Instance) -> ClosedForm:
    """LB3: total completion of the preemptive shortest-remaining-volume machine."""
    return ClosedForm("LB3", Fraction(exact_sum(_completion_ticks(inst)), inst.memory), 0)


def machine_flow_rounded(inst: Instance) -> ClosedForm:
    """LB3r = sum over j of max(ceil of the j-th machine completion, j-th smallest a + o)."""
    rounds = -(-np.sort(_completion_ticks(inst)) // inst.memory)
    return ClosedForm("LB3r", Fraction(exact_sum(np.maximum(rounds, np.sort(inst.arrival + inst.output)))), 0)


def _completion_ticks(inst: Instance) -> IntArray:
    pieces = run_machine(inst, by_remaining=True)
    done = np.empty(inst.n, np.int64)
    done[pieces.request] = pieces.last  # ascending in time: the last piece of a request stays
    return done


def busy_time(inst: Instance) -> ClosedForm:
    """LB4: mean busy times of the machine that prefers the smallest original volume, after arrivals."""
    pieces = _original_volume_pieces(inst)
    first, last = _wide_pieces(inst, pieces)
    terms = sum_fractions((last - first) * (last + first), _of(inst, pieces))
    delta = offsets(inst)
    return ClosedForm("LB4", terms.value / (2 * inst.memory) + delta.value, max(terms.bits, delta.bits))


def busy_time_rounded(inst: Instance) -> ClosedForm:
    """LB4r: LB4 with volume counted at the midpoints of whole rounds.

    Arrivals lie on round boundaries, so the machine gives each request the same volume in each round as the
    whole-round rule; only where it counts differs.
    """
    pieces = _original_volume_pieces(inst)
    first, last = _wide_pieces(inst, pieces)
    M = inst.memory
    q, m = first // M, last // M - first // M
    # Twice the midpoint-weighted volume of a piece that starts in round q + 1 and ends m rounds later.
    twice = (last - first) * (2 * q + 1) + M * m * (m - 1) + 2 * (last - last // M * M) * m
    terms = sum_fractions(twice, _of(inst, pieces))
    delta = offsets(inst)
    return ClosedForm("LB4r", terms.value / 2 + delta.value, max(terms.bits, delta.bits))


def _original_volume_pieces(inst: Instance) -> Pieces:
    return run_machine(inst, by_remaining=False)


def _of(inst: Instance, pieces: Pieces) -> IntArray:
    return inst.volume[pieces.request]


def _wide(inst: Instance, values: IntArray) -> npt.NDArray:
    """Return Python integers where six volumes might leave int64."""
    return values.astype(object) if 6 * int(inst.volume.max()) >= SAFE else values


def _wide_pieces(inst: Instance, pieces: Pieces) -> tuple[npt.NDArray, npt.NDArray]:
    """Return piece ends as Python integers where length * (sum of ends) might leave int64."""
    largest = int((pieces.last - pieces.first).max()) * 2 * (int(pieces.last.max()) + inst.memory)
    if largest >= SAFE:
        return pieces.first.astype(object), pieces.last.astype(object)
    return pieces.first, pieces.last


#: every closed form by the name that certificates use
CLOSED_FORMS: dict[str, Callable[[Instance], ClosedForm]] = {
    "LB0": latency,
    "LB1": squashed_area,
    "LB1r": squashed_area_rounded,
    "LB1*": squashed_area_star,
    "LB2": mean_busy_time,
    "LB2r": mean_busy_time_rounded,
    "LB3": machine_flow,
    "LB3r": machine_flow_rounded,
    "LB4": busy_time,
    "LB4r": busy_time_rounded,
}

#: the strongest of each family; their maximum is the bound without a solver
STRONGEST = ("LB0", "LB1*", "LB3r", "LB2r", "LB4r")


def closed_form(inst: Instance, name: str) -> ClosedForm:
    """Return one closed-form bound by name.

    Raises
    ------
    UnknownName
        For a name that is not in `CLOSED_FORMS`.
    """
    if name not in CLOSED_FORMS:
        raise UnknownName(f"closed form {name!r} is not known: choose one of {', '.join(CLOSED_FORMS)}")
    return CLOSED_FORMS[name](inst)


def best_closed_form(inst: Instance) -> ClosedForm:
    """Return the strongest closed form, by its integer ceiling; the first named wins ties."""
    # In a batch LB4r is LB2r.
    names = [name for name in STRONGEST if not (inst.is_batch and name == "LB4r")]
    return max((closed_form(inst, name) for name in names), key=lambda bound: bound.integer)
