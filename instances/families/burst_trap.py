"""A: a burst of short requests arrives just before the long one ends and finds no room beside it."""

import numpy as np

from instances.card import REQUIRED, FamilyCard, Parameter
from instances.construction import Construction, Setting, declare, requests
from instances.long_request import PATIENCE, gap, long_flow, never_started, read_start, unit_flow_beside

CARD = FamilyCard(
    id="burst_trap",
    letter="A",
    title="a burst behind the long request",
    kind="online",
    adaptive=True,
    target="every deterministic non-preemptive policy",
    effect="forces",
    parameters=(
        Parameter("memory", REQUIRED, "memory M (tokens)", low=2),
        Parameter(
            "c", 1.0, "the burst comes max(1, round(c sqrt(M))) rounds before L ends", "float", low=0, open_low=True
        ),
        Parameter("start", 0, "b: the epoch at which the policy starts L", low=0),
    ),
    ratio_text="(c/2 - c^3/6)/2.5 sqrt(M), best 0.133 sqrt(M) = 0.19 sqrt(n) at c = 1",
    source="Omega(sqrt n) of Jaillet et al., 'Online Scheduling for LLM Inference with KV Cache Constraints', "
    "arXiv 2502.07115; this form derived here",
    about="L = (0, 1, M-1) is started at b. floor(M/2) requests (1, 1) arrive w before its end, when it leaves at most "
    "w units free: nearly all of them wait for L. The witness runs the burst first if b < M, else L at once.",
)


@declare(CARD)
def burst_trap(setting: Setting, memory: int, c: float, start: int) -> Construction:
    """Build L and the burst that answers its start."""
    w, m = gap(memory, c, CARD.id), memory // 2
    b = read_start(setting, memory, start)
    if b > PATIENCE * memory:
        return never_started(memory, b)
    r = b + memory - w
    starts = np.full(1 + m, r, np.int64)
    starts[0] = r + 1 if b < memory else 0
    return Construction(
        requests(memory, (1, 0, 1, memory - 1), (m, r, 1, 1)),
        witness=starts,
        forced_cost=long_flow(memory, b) + unit_flow_beside(memory, b, first=r, times=1, count=m),
        start=b,
        resolved={"start": b},
        notes={"w": w, "burst_arrival": r},
    )
