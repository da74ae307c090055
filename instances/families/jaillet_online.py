"""The synthetic online instances of the paper that introduced the model."""

import numpy as np

from instances.card import FamilyCard
from instances.construction import Construction, Setting, declare
from instances.drawing import shortest_or_smallest
from kvratio.problem.instance import Instance

CARD = FamilyCard(
    id="jaillet_online",
    title="small synthetic online instance, alpha near 1",
    kind="online",
    group="random",
    source="Jaillet et al., 'Online Scheduling for LLM Inference with KV Cache Constraints', arXiv 2502.07115; ranges "
    "from secondary accounts (uncertain)",
    about="M ~ U{30..50}, horizon T ~ U{40..60}, rate ~ U[0.5, 1.5], Poisson(rate) arrivals at each t = 1..T; "
    "s ~ U{1..5}, o ~ U{1..M-s}. Arrival counts are drawn with the scalars, since they fix n; "
    "none at all: drawn again.",
)


@declare(CARD)
def jaillet_online(setting: Setting) -> Construction:
    """Draw M, T, rate and the arrival counts, then prompts and outputs."""
    rng = setting.rng()
    memory = int(rng.integers(30, 50, endpoint=True))
    horizon = int(rng.integers(40, 60, endpoint=True))
    rate = float(rng.uniform(0.5, 1.5))
    counts = rng.poisson(rate, horizon)
    while not counts.any():
        counts = rng.poisson(rate, horizon)
    arrival = np.repeat(np.arange(1, horizon + 1), counts)
    prompt = rng.integers(1, 5, len(arrival), endpoint=True)
    output = rng.integers(1, memory - prompt, endpoint=True)
    inst = Instance(prompt=prompt, output=output, memory=memory, arrival=arrival)
    return Construction(inst, witness=shortest_or_smallest, notes={"horizon": horizon, "rate": rate})
