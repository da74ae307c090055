"""Uniform prompts and outputs."""

from instances.card import REQUIRED, FamilyCard, Parameter
from instances.construction import Construction, Setting, declare
from instances.drawing import COUNT, MEMORY, must_fit, shortest_or_smallest
from kvratio.problem.instance import Instance

CARD = FamilyCard(
    id="uniform",
    title="uniform prompts and outputs",
    group="random",
    parameters=(
        COUNT,
        MEMORY,
        Parameter("prompt", REQUIRED, "range (lo, hi) of prompts (tokens), both included", "interval", low=0),
        Parameter("output", REQUIRED, "range (lo, hi) of outputs (tokens), both included", "interval", low=1),
    ),
    source="made here",
    about="Small alpha when M is large. Used for tables of exact optima.",
)


@declare(CARD)
def uniform(
    setting: Setting, count: int, memory: int, prompt: tuple[int, int], output: tuple[int, int]
) -> Construction:
    """Draw prompts, then outputs."""
    must_fit(CARD.id, prompt[1], output[1], memory)
    rng = setting.rng()
    prompts = rng.integers(*prompt, count, endpoint=True)
    outputs = rng.integers(*output, count, endpoint=True)
    return Construction(Instance(prompt=prompts, output=outputs, memory=memory), witness=shortest_or_smallest)
