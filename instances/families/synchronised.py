"""G: identical requests; whoever starts what fits starts too many together."""

import numpy as np

from instances.card import REQUIRED, FamilyCard, Parameter
from instances.construction import Construction, Setting, declare, requests
from instances.list_greedy import flow_of, list_greedy
from kvratio.problem.instance import Instance, IntArray

CARD = FamilyCard(
    id="synchronised",
    letter="G",
    title="identical requests in lockstep",
    target="every policy that starts what fits (mc_sf)",
    effect="hurts",
    parameters=(
        Parameter("count", REQUIRED, "n identical requests", low=1),
        Parameter("prompt", REQUIRED, "prompt s (tokens)", low=0),
        Parameter("output", REQUIRED, "output L (tokens)", low=1),
        Parameter("memory", REQUIRED, "memory M (tokens)", low=1),
    ),
    ratio_text="(s + L)/(s + (L+1)/2) < 2",
    source="derived here; staggered starts as in sps of Feng, Yang, Zhang, 'Competitive Non-Clairvoyant KV-Cache "
    "Scheduling for LLM Inference', arXiv 2601.22996",
    about="floor(M/(s+L)) requests started together leave memory idle while all of them grow. Evenly spaced starts use "
    "it: the witness is the better of batches and of start i at floor(i L / k), k = floor((2M-L+1)/(2s+L+1)).",
)


def identical_witness(inst: Instance) -> IntArray:
    """Return the cheaper of full batches and an evenly spaced pipeline, for identical requests at time 0."""
    s, L, number = int(inst.prompt[0]), int(inst.output[0]), np.arange(inst.n)
    batches = number // (inst.memory // (s + L)) * L
    pipeline = number * L // ((2 * inst.memory - L + 1) // (2 * s + L + 1))
    return min(batches, pipeline, key=lambda starts: flow_of(inst, starts))


@declare(CARD)
def synchronised(setting: Setting, count: int, prompt: int, output: int, memory: int) -> Construction:
    """Build n identical requests."""
    return Construction(
        requests(memory, (count, 0, prompt, output)),
        witness=identical_witness,
        forced_cost=lambda inst: flow_of(inst, list_greedy(inst, "mc_sf")),
    )
