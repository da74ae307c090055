"""K: mixtures of long outputs and large prompts, against policies made for one of the two regimes."""

import math

import numpy as np

from instances.card import REQUIRED, FamilyCard, Parameter
from instances.construction import Construction, Setting, declare, requests
from instances.families.svf_trap import svf_trap
from instances.list_greedy import best_list_greedy
from instances.long_request import rounded
from kvratio.problem.errors import BadParameter
from kvratio.problem.instance import Instance

CARD = FamilyCard(
    id="regime_mixing",
    letter="K",
    title="prompt-heavy and response-heavy requests together",
    target="policies for one regime",
    effect="measured",
    orders=True,
    parameters=(
        Parameter("memory", REQUIRED, "memory M (tokens), a multiple of 16", low=16),
        Parameter("part", 1, "which mixture, 1 to 4", low=1, high=4),
    ),
    ratio_text="not established: report measured ratios only",
    source="the regimes of Feng, Liu, Yang, Zhang, 'General Non-Clairvoyant KV-Cache Scheduling via Regime-Aware "
    "Routing', arXiv 2607.09248; mixtures made here",
    about="1: 8 x (1, M/2), then 64 x (M/8, 1 + i mod (M/8)). 2: 8 x (1, M/2), then 8M x (M/8, 1). 3: svf_trap. "
    "4: round(sqrt(M)) x (M-1, 1), then M round(sqrt(M)) x (1, 1). The witness is the best list-greedy schedule.",
)


def mixture(memory: int, part: int) -> Instance:
    """Return the requests of one part, in the order written."""
    if part == 1:
        return requests(memory, (8, 0, 1, memory // 2), (64, 0, memory // 8, 1 + np.arange(64) % (memory // 8)))
    if part == 2:
        return requests(memory, (8, 0, 1, memory // 2), (8 * memory, 0, memory // 8, 1))
    root = rounded(math.sqrt(memory))
    return requests(memory, (root, 0, memory - 1, 1), (memory * root, 0, 1, 1))


@declare(CARD)
def regime_mixing(setting: Setting, memory: int, part: int) -> Construction:
    """Build one of the four mixtures."""
    if memory % 16:
        raise BadParameter(f"regime_mixing: memory is {memory}: give a multiple of 16")
    inst = svf_trap.build(setting, memory, c=1.7, variant=None).instance if part == 3 else mixture(memory, part)
    return Construction(inst, witness=best_list_greedy)
