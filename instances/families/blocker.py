"""B: requests as large as memory arrive one a round while the long request runs; none fits beside it."""

import numpy as np

from instances.card import REQUIRED, FamilyCard, Parameter
from instances.construction import Construction, Setting, declare, requests
from instances.long_request import PATIENCE, never_started, read_start

CARD = FamilyCard(
    id="blocker",
    letter="B",
    title="the long request blocks a stream of whole-memory requests",
    kind="online",
    adaptive=True,
    target="every deterministic non-preemptive policy",
    effect="forces",
    parameters=(
        Parameter("memory", REQUIRED, "memory M (tokens)", low=2),
        Parameter("start", 0, "b: the epoch at which the policy starts L", low=0),
    ),
    ratio_text="n/3 at b = 0; at least about n/4 for every b",
    source="derived here; the embedding of a single machine into KV memory, (s, o) = (M - p, p)",
    about="L = (0, 1, M-1) is started at b; one request (M-1, 1) arrives at each k = b+1 .. b+M-1. With P = M-1, each "
    "waits P - 1 or more: P^2 + P + b whatever the policy does after b. Every deterministic non-preemptive policy is "
    "Omega(n) for total flow when prompts differ.",
)


@declare(CARD)
def blocker(setting: Setting, memory: int, start: int) -> Construction:
    """Build L and the stream that answers its start."""
    P = memory - 1
    b = read_start(setting, memory, start)
    if b > PATIENCE * memory:
        return never_started(memory, b)
    arrival = np.arange(b + 1, b + P + 1)
    return Construction(
        requests(memory, (1, 0, 1, P), (P, arrival, P, 1)),
        witness=np.concatenate(([b + P + 1 if b < P else 0], arrival)),
        forced_cost=P * P + P + b,
        start=b,
        resolved={"start": b},
    )
