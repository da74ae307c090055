"""E: smallest volume first runs one long request before whole-memory requests of slightly larger volume."""

import math

import numpy as np

from instances.card import REQUIRED, FamilyCard, Parameter
from instances.construction import Construction, Setting, declare, requests
from instances.list_greedy import flow_of, list_greedy
from kvratio.problem.errors import BadParameter
from kvratio.problem.instance import Instance, IntArray

#: number of small requests in variant "half", whatever M and c
HALF_COUNT = 64

CARD = FamilyCard(
    id="svf_trap",
    letter="E",
    title="one long request of smaller volume, against smallest volume first",
    target="svf",
    effect="hurts",
    orders=True,
    parameters=(
        Parameter("memory", REQUIRED, "memory M (tokens)", low=3),
        Parameter("c", 1.7, "floor(c M^(1/4)) requests (M - 1, 1)", "float", low=0),
        Parameter("variant", None, "'half': requests of peak M/2, alpha = 1/2", "choice", choices=(None, "half")),
    ),
    ratio_text="c sqrt(2) M^(1/4) / (c^2/2 + sqrt(2)), best 0.84 M^(1/4)",
    source="derived here; smallest volume first is svf of Kong et al., 'Geometry-Aware Online Scheduling for LLM "
    "Serving', arXiv 2606.22327, whose guarantee needs alpha < 1",
    about="One (1, o) with o the largest such that o + o(o+1)/2 < M, then floor(c M^(1/4)) requests (M-1, 1) of volume "
    "M. svf starts the long one and nothing fits beside it. Variant half: peaks M/2, 64 small ones.",
)


def longest_below(volume: int) -> int:
    """Return the largest o with o + o(o+1)/2 < volume: the longest request (1, o) of smaller volume."""
    o = (math.isqrt(8 * volume + 1) - 3) // 2
    while o + o * (o + 1) // 2 >= volume:
        o -= 1
    while (o + 1) + (o + 1) * (o + 2) // 2 < volume:
        o += 1
    return o


def _cheaper_side(inst: Instance, together: int) -> IntArray:
    """Small ones first, ``together`` a round; or, if cheaper and all are serial, the long one first."""
    small = inst.prompt > 1
    first = np.empty(inst.n, np.int64)
    first[small] = np.arange(small.sum()) // together
    first[~small] = -(-int(small.sum()) // together)
    if together > 1:
        return first
    last = np.zeros(inst.n, np.int64)
    last[small] = int(inst.output[~small].sum()) + np.arange(small.sum())
    return min(first, last, key=lambda starts: flow_of(inst, starts))


@declare(CARD)
def svf_trap(setting: Setting, memory: int, c: float, variant: str | None) -> Construction:
    """Build the long request, then the small ones."""
    if variant == "half" and (memory % 2 or memory < 6):
        raise BadParameter(f"svf_trap: memory is {memory}: variant 'half' needs an even number >= 6")
    peak = memory // 2 if variant == "half" else memory
    # Two square roots: exact for fourth powers, where a power by 1/4 may fall short.
    count = HALF_COUNT if variant == "half" else math.floor(c * math.sqrt(math.sqrt(memory)))
    return Construction(
        requests(memory, (1, 0, 1, longest_below(peak)), (count, 0, peak - 1, 1)),
        witness=lambda inst: _cheaper_side(inst, memory // peak),
        forced_cost=lambda inst: flow_of(inst, list_greedy(inst, "svf")),
    )
