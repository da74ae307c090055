"""Geometric outputs: whether a request ends in the next round never depends on its age."""

import numpy as np

from instances.card import REQUIRED, FamilyCard, Parameter
from instances.construction import Construction, Setting, declare
from instances.drawing import COUNT, MEMORY, PROMPT, RATE, arrivals, redraw, shortest_or_smallest
from kvratio.problem.instance import Instance

CARD = FamilyCard(
    id="geometric",
    title="geometric outputs, equal prompts",
    group="random",
    parameters=(
        COUNT,
        MEMORY,
        PROMPT,
        Parameter("mu", REQUIRED, "probability that a round is the last", "float", low=0, high=1, open_low=True),
        RATE,
    ),
    source="made here",
    about="P(o = k) = mu (1 - mu)^(k-1), truncated at M - s by redrawing; arrivals 0, or Poisson with `rate`.",
)


@declare(CARD)
def geometric(setting: Setting, count: int, memory: int, prompt: int, mu: float, rate: float | None) -> Construction:
    """Draw outputs, redraw what does not fit, then arrivals."""
    rng = setting.rng()
    output = rng.geometric(mu, count)
    room = memory - prompt

    def draw(bad: np.ndarray) -> None:
        output[bad] = rng.geometric(mu, len(bad))

    chance = -np.expm1(max(0, room) * np.log1p(-mu)) if mu < 1 else float(room >= 1)
    redrawn = redraw(lambda: np.flatnonzero(output > room), draw, float(chance), CARD.id, memory)
    inst = Instance(prompt=np.full(count, prompt), output=output, memory=memory, arrival=arrivals(rng, count, rate))
    return Construction(inst, witness=shortest_or_smallest, notes={"redrawn": redrawn})
