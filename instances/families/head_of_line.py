"""F: a request that does not fit beside the first one blocks a crowd of tiny ones behind it."""

import numpy as np

from instances.card import REQUIRED, FamilyCard, Parameter
from instances.construction import Construction, Setting, declare, requests
from instances.list_greedy import flow_of, list_greedy
from kvratio.problem.instance import Instance, IntArray

CARD = FamilyCard(
    id="head_of_line",
    letter="F",
    title="head-of-line blocking",
    target="fcfs",
    effect="hurts",
    orders=True,
    parameters=(
        Parameter("memory", REQUIRED, "memory M (tokens)", low=3),
        Parameter("count", None, "N tiny requests; default M", low=1),
    ),
    ratio_text="0.40 M",
    source="derived here; fcfs is the benchmark policy of Jaillet et al., arXiv 2502.07115",
    about="(1, M-1), (M-1, 1), then N requests (1, 1). fcfs without skip stops at the second request until the first "
    "ends. With skip the ratio is below 1.4.",
)


def _tiny_first(inst: Instance) -> IntArray:
    """Start the tiny ones floor(M/2) a round from 0, then the wide one, then the long one."""
    starts = np.empty(inst.n, np.int64)
    wide, long = inst.prompt > 1, inst.output > 1
    tiny = ~(wide | long)
    count, together = int(tiny.sum()), inst.memory // 2
    starts[tiny] = np.arange(count) // together
    starts[wide] = -(-count // together)
    starts[long] = starts[wide] + 1
    return starts


@declare(CARD)
def head_of_line(setting: Setting, memory: int, count: int | None) -> Construction:
    """Build the long request, the wide one and the crowd."""
    count = memory if count is None else count
    return Construction(
        requests(memory, (1, 0, 1, memory - 1), (1, 0, memory - 1, 1), (count, 0, 1, 1)),
        witness=_tiny_first,
        forced_cost=lambda inst: flow_of(inst, list_greedy(inst, "fcfs")),
        resolved={"count": count},
    )
