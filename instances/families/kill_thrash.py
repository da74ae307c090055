"""J: small requests arrive just as the long one is about to end, and a policy that kills for them never ends it."""

import numpy as np

from instances.card import REQUIRED, FamilyCard, Parameter
from instances.construction import Construction, Setting, declare, requests

CARD = FamilyCard(
    id="kill_thrash",
    letter="J",
    title="arrivals that tempt a policy to kill",
    kind="online",
    target="kill-and-restart by smallest volume",
    effect="hurts",
    parameters=(Parameter("period", REQUIRED, "P: output of the long request, and time between arrivals", low=1),),
    ratio_text="P/2",
    source="derived here; kill-and-restart on one machine: Omega(n/log n), arXiv 2511.03485",
    about="M = 2P+2; L = (M-P, P), and (M-1, 1) at kP-1 for k = 1..P. A policy that kills L for each smaller arrival "
    "pays P^2 + 2P; not killing costs 2P+1, which non-preemptive mc_sf attains. The counterpart of blocker.",
)


@declare(CARD)
def kill_thrash(setting: Setting, period: int) -> Construction:
    """Build the long request and the small ones."""
    P = period
    memory = 2 * P + 2
    arrival = np.arange(1, P + 1) * P - 1
    starts = np.concatenate(([0], arrival))
    starts[1] = P
    return Construction(
        requests(memory, (1, 0, memory - P, P), (P, arrival, memory - 1, 1)),
        witness=starts,
        forced_cost=P * P + 2 * P,
    )
