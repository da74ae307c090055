"""A2: a stream that would fill memory alone arrives while the long request still runs."""

import numpy as np

from instances.card import REQUIRED, FamilyCard, Parameter
from instances.construction import Construction, Setting, declare, requests
from instances.long_request import PATIENCE, checked_gap, long_flow, never_started, read_start, unit_flow_beside

CARD = FamilyCard(
    id="stream_trap",
    letter="A2",
    title="a saturating stream behind the long request",
    kind="online",
    adaptive=True,
    target="every deterministic non-preemptive policy",
    effect="forces",
    parameters=(
        Parameter("memory", REQUIRED, "memory M (tokens)", low=2),
        Parameter("w", None, "length of the stream in rounds; default floor(M/2)", low=1),
        Parameter("start", 0, "b: the epoch at which the policy starts L", low=0),
    ),
    ratio_text="0.30 M = 0.60 sqrt(n)",
    source="derived here, after Jaillet et al., 'Online Scheduling for LLM Inference with KV Cache Constraints', "
    "arXiv 2502.07115",
    about="L as in burst_trap; at each of the last w rounds of L, floor(M/2) requests (1, 1) arrive, which is what a "
    "round can serve without L. The queue that L causes lasts to the end of the stream.",
)


@declare(CARD)
def stream_trap(setting: Setting, memory: int, w: int | None, start: int) -> Construction:
    """Build L and the stream that answers its start."""
    m = memory // 2
    w = checked_gap(m if w is None else w, memory, CARD.id, "the stream")
    b = read_start(setting, memory, start)
    if b > PATIENCE * memory:
        return never_started(memory, b, w=w)
    r = b + memory - w
    arrival = np.repeat(np.arange(r, r + w), m)
    return Construction(
        requests(memory, (1, 0, 1, memory - 1), (w * m, arrival, 1, 1)),
        witness=np.concatenate(([r + w if b < memory else 0], arrival)),
        forced_cost=long_flow(memory, b) + unit_flow_beside(memory, b, first=r, times=w, count=m),
        start=b,
        resolved={"w": w, "start": b},
        notes={"stream_arrival": r},
    )
