"""Chat-like lengths: lognormal prompts and outputs."""

import numpy as np

from instances.card import FamilyCard
from instances.construction import Construction, Setting, declare
from instances.drawing import (
    COUNT,
    MEMORY,
    OUTPUT_LAW,
    PROMPT_LAW,
    RATE,
    arrivals,
    clipped_lognormal,
    clipped_lognormal_chances,
    redraw,
    shortest_or_smallest,
)
from kvratio.problem.instance import Instance

CARD = FamilyCard(
    id="lognormal",
    title="lognormal prompts and outputs",
    kind="batch",
    group="random",
    parameters=(COUNT, MEMORY, RATE),
    source="made here: medians 90 and 148 tokens, as in chat traces",
    about="s = clip(floor(lognormal(4.5, 1.0)), 1, 1000), o = clip(floor(lognormal(5.0, 0.8)), 1, 1000). Requests with "
    "s + o > M are rejected and drawn again (their number is in info['redrawn']); arrivals 0, or Poisson with `rate`.",
)


@declare(CARD)
def lognormal(setting: Setting, count: int, memory: int, rate: float | None) -> Construction:
    """Draw prompts, outputs, redraw what does not fit, then arrivals."""
    rng = setting.rng()
    prompt = clipped_lognormal(rng, PROMPT_LAW, count)
    output = clipped_lognormal(rng, OUTPUT_LAW, count)

    def draw(bad: np.ndarray) -> None:
        prompt[bad] = clipped_lognormal(rng, PROMPT_LAW, len(bad))
        output[bad] = clipped_lognormal(rng, OUTPUT_LAW, len(bad))

    redrawn = redraw(lambda: np.flatnonzero(prompt + output > memory), draw, _chance(memory), CARD.id, memory)
    inst = Instance(prompt=prompt, output=output, memory=memory, arrival=arrivals(rng, count, rate))
    return Construction(inst, witness=shortest_or_smallest, notes={"redrawn": redrawn})


def _chance(memory: int) -> float:
    """Probability that a drawn request fits, P(s + o <= M)."""
    total = np.convolve(clipped_lognormal_chances(PROMPT_LAW), clipped_lognormal_chances(OUTPUT_LAW))
    return float(total[: max(0, memory - 1)].sum())  # entry k is P(s + o = k + 2)
