"""C: shortest-first runs prompts as large as memory before requests that are a little longer and tiny."""

import math

from instances.card import REQUIRED, FamilyCard, Parameter
from instances.construction import Construction, Setting, declare, requests
from instances.list_greedy import flow_of, list_greedy
from instances.long_request import rounded

CARD = FamilyCard(
    id="sf_trap",
    letter="C",
    title="huge prompts with short outputs, against shortest output first",
    target="mc_sf",
    effect="hurts",
    orders=True,
    parameters=(
        Parameter("memory", REQUIRED, "memory M (tokens)", low=3),
        Parameter("x", 2.0, "floor(x M) tiny requests", "float", low=0, open_low=True),
        Parameter("y", 4.0, "round(y sqrt(M)) huge requests", "float", low=0, open_low=True),
    ),
    ratio_text="x y sqrt(M) / (3 x^2 + y^2/2), best 0.408 sqrt(M) (witness), 0.447 sqrt(M) (optimum)",
    source="derived here; shortest first is mc_sf of Jaillet et al., arXiv 2502.07115",
    about="round(y sqrt(M)) requests (M-1, 1), then floor(x M) requests (1, 2). mc_sf runs the huge prompts first, one "
    "a round, and each tiny request waits for all of them. The witness is the order by volume.",
)


@declare(CARD)
def sf_trap(setting: Setting, memory: int, x: float, y: float) -> Construction:
    """Build the huge requests, then the tiny ones."""
    huge, tiny = rounded(y * math.sqrt(memory)), math.floor(x * memory)
    return Construction(
        requests(memory, (huge, 0, memory - 1, 1), (tiny, 0, 1, 2)),
        witness=lambda inst: list_greedy(inst, "svf"),
        forced_cost=lambda inst: flow_of(inst, list_greedy(inst, "mc_sf")),
    )
