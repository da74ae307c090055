"""Two output lengths, equal prompts."""

import numpy as np

from instances.card import REQUIRED, FamilyCard, Parameter
from instances.construction import Construction, Setting, declare
from instances.drawing import COUNT, MEMORY, PROMPT, must_fit, shortest_or_smallest
from kvratio.problem.instance import Instance

CARD = FamilyCard(
    id="two_point",
    title="two output lengths, equal prompts",
    group="random",
    parameters=(
        COUNT,
        MEMORY,
        PROMPT,
        Parameter("short", REQUIRED, "the short output (tokens)", low=1),
        Parameter("long", REQUIRED, "the long output (tokens)", low=1),
        Parameter("share", REQUIRED, "probability of the long output", "float", low=0, high=1),
    ),
    source="made here",
    about="o = long with probability share, else short.",
)


@declare(CARD)
def two_point(
    setting: Setting, count: int, memory: int, prompt: int, short: int, long: int, share: float
) -> Construction:
    """Draw which requests are long."""
    must_fit(CARD.id, prompt, max(short, long), memory)
    output = np.where(setting.rng().random(count) < share, long, short)
    inst = Instance(prompt=np.full(count, prompt), output=output, memory=memory)
    return Construction(inst, witness=shortest_or_smallest)
