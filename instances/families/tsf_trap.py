"""D: ordering by prompt + output runs long outputs before large prompts that need one round."""

import math

import numpy as np

from instances.card import REQUIRED, FamilyCard, Parameter
from instances.construction import Construction, Setting, declare, requests
from instances.list_greedy import flow_of, list_greedy
from instances.long_request import rounded
from kvratio.problem.errors import BadParameter
from kvratio.problem.instance import Instance, IntArray

CARD = FamilyCard(
    id="tsf_trap",
    letter="D",
    title="long outputs of slightly smaller peak, against total size first",
    target="tsf",
    effect="hurts",
    orders=True,
    parameters=(
        Parameter("memory", REQUIRED, "memory M (tokens), even", low=6),
        Parameter("k", 8, "number of long requests (1, M/2 - 2)", low=1),
        Parameter("z", 1.0, "round(z k sqrt(M)) short requests (M/2 - 1, 1)", "float", low=0, open_low=True),
    ),
    ratio_text="z/(z^2 + 1/2 + 1/k) sqrt(M)",
    source="derived here",
    about="k requests (1, M/2 - 2), then round(z k sqrt(M)) requests (M/2 - 1, 1). tsf takes the long ones first, two "
    "at a time. The witness is the cheaper of shortest first and 'the short ones two a round, then the long ones'.",
)


def _short_first_in_pairs(inst: Instance) -> IntArray:
    """Start the short ones two a round from 0, then the long ones two at a time."""
    starts = np.empty(inst.n, np.int64)
    short, long = np.flatnonzero(inst.prompt > 1), np.flatnonzero(inst.prompt == 1)
    starts[short] = np.arange(len(short)) // 2
    starts[long] = (len(short) + 1) // 2 + np.arange(len(long)) // 2 * inst.output[long]
    return starts


@declare(CARD)
def tsf_trap(setting: Setting, memory: int, k: int, z: float) -> Construction:
    """Build the long requests, then the short ones."""
    if memory % 2:
        raise BadParameter(f"tsf_trap: memory is {memory}: give an even number")
    half = memory // 2
    return Construction(
        requests(memory, (k, 0, 1, half - 2), (rounded(z * k * math.sqrt(memory)), 0, half - 1, 1)),
        witness=lambda inst: min(
            list_greedy(inst, "mc_sf"), _short_first_in_pairs(inst), key=lambda starts: flow_of(inst, starts)
        ),
        forced_cost=lambda inst: flow_of(inst, list_greedy(inst, "tsf")),
    )
