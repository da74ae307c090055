"""A family of one's own: `waves` equal bursts, each shortly before the long request ahead of it ends."""

from math import isqrt

import numpy as np

from instances import FamilyCard, Parameter, generate
from instances.card import REQUIRED
from instances.construction import Construction, Setting, declare, requests


@declare(
    FamilyCard(
        id="waves",
        title="bursts behind long requests",
        kind="online",
        target="policies that start at once",
        effect="measured",
        parameters=(
            Parameter("memory", REQUIRED, "memory M (tokens)", low=8),
            Parameter("waves", 3, "number of long requests, each with a burst behind it", low=1),
        ),
        source="this example",
        about="M/2 one-token requests arrive sqrt(M) rounds before a request with M output tokens ends.",
    )
)
def waves(setting: Setting, memory: int, waves: int) -> Construction:
    """Build the waves; the witness runs each burst at once and the long request behind it."""
    blocks, starts = [], []
    for first in 2 * memory * np.arange(waves):
        burst, size = first + memory - isqrt(memory), memory // 2
        blocks += [(1, first, 0, memory), (size, burst, 1, 1)]
        starts += [burst + 1, *[burst] * size]
    return Construction(requests(memory, *blocks), witness=np.array(starts))


if __name__ == "__main__":
    inst = generate(f"{__file__}:waves", memory=64)
    print(inst, "witness flow", inst.info["witness_cost"])
